//! The 8254 interval timer: three channels computed from the clock whenever they are looked at, and port 61h with the
//! gate and output of channel 2 (Intel 8254 data sheet; port 61h as in PC chipset data sheets).
//!
//! Modes 0 (interrupt on terminal count), 2 and 3 (rate and square wave) count; others behave as mode 0, and BCD counts as
//! binary. A rising output of channel 0 is an edge of ISA line 0: [`super::Devices`] asks when and passes it on.

/// Ticks a second.
const FREQUENCY_HZ: u64 = 1_193_182;

/// Port 61h: gate of channel 2.
const GATE2: u8 = 1 << 0;
/// Port 61h: speaker data enable.
const SPEAKER: u8 = 1 << 1;
/// Port 61h: output of channel 2.
const OUT2: u8 = 1 << 5;

/// One counter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Channel {
    mode: u8,
    /// 1: low byte, 2: high byte, 3: low then high.
    access: u8,
    /// The reload value; 0 counts as 65,536.
    reload: u16,
    /// Low byte of a two-byte write in progress.
    write_low: Option<u8>,
    /// The next read gives the high byte.
    read_high: bool,
    /// A latched count.
    latch: Option<u16>,
    /// A latched status byte; it is read before the count.
    status: Option<u8>,
    /// Rising edges of the output since counting began that were passed on.
    edges: u64,
    /// Clock when counting began; None: no count was written yet or the gate is closed.
    started_ns: Option<u64>,
}

impl Channel {
    fn period(&self) -> u64 {
        if self.reload == 0 { 0x1_0000 } else { u64::from(self.reload) }
    }

    /// Ticks since the count was loaded.
    fn elapsed(&self, now_ns: u64) -> Option<u64> {
        let ns = u128::from(now_ns - self.started_ns?.min(now_ns));
        Some((ns * u128::from(FREQUENCY_HZ) / 1_000_000_000) as u64)
    }

    fn count(&self, now_ns: u64) -> u16 {
        let Some(elapsed) = self.elapsed(now_ns) else { return self.reload };
        match self.mode {
            2 => (self.period() - elapsed % self.period()) as u16,
            3 => (self.period() - (elapsed * 2) % self.period()) as u16 & !1,
            _ => self.reload.wrapping_sub(elapsed as u16),
        }
    }

    fn output(&self, now_ns: u64) -> bool {
        let Some(elapsed) = self.elapsed(now_ns) else { return self.mode != 0 };
        match self.mode {
            2 => elapsed % self.period() != self.period() - 1,
            3 => elapsed % self.period() < self.period().div_ceil(2),
            _ => elapsed >= self.period(),
        }
    }

    /// When the output rises next after those passed on. None: never.
    fn rises_ns(&self) -> Option<u64> {
        let started = self.started_ns?;
        let ticks = match self.mode {
            2 | 3 => self.period().checked_mul(self.edges + 1)?,
            _ if self.edges == 0 => self.period(),
            _ => return None,
        };
        let ns = (u128::from(ticks) * 1_000_000_000).div_ceil(u128::from(FREQUENCY_HZ));
        started.checked_add(u64::try_from(ns).ok()?)
    }

    /// Counts the edges up to now as passed on. True: there was one.
    fn pass_edges(&mut self, now_ns: u64) -> bool {
        if self.rises_ns().is_none_or(|ns| ns > now_ns) {
            return false;
        }
        let elapsed = self.elapsed(now_ns).unwrap_or(0);
        self.edges = if matches!(self.mode, 2 | 3) { elapsed / self.period() } else { 1 };
        true
    }

    fn latch_status(&mut self, now_ns: u64) {
        let output = u8::from(self.output(now_ns)) << 7;
        // Null count: a new count was begun and is not loaded yet.
        let null = u8::from(self.write_low.is_some()) << 6;
        self.status = self.status.or(Some(output | null | self.access << 4 | self.mode << 1));
    }

    fn read(&mut self, now_ns: u64) -> u8 {
        if let Some(status) = self.status.take() {
            return status;
        }
        let count = self.latch.unwrap_or_else(|| self.count(now_ns));
        let high = match self.access {
            1 => false,
            2 => true,
            _ => self.read_high,
        };
        if self.access == 3 {
            self.read_high = !self.read_high;
        }
        if self.access != 3 || high {
            self.latch = None;
        }
        if high { (count >> 8) as u8 } else { count as u8 }
    }

    fn write(&mut self, value: u8, gate: bool, now_ns: u64) {
        self.reload = match (self.access, self.write_low.take()) {
            (1, _) => u16::from(value),
            (2, _) => u16::from(value) << 8,
            (_, None) => {
                self.write_low = Some(value);
                return;
            }
            (_, Some(low)) => u16::from(value) << 8 | u16::from(low),
        };
        self.started_ns = gate.then_some(now_ns);
        self.edges = 0;
    }
}

/// The three channels and port 61h.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pit {
    channels: [Channel; 3],
    port61: u8,
}

impl Pit {
    /// IN from 40h to 43h and 61h.
    pub fn read(&mut self, port: u16, now_ns: u64) -> u8 {
        match port {
            0x40..=0x42 => self.channels[usize::from(port - 0x40)].read(now_ns),
            0x61 => self.port61 | if self.channels[2].output(now_ns) { OUT2 } else { 0 },
            _ => 0xff,
        }
    }

    /// OUT to 40h to 43h and 61h.
    pub fn write(&mut self, port: u16, value: u8, now_ns: u64) {
        let gate = |channel: u16| channel != 2 || self.port61 & GATE2 != 0;
        match port {
            0x40..=0x42 => {
                let gate = gate(port - 0x40);
                self.channels[usize::from(port - 0x40)].write(value, gate, now_ns);
            }
            0x43 => self.command(value, now_ns),
            _ => self.write_port61(value, now_ns),
        }
    }

    /// When channel 0 asks for its interrupt next.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.channels[0].rises_ns()
    }

    /// Time went on. True: channel 0's output rose.
    pub fn tick(&mut self, now_ns: u64) -> bool {
        self.channels[0].pass_edges(now_ns)
    }

    /// The read-back command: latches count, status or both of the channels named.
    fn read_back(&mut self, value: u8, now_ns: u64) {
        for channel in (0..3).filter(|channel| value & 2 << channel != 0) {
            let channel = &mut self.channels[channel];
            if value & 1 << 5 == 0 {
                channel.latch = channel.latch.or(Some(channel.count(now_ns)));
            }
            if value & 1 << 4 == 0 {
                channel.latch_status(now_ns);
            }
        }
    }

    fn command(&mut self, value: u8, now_ns: u64) {
        if value >> 6 == 3 {
            return self.read_back(value, now_ns);
        }
        let Some(channel) = self.channels.get_mut(usize::from(value >> 6)) else { return };
        match value >> 4 & 3 {
            0 => channel.latch = channel.latch.or(Some(channel.count(now_ns))),
            access => {
                let mode = match value >> 1 & 7 {
                    mode @ 6..=7 => mode - 4,
                    mode => mode,
                };
                *channel = Channel { mode, access, ..Channel::default() };
            }
        }
    }

    /// A rising gate starts (or, in the modes that reload, starts again) the count of channel 2.
    fn write_port61(&mut self, value: u8, now_ns: u64) {
        let rising = value & !self.port61 & GATE2 != 0;
        self.port61 = value & (GATE2 | SPEAKER);
        let channel = &mut self.channels[2];
        if self.port61 & GATE2 == 0 {
            channel.started_ns = None;
        } else if rising && channel.reload != 0 {
            channel.started_ns = Some(now_ns);
        }
    }

    /// Registers in a fixed order, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        put(u64::from(self.port61));
        for channel in &self.channels {
            put(u64::from(channel.mode) | u64::from(channel.access) << 8 | u64::from(channel.reload) << 16);
            put(channel.write_low.map_or(0, |low| u64::from(low) | 1 << 8));
            put(u64::from(channel.read_high));
            put(channel.latch.map_or(0, |latch| u64::from(latch) | 1 << 16));
            put(channel.started_ns.map_or(u64::MAX, |ns| ns));
            put(channel.status.map_or(0, |status| u64::from(status) | 1 << 8) | channel.edges << 16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the kernel's 10 ms calibration sees OUT2 rise on time; method: mode 0, gate, poll around the deadline.
    #[test]
    fn channel_2_counts_down() {
        let mut pit = Pit::default();
        pit.write(0x61, 0x01, 0);
        pit.write(0x43, 0b1011_0000, 0);
        let count = 11_932u16;
        pit.write(0x42, count as u8, 0);
        pit.write(0x42, (count >> 8) as u8, 1000);
        assert_eq!(pit.read(0x61, 9_900_000) & OUT2, 0);
        assert_eq!(pit.read(0x61, 10_002_000) & OUT2, OUT2);
    }

    /// Goal: a latched count is stable and comes low byte first; method: latch, wait, read twice.
    #[test]
    fn latch() {
        let mut pit = Pit::default();
        pit.write(0x43, 0b0011_0100, 0);
        pit.write(0x40, 0x00, 0);
        pit.write(0x40, 0x10, 0);
        pit.write(0x43, 0, 1_000_000);
        let low = pit.read(0x40, 2_000_000);
        let high = pit.read(0x40, 3_000_000);
        assert_eq!(u16::from_le_bytes([low, high]), 0x1000 - 1193);
    }

    /// Goal: channel 0 asks for its interrupt each period, and a late look loses none of the rhythm; method: 1193 ticks, looked
    /// at on time and long after.
    #[test]
    fn channel_0_rises() {
        let mut pit = Pit::default();
        pit.write(0x43, 0b0011_0100, 0);
        pit.write(0x40, 0xa9, 0);
        assert_eq!(pit.deadline_ns(), None, "half a count");
        pit.write(0x40, 0x04, 0);
        let first = pit.deadline_ns().unwrap();
        assert!((999_800..1_000_000).contains(&first), "{first}");
        assert!(!pit.tick(first - 1) && pit.tick(first));
        assert!((1_999_600..2_000_000).contains(&pit.deadline_ns().unwrap()));
        assert!(pit.tick(10_500_000) && !pit.tick(10_500_000));
        assert!((10_998_000..11_000_000).contains(&pit.deadline_ns().unwrap()));
    }

    /// Goal: the read-back command gives status, then count; method: both of channel 0 at once.
    #[test]
    fn read_back() {
        let mut pit = Pit::default();
        pit.write(0x43, 0b0011_0100, 0);
        pit.write(0x40, 0, 0);
        pit.write(0x40, 0x10, 0);
        pit.write(0x43, 0b1100_0010, 0);
        assert_eq!([0; 3].map(|_| pit.read(0x40, 0)), [0b1011_0100, 0x00, 0x10]);
    }
}

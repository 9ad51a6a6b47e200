//! The real-time clock and CMOS memory behind ports 70h and 71h (Motorola MC146818A data sheet; century at 32h as PC
//! firmware has it). ISA line 8: periodic, alarm and update-ended interrupts.
//!
//! The clock begins at [`START`] when power comes on and counts the machine's nanoseconds: a run is the same on each day.

use super::irq::Irq;
use crate::bus::Outbox;

/// 2026-01-01 00:00:00, in seconds since 1970.
const START: i64 = 1_767_225_600;
/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;
/// The update cycle is announced so long before the second's end.
const UPDATE_NS: u64 = 244_000;
/// The ISA line.
const IRQ_LINE: u8 = 8;

/// Register A: update in progress, read-only.
const A_UIP: u8 = 1 << 7;
/// Register B: 24 hours, not 12.
const B_24_HOURS: u8 = 1 << 1;
/// Register B: binary, not BCD.
const B_BINARY: u8 = 1 << 2;
/// Register B, interrupts: update ended, alarm, periodic; flags of register C at the same places.
const UPDATE: u8 = 1 << 4;
const ALARM: u8 = 1 << 5;
const PERIODIC: u8 = 1 << 6;
/// Register B: the time is being set, and does not go on.
const B_SET: u8 = 1 << 7;
/// Register C: any of the three asks for the interrupt.
const C_IRQ: u8 = 1 << 7;
/// Register D: time and memory are valid.
const D_VALID: u8 = 1 << 7;
/// Bits 7:6 of an alarm register: any value matches.
const ANY: u8 = 0xc0;

/// Address register, bytes, and how far the clock was set and looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmos {
    index: u8,
    bytes: [u8; 128],
    /// Seconds that the guest's clock is ahead of the machine's.
    ahead_s: i64,
    /// The time that is being set: seconds since 1970.
    setting: Option<i64>,
    /// Clock up to which register C's flags are right.
    seen_ns: u64,
}

impl Default for Cmos {
    fn default() -> Self {
        let mut bytes = [0; 128];
        // 32,768 Hz, 1024 Hz periodic; 24 hours, BCD.
        bytes[0x0a] = 0x26;
        bytes[0x0b] = B_24_HOURS;
        Self { index: 0, bytes, ahead_s: 0, setting: None, seen_ns: 0 }
    }
}

impl Cmos {
    /// Port 71h reads the byte selected; port 70h is write-only and reads as all ones.
    pub fn read(&mut self, port: u16, now_ns: u64, irq: &mut Irq, out: &mut Outbox) -> u8 {
        if port != 0x71 {
            return 0xff;
        }
        match self.index {
            0 | 2 | 4 | 6..=9 | 0x32 => self.field(self.index, now_ns),
            0x0a => {
                let updating = self.setting.is_none() && now_ns % SECOND >= SECOND - UPDATE_NS;
                self.bytes[0x0a] & !A_UIP | if updating { A_UIP } else { 0 }
            }
            0x0c => {
                self.tick(now_ns, irq, out);
                let flags = std::mem::take(&mut self.bytes[0x0c]);
                irq.set_line(IRQ_LINE, false, out);
                flags
            }
            0x0d => D_VALID,
            index => self.bytes[usize::from(index)],
        }
    }

    /// Port 70h selects (bit 7 masks NMI and is not kept), port 71h writes.
    pub fn write(&mut self, port: u16, value: u8, now_ns: u64, irq: &mut Irq, out: &mut Outbox) {
        if port == 0x70 {
            self.index = value & 0x7f;
            return;
        }
        self.tick(now_ns, irq, out);
        match self.index {
            0 | 2 | 4 | 6..=9 | 0x32 => self.set_field(self.index, value, now_ns),
            0x0a => self.bytes[0x0a] = value & !A_UIP,
            0x0b => {
                if value & B_SET != 0 {
                    self.setting = self.setting.or(Some(self.seconds(now_ns)));
                } else if let Some(seconds) = self.setting.take() {
                    self.ahead_s = seconds - START - (now_ns / SECOND) as i64;
                }
                self.bytes[0x0b] = value;
            }
            0x0c | 0x0d => {}
            index => self.bytes[usize::from(index)] = value,
        }
        out.timers_changed = true;
    }

    /// A byte of plain storage, as firmware leaves it.
    pub fn store(&mut self, index: u8, value: u8) {
        self.bytes[usize::from(index & 0x7f)] = value;
    }

    fn seconds(&self, now_ns: u64) -> i64 {
        self.setting.unwrap_or(START + self.ahead_s + (now_ns / SECOND) as i64)
    }

    fn is_binary(&self) -> bool {
        self.bytes[0x0b] & B_BINARY != 0
    }

    fn encode(&self, value: u8) -> u8 {
        if self.is_binary() { value } else { ((value / 10) << 4) | (value % 10) }
    }

    fn decode(&self, value: u8) -> u8 {
        if self.is_binary() { value } else { (value >> 4) * 10 + (value & 0xf) }
    }

    fn field(&self, index: u8, now_ns: u64) -> u8 {
        let time = Time::of(self.seconds(now_ns));
        match index {
            0 => self.encode(time.second),
            2 => self.encode(time.minute),
            4 if self.bytes[0x0b] & B_24_HOURS != 0 => self.encode(time.hour),
            4 => self.encode((time.hour + 11) % 12 + 1) | if time.hour >= 12 { 0x80 } else { 0 },
            6 => self.encode(time.weekday),
            7 => self.encode(time.day),
            8 => self.encode(time.month),
            9 => self.encode((time.year % 100) as u8),
            _ => self.encode((time.year / 100) as u8),
        }
    }

    fn set_field(&mut self, index: u8, value: u8, now_ns: u64) {
        let before = self.seconds(now_ns);
        let mut time = Time::of(before);
        let number = self.decode(value);
        match index {
            0 => time.second = number.min(59),
            2 => time.minute = number.min(59),
            4 if self.bytes[0x0b] & B_24_HOURS != 0 => time.hour = number.min(23),
            4 => time.hour = self.decode(value & 0x7f) % 12 + if value & 0x80 != 0 { 12 } else { 0 },
            // The day of the week follows from the date.
            6 => {}
            7 => time.day = number.clamp(1, 31),
            8 => time.month = number.clamp(1, 12),
            9 => time.year = time.year / 100 * 100 + i64::from(number.min(99)),
            _ => time.year = time.year % 100 + 100 * i64::from(number.clamp(19, 22)),
        }
        let after = time.seconds();
        match &mut self.setting {
            Some(seconds) => *seconds = after,
            None => self.ahead_s += after - before,
        }
    }

    /// Length of the periodic interrupt's period; None: off.
    fn period_ns(&self) -> Option<u64> {
        let rate = match self.bytes[0x0a] & 0xf {
            0 => return None,
            rate @ 1..=2 => rate + 7,
            rate => rate,
        };
        Some((SECOND << (rate - 1)).div_ceil(32_768))
    }

    /// When one of the interrupts that are enabled can come next.
    pub fn deadline_ns(&self) -> Option<u64> {
        let enabled = self.bytes[0x0b];
        let after = |period: u64| (self.seen_ns / period + 1) * period;
        let periodic = self.period_ns().filter(|_| enabled & PERIODIC != 0).map(after);
        let second = (enabled & (UPDATE | ALARM) != 0 && self.setting.is_none()).then(|| after(SECOND));
        periodic.into_iter().chain(second).min()
    }

    /// Time went on: sets the flags of register C, and the line where their interrupt is enabled.
    pub fn tick(&mut self, now_ns: u64, irq: &mut Irq, out: &mut Outbox) {
        let before = std::mem::replace(&mut self.seen_ns, now_ns);
        let crossed = |period: u64| before / period != now_ns / period;
        let mut flags = 0;
        if self.period_ns().is_some_and(crossed) {
            flags |= PERIODIC;
        }
        if crossed(SECOND) && self.setting.is_none() {
            flags |= UPDATE;
            let matches = |alarm: u8, field| {
                let wanted = self.bytes[usize::from(alarm)];
                wanted & ANY == ANY || wanted == self.field(field, now_ns)
            };
            if matches(1, 0) && matches(3, 2) && matches(5, 4) {
                flags |= ALARM;
            }
        }
        self.bytes[0x0c] |= flags;
        if self.bytes[0x0c] & self.bytes[0x0b] & (UPDATE | ALARM | PERIODIC) != 0 {
            self.bytes[0x0c] |= C_IRQ;
            irq.set_line(IRQ_LINE, true, out);
        }
    }

    /// Registers in a fixed order, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        put(u64::from(self.index));
        self.bytes.iter().for_each(|&byte| put(byte.into()));
        put(self.ahead_s as u64);
        put(self.setting.map_or(u64::MAX, |seconds| seconds as u64));
        put(self.seen_ns);
    }
}

/// A date of the Gregorian calendar and a time.
struct Time {
    year: i64,
    month: u8,
    day: u8,
    /// 1 Sunday to 7 Saturday.
    weekday: u8,
    hour: u8,
    minute: u8,
    second: u8,
}

/// Days before each month of a year that begins in March, so that the leap day comes last.
const MARCH_DAYS: [i64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];

impl Time {
    /// From seconds since 1970.
    fn of(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Days since 1 March of the year 0, in eras of 400 years.
        let since = days + 719_468;
        let (era, day) = (since.div_euclid(146_097), since.rem_euclid(146_097));
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let index = MARCH_DAYS.iter().rposition(|&before| before <= day).unwrap_or(0);
        let month = (index as u8 + 2) % 12 + 1;
        Self {
            year: era * 400 + year + i64::from(month < 3),
            month,
            day: (day - MARCH_DAYS[index] + 1) as u8,
            weekday: (days + 4).rem_euclid(7) as u8 + 1,
            hour: (rest / 3600) as u8,
            minute: (rest / 60 % 60) as u8,
            second: (rest % 60) as u8,
        }
    }

    /// Seconds since 1970. A day that the month lacks is one of the next month.
    fn seconds(&self) -> i64 {
        let index = (usize::from(self.month) + 9) % 12;
        let year = self.year - i64::from(self.month < 3);
        let (era, in_era) = (year.div_euclid(400), year.rem_euclid(400));
        let days = in_era * 365 + in_era / 4 - in_era / 100 + MARCH_DAYS[index] + i64::from(self.day) - 1;
        let days = era * 146_097 + days - 719_468;
        days * 86_400 + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cmos: &mut Cmos, index: u8, now_ns: u64) -> u8 {
        let (mut irq, mut out) = (Irq::default(), Outbox::default());
        cmos.write(0x70, index, now_ns, &mut irq, &mut out);
        cmos.read(0x71, now_ns, &mut irq, &mut out)
    }

    fn write(cmos: &mut Cmos, index: u8, value: u8) {
        let (mut irq, mut out) = (Irq::default(), Outbox::default());
        cmos.write(0x70, index, 0, &mut irq, &mut out);
        cmos.write(0x71, value, 0, &mut irq, &mut out);
    }

    /// Goal: dates are the calendar's; method: known days there, and each day of 800 years there and back.
    #[test]
    fn calendar() {
        let date = |seconds| {
            let time = Time::of(seconds);
            (time.year, time.month, time.day, time.weekday)
        };
        assert_eq!(date(0), (1970, 1, 1, 5));
        assert_eq!(date(951_782_400), (2000, 2, 29, 3));
        assert_eq!(date(START), (2026, 1, 1, 5));
        for day in -146_097..146_097 {
            assert_eq!(Time::of(day * 86_400 + 77).seconds(), day * 86_400 + 77);
        }
    }

    /// Goal: the clock begins at its date, goes on, and can be set; method: BCD and binary, before and after a second.
    #[test]
    fn clock() {
        let mut cmos = Cmos::default();
        let fields = |cmos: &mut Cmos, now| [0x32, 9, 8, 7, 4, 2, 0].map(|index| read(cmos, index, now));
        assert_eq!(fields(&mut cmos, 0), [0x20, 0x26, 1, 1, 0, 0, 0]);
        assert_eq!(fields(&mut cmos, 3661 * SECOND), [0x20, 0x26, 1, 1, 1, 1, 1]);
        write(&mut cmos, 0x0b, B_SET | B_24_HOURS);
        for (index, value) in [(4, 0x23), (2, 0x59), (0, 0x58), (7, 0x31), (8, 0x12)] {
            write(&mut cmos, index, value);
        }
        write(&mut cmos, 0x0b, B_24_HOURS | B_BINARY);
        assert_eq!(fields(&mut cmos, SECOND), [20, 26, 12, 31, 23, 59, 59]);
        assert_eq!(fields(&mut cmos, 2 * SECOND), [20, 27, 1, 1, 0, 0, 0]);
    }

    /// Goal: periodic and update interrupts come when they are due and end as register C is read; method: both enabled.
    #[test]
    fn interrupts() {
        let (mut cmos, mut irq, mut out) = (Cmos::default(), Irq::default(), Outbox::default());
        irq.pic.initialize(0, 0);
        assert_eq!(cmos.deadline_ns(), None);
        write(&mut cmos, 0x0b, PERIODIC | UPDATE | B_24_HOURS);
        assert_eq!(cmos.deadline_ns(), Some(976_563));
        cmos.tick(976_563, &mut irq, &mut out);
        assert_eq!(irq.pic.request(), Some(0x70));
        cmos.write(0x70, 0x0c, 0, &mut irq, &mut out);
        assert_eq!(cmos.read(0x71, 976_563, &mut irq, &mut out), C_IRQ | PERIODIC);
        assert_eq!(irq.pic.request(), None);
        cmos.tick(SECOND, &mut irq, &mut out);
        assert_eq!(cmos.read(0x71, SECOND, &mut irq, &mut out), C_IRQ | PERIODIC | UPDATE);
    }
}

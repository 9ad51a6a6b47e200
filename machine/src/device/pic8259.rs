//! The pair of 8259A interrupt controllers: 15 ISA lines, the second controller on input 2 of the first (Intel 8259A data
//! sheet; ports and the edge/level registers 4D0h and 4D1h as in PC chipset data sheets).
//!
//! Its output goes to LINT0 of the local APICs; [`crate::bus::routing`] brings it there.

use super::lapic::lint::Wire;

/// ICW1: an initialization begins.
const ICW1: u8 = 1 << 4;
/// ICW1: a fourth word follows.
const ICW1_NEEDS_ICW4: u8 = 1 << 0;
/// ICW1: no second controller, so no third word.
const ICW1_SINGLE: u8 = 1 << 1;
/// ICW4: the interrupt ends as it is acknowledged.
const ICW4_AUTO_EOI: u8 = 1 << 1;
/// ICW4: special fully nested mode: the second controller may interrupt itself through the first.
const ICW4_NESTED: u8 = 1 << 4;
/// OCW3 instead of OCW2.
const OCW3: u8 = 1 << 3;
/// OCW3: the next read acknowledges.
const OCW3_POLL: u8 = 1 << 2;
/// Input of the first controller that the second one drives.
const CASCADE: u8 = 2;

/// One controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Chip {
    /// Requests.
    irr: u8,
    /// In service.
    isr: u8,
    /// Masked.
    imr: u8,
    /// Input lines as they are.
    lines: u8,
    /// Inputs that are level-triggered, by 4D0h or 4D1h.
    level: u8,
    /// Vector of input 0.
    base: u8,
    /// Which of ICW2 to ICW4 comes next at the odd port: 0 none.
    expects: u8,
    icw1: u8,
    icw4: u8,
    /// Reads of the even port give ISR, not IRR.
    read_isr: bool,
    /// The next read acknowledges.
    poll: bool,
    /// Special mask mode: only the very inputs in service are held back.
    special_mask: bool,
    /// An automatic end of interrupt rotates.
    rotate_on_auto: bool,
    /// The input of lowest priority.
    lowest: u8,
    /// It was initialized: before that it asks for nothing.
    ready: bool,
}

impl Chip {
    /// Place in the order of priority, 0 first.
    fn rank(&self, input: u8) -> u8 {
        input.wrapping_sub(self.lowest + 1) & 7
    }

    fn first_of(&self, set: u8) -> Option<u8> {
        (0..8).map(|rank| (self.lowest + 1 + rank) & 7).find(|input| set & 1 << input != 0)
    }

    /// The input that it asks to be served.
    fn request(&self, is_first: bool) -> Option<u8> {
        if !self.ready {
            return None;
        }
        let input = self.first_of(self.irr & !self.imr)?;
        let mut busy = self.isr;
        if self.special_mask {
            busy &= !self.imr;
        }
        if is_first && self.icw4 & ICW4_NESTED != 0 {
            busy &= !(1 << CASCADE);
        }
        let held = self.first_of(busy).is_some_and(|busy| self.rank(busy) <= self.rank(input));
        (!held).then_some(input)
    }

    fn is_level(&self, input: u8) -> bool {
        self.level & 1 << input != 0 || self.icw1 & 1 << 3 != 0
    }

    fn set_line(&mut self, input: u8, high: bool) {
        let bit = 1 << input;
        let rising = high && self.lines & bit == 0;
        self.lines = if high { self.lines | bit } else { self.lines & !bit };
        if rising {
            self.irr |= bit;
        } else if !high {
            // The request must stay until it is acknowledged; one that goes away is forgotten.
            self.irr &= !bit;
        }
    }

    fn acknowledge(&mut self, input: u8) {
        let bit = 1 << input;
        if !self.is_level(input) {
            self.irr &= !bit;
        }
        if self.icw4 & ICW4_AUTO_EOI == 0 {
            self.isr |= bit;
        } else if self.rotate_on_auto {
            self.lowest = input;
        }
    }

    fn write_even(&mut self, value: u8) {
        if value & ICW1 != 0 {
            *self =
                Self { lines: self.lines, level: self.level, lowest: 7, icw1: value, expects: 2, ..Self::default() };
        } else if value & OCW3 != 0 {
            self.poll = value & OCW3_POLL != 0;
            match value & 3 {
                2 => self.read_isr = false,
                3 => self.read_isr = true,
                _ => {}
            }
            match value >> 5 & 3 {
                2 => self.special_mask = false,
                3 => self.special_mask = true,
                _ => {}
            }
        } else {
            self.end_of_interrupt(value >> 5, value & 7);
        }
    }

    /// OCW2: rotate, specific, end of interrupt.
    fn end_of_interrupt(&mut self, command: u8, named: u8) {
        let input = match command {
            0b011 | 0b111 => Some(named),
            0b001 | 0b101 => self.first_of(self.isr & if self.special_mask { !self.imr } else { 0xff }),
            0b110 => {
                self.lowest = named;
                return;
            }
            0b100 | 0b000 => {
                self.rotate_on_auto = command == 0b100;
                return;
            }
            _ => None,
        };
        let Some(input) = input else { return };
        self.isr &= !(1 << input);
        if self.is_level(input) && self.lines & 1 << input != 0 {
            self.irr |= 1 << input;
        }
        if command & 0b100 != 0 {
            self.lowest = input;
        }
    }

    fn write_odd(&mut self, value: u8) {
        match self.expects {
            2 => {
                self.base = value & 0xf8;
                self.expects = match self.icw1 {
                    icw1 if icw1 & ICW1_SINGLE == 0 => 3,
                    icw1 if icw1 & ICW1_NEEDS_ICW4 != 0 => 4,
                    _ => 0,
                };
                self.ready = self.expects == 0;
            }
            3 => {
                self.expects = if self.icw1 & ICW1_NEEDS_ICW4 != 0 { 4 } else { 0 };
                self.ready = self.expects == 0;
            }
            4 => {
                self.icw4 = value;
                self.expects = 0;
                self.ready = true;
            }
            _ => self.imr = value,
        }
    }

    fn state(&self, mut put: impl FnMut(u64)) {
        let Self { irr, isr, imr, lines, level, base, expects, icw1, icw4, lowest, .. } = *self;
        put(u64::from_le_bytes([irr, isr, imr, lines, level, base, expects, icw1]));
        let flags = [self.read_isr, self.poll, self.special_mask, self.rotate_on_auto, self.ready].map(u8::from);
        let [a, b, c, d, e] = flags;
        put(u64::from_le_bytes([icw4, lowest, a, b, c, d, e, 0]));
    }
}

/// Both controllers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pic {
    first: Chip,
    second: Chip,
    /// The output when it was last looked at.
    output: bool,
    /// It went down since then, to ask for the next request, if there is one.
    acknowledged: bool,
}

/// The pair's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Output {
    /// The wire at it.
    pub wire: Wire,
    /// What an acknowledge cycle would bring now: the spurious vector where nothing is requested.
    pub vector: u8,
}

impl Pic {
    /// As a PC's firmware leaves it: vectors 08h and 70h; masked where the bit is set.
    pub fn initialize(&mut self, first_mask: u8, second_mask: u8) {
        for (port, base, wiring) in [(0x20, 0x08, 1 << CASCADE), (0xa0, 0x70, CASCADE)] {
            self.write(port, ICW1 | ICW1_NEEDS_ICW4);
            for word in [base, wiring, 1] {
                self.write(port + 1, word);
            }
        }
        self.write(0x21, first_mask);
        self.write(0xa1, second_mask);
    }

    /// A line changes. True: the output may have changed too.
    pub fn set_line(&mut self, line: u8, high: bool) -> bool {
        let chip = if line < 8 { &mut self.first } else { &mut self.second };
        let before = chip.irr;
        chip.set_line(line & 7, high);
        let changed = chip.irr != before;
        self.cascade();
        changed
    }

    /// The vector that an acknowledge cycle would bring now; None: the output is low.
    pub fn request(&self) -> Option<u8> {
        let input = self.first.request(true)?;
        if input == CASCADE {
            // Where the second one has taken its request back, its input 7 is what it gives.
            return Some(self.second.base | self.second.request(false).unwrap_or(7));
        }
        Some(self.first.base | input)
    }

    /// The output, and what it did since the last look. Each acknowledge cycle takes it down.
    pub fn look_at_output(&mut self) -> Output {
        let request = self.request();
        let (high, pulsed) = (request.is_some(), std::mem::take(&mut self.acknowledged));
        let was_high = std::mem::replace(&mut self.output, high);
        let wire = Wire { high, rose: high && (!was_high || pulsed), fell: was_high && (!high || pulsed) };
        Output { wire, vector: request.unwrap_or(self.first.base | 7) }
    }

    /// An acknowledge cycle: the vector. A request that has gone away gives that of input 7, with nothing in service.
    pub fn acknowledge(&mut self) -> u8 {
        self.acknowledged = true;
        let vector = match self.first.request(true) {
            Some(CASCADE) => {
                self.first.acknowledge(CASCADE);
                match self.second.request(false) {
                    Some(input) => {
                        self.second.acknowledge(input);
                        self.second.base | input
                    }
                    None => self.second.base | 7,
                }
            }
            Some(input) => {
                self.first.acknowledge(input);
                self.first.base | input
            }
            None => self.first.base | 7,
        };
        self.cascade();
        vector
    }

    /// The second controller's output is the first one's input 2.
    fn cascade(&mut self) {
        let high = self.second.request(false).is_some();
        if high {
            // Between two of its requests the line goes down: each is an edge.
            self.first.irr |= 1 << CASCADE;
        } else {
            self.first.irr &= !(1 << CASCADE);
        }
    }

    /// IN from 20h, 21h, A0h, A1h, 4D0h, 4D1h.
    pub fn read(&mut self, port: u16) -> u8 {
        let is_first = matches!(port, 0x20 | 0x21 | 0x4d0);
        let chip = if is_first { &mut self.first } else { &mut self.second };
        if port >= 0x4d0 {
            return chip.level;
        }
        if std::mem::take(&mut chip.poll) {
            let value = match chip.request(is_first) {
                Some(input) => {
                    chip.acknowledge(input);
                    self.acknowledged = true;
                    1 << 7 | input
                }
                None => 0,
            };
            self.cascade();
            return value;
        }
        match port & 1 {
            0 if chip.read_isr => chip.isr,
            0 => chip.irr,
            _ => chip.imr,
        }
    }

    /// OUT to the same ports. The lines that ISA fixes as edges (0, 1, 2, 8, 13) stay so.
    pub fn write(&mut self, port: u16, value: u8) {
        match port {
            0x20 => self.first.write_even(value),
            0x21 => self.first.write_odd(value),
            0xa0 => self.second.write_even(value),
            0xa1 => self.second.write_odd(value),
            0x4d0 => self.first.level = value & 0xf8,
            _ => self.second.level = value & 0xde,
        }
        self.cascade();
    }

    /// Registers in a fixed order, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        self.first.state(&mut put);
        self.second.state(&mut put);
        put(u64::from(self.output) | u64::from(self.acknowledged) << 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready() -> Pic {
        let mut pic = Pic::default();
        pic.initialize(0, 0);
        pic
    }

    /// Goal: before ICW1 nothing comes out, after it vectors as firmware sets them; method: line 4 in both.
    #[test]
    fn initialization() {
        let mut pic = Pic::default();
        pic.set_line(4, true);
        assert_eq!(pic.request(), None);
        let mut pic = ready();
        pic.set_line(4, true);
        assert_eq!((pic.request(), pic.acknowledge()), (Some(0x0c), 0x0c));
    }

    /// Goal: lower inputs first, the one in service holds back the rest until EOI; method: lines 1, 3 and 10.
    #[test]
    fn priorities() {
        let mut pic = ready();
        assert_eq!([3, 10, 1].map(|line| pic.set_line(line, true)), [true; 3]);
        assert_eq!(pic.acknowledge(), 0x09);
        assert_eq!(pic.request(), None);
        pic.write(0x20, 0x20);
        assert_eq!(pic.acknowledge(), 0x72);
        pic.write(0xa0, 0x20);
        assert_eq!(pic.request(), None, "the cascade is still in service");
        pic.write(0x20, 0x20);
        assert_eq!(pic.acknowledge(), 0x0b);
    }

    /// Goal: a masked line waits, and one that goes away is spurious; method: mask, unmask, drop the line before the cycle.
    #[test]
    fn mask_and_spurious() {
        let mut pic = ready();
        pic.write(0x21, 0x10);
        pic.set_line(4, true);
        assert_eq!(pic.request(), None);
        pic.write(0x21, 0);
        assert_eq!(pic.request(), Some(0x0c));
        pic.set_line(4, false);
        assert_eq!(pic.acknowledge(), 0x0f);
        pic.write(0x20, 0x0b);
        assert_eq!(pic.read(0x20), 0, "nothing is in service");
    }
}

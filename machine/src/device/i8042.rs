//! The keyboard controller and a keyboard that answers commands (IBM PS/2 Technical Reference, "Keyboard and Auxiliary
//! Device Controller"): self tests, configuration and the controller's memory, reset, the A20 gate's bit, and of the keyboard
//! all commands of a PS/2 keyboard. ISA line 1. There is no second device. What is typed comes by [`keys`], in set 2; to set 1 it is
//! translated where the configuration asks for it or the keyboard was told to use that set. Set 3 is set 2 (docs/QUIRKS.md).
//!
//! The A20 gate is always open, as firmware leaves it; its bit is kept and reads back (docs/QUIRKS.md).

mod keys;

use super::irq::Irq;
use crate::bus::Outbox;
use keys::Keys;
use std::collections::VecDeque;

/// Status: output buffer full.
const OUTPUT_FULL: u8 = 1 << 0;
/// Status: system flag, set after a self test; the configuration's bit of the same place.
const SYSTEM_FLAG: u8 = 1 << 2;
/// Status: the byte written last was a command, at port 64h.
const WAS_COMMAND: u8 = 1 << 3;
/// Status: no keylock.
const NOT_LOCKED: u8 = 1 << 4;
/// Status: the answer is from the second device's side.
const FROM_AUXILIARY: u8 = 1 << 5;
/// Configuration: keyboard interrupt.
const CONFIG_INTERRUPT: u8 = 1 << 0;
/// Configuration: the keyboard's clock is held, it neither hears nor speaks.
const CONFIG_DISABLED: u8 = 1 << 4;
/// Configuration: the second device's clock is held.
const CONFIG_NO_AUXILIARY: u8 = 1 << 5;
/// Configuration: scan codes are translated to set 1.
const CONFIG_TRANSLATE: u8 = 1 << 6;
/// Input port: no keylock, the jumpers of a PC.
const INPUT_PORT: u8 = 0xa0;
/// Bytes of the controller's memory; the first is the configuration.
const MEMORY: usize = 32;
/// Output port: reset line high, A20 open.
const OUTPUT_PORT: u8 = 0b11;
/// The ISA line.
const IRQ_LINE: u8 = 1;
/// The keyboard's answers: acknowledge, self test passed.
const ACK: u8 = 0xfa;
const KEYBOARD_OK: u8 = 0xaa;
/// The keyboard: send that again.
const RESEND: u8 = 0xfe;
/// Its answer to "who are you": a keyboard with scan codes of PS/2.
const IDENTITY: [u8; 2] = [0xab, 0x83];
/// Bytes that wait at most; more is what no command asks for.
const MOST_WAITING: usize = 16;

/// Its registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct I8042 {
    /// Bytes that wait at port 60h, and whether from the second device's side.
    output: VecDeque<(u8, bool)>,
    /// The controller's memory: configuration, and 31 bytes that mean nothing.
    memory: [u8; MEMORY],
    output_port: u8,
    /// The byte written last was a command.
    was_command: bool,
    /// The controller's command that the next byte at port 60h belongs to.
    command: u8,
    /// The keyboard's command that waits for its parameter.
    keyboard_command: u8,
    /// The set of scan codes that the keyboard was told to use, 1 to 3.
    scan_codes: u8,
    /// What it said last, to be said again.
    said: u8,
    /// What was typed and is not sent yet.
    keys: Keys,
}

impl Default for I8042 {
    fn default() -> Self {
        let mut memory = [0; MEMORY];
        memory[0] = SYSTEM_FLAG;
        Self {
            output: VecDeque::new(),
            memory,
            output_port: OUTPUT_PORT,
            was_command: false,
            command: 0,
            keyboard_command: 0,
            scan_codes: 2,
            said: ACK,
            keys: Keys::default(),
        }
    }
}

impl I8042 {
    /// Port 60h: data, port 64h: status.
    pub fn read(&mut self, port: u16, irq: &mut Irq, out: &mut Outbox) -> u8 {
        if port == 0x64 {
            let waiting = match self.output.front() {
                None => 0,
                Some((_, false)) => OUTPUT_FULL,
                Some((_, true)) => OUTPUT_FULL | FROM_AUXILIARY,
            };
            return waiting
                | self.memory[0] & SYSTEM_FLAG
                | NOT_LOCKED
                | if self.was_command { WAS_COMMAND } else { 0 };
        }
        let (byte, _) = self.output.pop_front().unwrap_or_default();
        irq.set_line(IRQ_LINE, false, out);
        self.take_key();
        self.update_line(irq, out);
        byte
    }

    /// Keys are pressed and released: scan codes of set 2, as the keyboard sends them.
    pub fn press(&mut self, codes: &[u8], irq: &mut Irq, out: &mut Outbox) {
        self.keys.press(codes);
        self.take_key();
        self.update_line(irq, out);
    }

    /// Takes the next byte from the keyboard, where there is room for it and its clock is not held.
    fn take_key(&mut self) {
        if self.output.is_empty() && self.memory[0] & CONFIG_DISABLED == 0 {
            let set_1 = self.memory[0] & CONFIG_TRANSLATE != 0 || self.scan_codes == 1;
            self.output.extend(self.keys.next(set_1).map(|byte| (byte, false)));
        }
    }

    /// Port 64h: commands, port 60h: their parameters, or bytes for the keyboard. True: it pulls the reset line.
    pub fn write(&mut self, port: u16, value: u8, irq: &mut Irq, out: &mut Outbox) -> bool {
        let mut reset = false;
        self.was_command = port == 0x64;
        if port == 0x64 {
            self.command = 0;
            match value {
                0x20..=0x3f => self.answer(&[self.memory[usize::from(value & 0x1f)]]),
                0x60..=0x7f | 0xd1..=0xd4 => self.command = value,
                // The second device, switched off and on, and the keyboard.
                0xa7 => self.memory[0] |= CONFIG_NO_AUXILIARY,
                0xa8 => self.memory[0] &= !CONFIG_NO_AUXILIARY,
                0xad => self.memory[0] |= CONFIG_DISABLED,
                0xae => self.memory[0] &= !CONFIG_DISABLED,
                0xaa => {
                    self.memory[0] |= SYSTEM_FLAG;
                    self.answer(&[0x55]);
                }
                // Tests of the two connectors: nothing is wrong with the first, the second leads nowhere.
                0xab => self.answer(&[0]),
                0xa9 => self.answer(&[1]),
                0xc0 => self.answer(&[INPUT_PORT]),
                // The output port with its interrupt lines: 1 and 12 are asserted while something waits.
                0xd0 => {
                    let waits = if self.output.is_empty() { 0 } else { 1 << 4 };
                    self.answer(&[self.output_port & 0b11 | waits]);
                }
                // Test inputs: both clock lines are low where the clock is held.
                0xe0 => self.answer(&[if self.memory[0] & CONFIG_DISABLED != 0 { 0 } else { 1 }]),
                0xdd => self.output_port &= !0b10,
                0xdf => self.output_port |= 0b10,
                // Pulse output lines: those whose bits are clear, of which bit 0 is reset.
                0xf0..=0xff => reset = value & 1 == 0,
                _ => {}
            }
        } else {
            match std::mem::take(&mut self.command) {
                command @ 0x60..=0x7f => self.memory[usize::from(command & 0x1f)] = value,
                0xd1 => {
                    reset = value & 1 == 0;
                    self.output_port = value | 1;
                }
                0xd2 => self.answer(&[value]),
                0xd3 if self.output.len() < MOST_WAITING => self.output.push_back((value, true)),
                // Nobody hears what is sent to the second device: the controller says that it timed out.
                0xd3 | 0xd4 => self.output.extend((self.output.len() < MOST_WAITING).then_some((RESEND, true))),
                // A byte for the keyboard switches it on.
                _ => {
                    self.memory[0] &= !CONFIG_DISABLED;
                    self.keyboard(value);
                }
            }
        }
        self.take_key();
        self.update_line(irq, out);
        reset
    }

    /// A byte for the keyboard.
    fn keyboard(&mut self, value: u8) {
        // A byte with bit 7 set is a command in any case; lamps, rates, sets and keys are below.
        match std::mem::take(&mut self.keyboard_command) {
            // Which set of scan codes is in use, or use this one.
            0xf0 if value == 0 => return self.say(&[ACK, self.scan_codes]),
            0xf0 if value <= 3 => {
                self.scan_codes = value;
                return self.say(&[ACK]);
            }
            0xed | 0xf3 if value < 0x80 => return self.say(&[ACK]),
            // Keys of set 3 one by one, until a command comes.
            command @ 0xfb..=0xfd if value < 0x80 => {
                self.keyboard_command = command;
                return self.say(&[ACK]);
            }
            _ => {}
        }
        match value {
            0xed | 0xf0 | 0xf3 | 0xfb..=0xfd => {
                self.keyboard_command = value;
                self.say(&[ACK]);
            }
            // Echo.
            0xee => self.say(&[0xee]),
            0xf2 => self.say(&[&[ACK], &IDENTITY[..]].concat()),
            0xf4 => {
                self.keys.silent = false;
                self.say(&[ACK]);
            }
            // Defaults, with scanning off or on.
            0xf5 | 0xf6 => {
                self.scan_codes = 2;
                self.keys.silent = value == 0xf5;
                self.say(&[ACK]);
            }
            // All keys of set 3 in one way.
            0xf7..=0xfa => self.say(&[ACK]),
            // Again.
            0xfe => self.answer(&[self.said]),
            0xff => {
                self.scan_codes = 2;
                self.keys.reset();
                self.say(&[ACK, KEYBOARD_OK]);
            }
            _ => self.answer(&[RESEND]),
        }
    }

    /// The keyboard answers, and remembers what it said last.
    fn say(&mut self, bytes: &[u8]) {
        self.said = bytes.last().copied().unwrap_or(ACK);
        self.answer(bytes);
    }

    fn answer(&mut self, bytes: &[u8]) {
        if self.output.len() + bytes.len() <= MOST_WAITING {
            self.output.extend(bytes.iter().map(|&byte| (byte, false)));
        }
    }

    fn update_line(&mut self, irq: &mut Irq, out: &mut Outbox) {
        let waits = self.output.front().is_some_and(|&(_, from_auxiliary)| !from_auxiliary);
        irq.set_line(IRQ_LINE, self.memory[0] & CONFIG_INTERRUPT != 0 && waits, out);
    }

    /// Port 92h: the A20 bit, and a reset where bit 0 is set.
    pub fn read_port92(&self) -> u8 {
        self.output_port & 0b10
    }

    /// A write of port 92h. True: reset.
    pub fn write_port92(&mut self, value: u8) -> bool {
        self.output_port = self.output_port & !0b10 | value & 0b10;
        value & 1 != 0
    }

    /// Registers for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        let Self { output, memory, output_port, was_command, command, keyboard_command, scan_codes, said, keys } = self;
        let bytes = [*output_port, (*was_command).into(), *command, *keyboard_command, *scan_codes, *said, 0, 0];
        put(u64::from_le_bytes(bytes));
        memory.iter().for_each(|&byte| put(byte.into()));
        put(output.len() as u64);
        output.iter().for_each(|&(byte, from_auxiliary)| put(u64::from(byte) | u64::from(from_auxiliary) << 8));
        keys.state(put);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what kernels ask as they start is answered; method: self test, configuration, keyboard reset with interrupt.
    #[test]
    fn answers() {
        let (mut kbd, mut irq, mut out) = (I8042::default(), Irq::default(), Outbox::default());
        irq.pic.initialize(0, 0);
        let mut write = |kbd: &mut I8042, irq: &mut Irq, port, value| kbd.write(port, value, irq, &mut out);
        assert!(!write(&mut kbd, &mut irq, 0x64, 0xaa));
        assert_eq!(kbd.read(0x60, &mut irq, &mut Outbox::default()), 0x55);
        write(&mut kbd, &mut irq, 0x64, 0x60);
        write(&mut kbd, &mut irq, 0x60, CONFIG_INTERRUPT);
        write(&mut kbd, &mut irq, 0x60, 0xff);
        assert_eq!(irq.pic.request(), Some(0x09));
        let read = [0; 3].map(|_| kbd.read(0x60, &mut irq, &mut Outbox::default()));
        assert_eq!((read, irq.pic.request()), ([ACK, KEYBOARD_OK, 0], None));
    }

    /// A controller with nothing to be interrupted, and what comes out of it for what goes in.
    struct Bench(I8042, Irq, Outbox);

    impl Bench {
        fn new() -> Self {
            Self(I8042::default(), Irq::default(), Outbox::default())
        }

        /// Writes to these ports, then reads all that waits.
        fn ask(&mut self, writes: &[(u16, u8)]) -> Vec<u8> {
            for &(port, value) in writes {
                self.0.write(port, value, &mut self.1, &mut self.2);
            }
            let mut said = Vec::new();
            while self.status() & OUTPUT_FULL != 0 {
                said.push(self.0.read(0x60, &mut self.1, &mut self.2));
            }
            said
        }

        fn status(&mut self) -> u8 {
            self.0.read(0x64, &mut self.1, &mut self.2)
        }
    }

    /// Goal: the keyboard answers every command of the PS/2 keyboard; method: each, with good and bad parameters.
    #[test]
    fn keyboard_commands() {
        let mut bench = Bench::new();
        let mut say = |bytes: &[u8]| bench.ask(&bytes.iter().map(|&byte| (0x60, byte)).collect::<Vec<_>>());
        assert_eq!(say(&[0xed, 7]), [ACK, ACK]);
        assert_eq!(say(&[0xee]), [0xee]);
        assert_eq!(say(&[0xf0, 0]), [ACK, ACK, 2]);
        assert_eq!(say(&[0xf0, 1, 0xf0, 0]), [ACK, ACK, ACK, ACK, 1]);
        assert_eq!(say(&[0xf0, 4]), [ACK, RESEND]);
        assert_eq!(say(&[0xf6, 0xf0, 0]), [ACK, ACK, ACK, 2]);
        assert_eq!(say(&[0xf2]), [ACK, 0xab, 0x83]);
        assert_eq!(say(&[0xfe]), [0x83], "the last byte once more");
        assert_eq!(say(&[0xf3, 0x20, 0xf4, 0xf5, 0xf8]), [ACK; 5]);
        assert_eq!(say(&[0xfc, 0x1c, 0x32, 0xf4]), [ACK; 4]);
        assert_eq!(say(&[0xed, 0xf4]), [ACK, ACK], "a command instead of lamps");
        assert_eq!(say(&[0x55]), [RESEND]);
        assert_eq!(say(&[0xff]), [ACK, KEYBOARD_OK]);
    }

    /// Goal: the controller's own commands, and its status; method: memory, both devices off and on, ports, a byte put where the
    /// second device's would be.
    #[test]
    fn controller_commands() {
        let mut bench = Bench::new();
        assert_eq!(bench.status(), NOT_LOCKED | SYSTEM_FLAG);
        assert_eq!(bench.ask(&[(0x64, 0x7f), (0x60, 0x5a), (0x64, 0x3f)]), [0x5a]);
        assert_eq!(bench.status() & WAS_COMMAND, WAS_COMMAND);
        assert_eq!(bench.ask(&[(0x64, 0xad), (0x64, 0xa7), (0x64, 0x20)]), [0x34]);
        assert_eq!(bench.ask(&[(0x64, 0xe0)]), [0]);
        assert_eq!(
            bench.ask(&[(0x64, 0xa8), (0x60, 0xee), (0x64, 0x20)]),
            [0xee, 0x04],
            "a byte for the keyboard enables it"
        );
        assert_eq!(bench.ask(&[(0x64, 0xc0)]), [INPUT_PORT]);
        assert_eq!(bench.ask(&[(0x64, 0xd0)]), [OUTPUT_PORT]);
        assert_eq!(bench.ask(&[(0x64, 0xab), (0x64, 0xa9)]), [0, 1]);
        bench.0.write(0x64, 0xd3, &mut bench.1, &mut bench.2);
        bench.0.write(0x60, 0x99, &mut bench.1, &mut bench.2);
        assert_eq!(bench.status() & (OUTPUT_FULL | FROM_AUXILIARY), OUTPUT_FULL | FROM_AUXILIARY);
        assert_eq!(bench.ask(&[(0x64, 0xd4), (0x60, 0xff)]), [0x99, RESEND]);
        assert_eq!(bench.status() & WAS_COMMAND, 0);
    }

    /// Goal: a key comes as set 1 has it, one byte at a time with an interrupt each; not while the keyboard is off or silent. Method:
    /// A pressed and released, an arrow, with and without translation.
    #[test]
    fn keys() {
        let mut bench = Bench::new();
        bench.1.pic.initialize(0, 0);
        assert!(bench.ask(&[(0x64, 0x60), (0x60, CONFIG_INTERRUPT | CONFIG_TRANSLATE)]).is_empty());
        let press = |bench: &mut Bench, codes: &[u8]| bench.0.press(codes, &mut bench.1, &mut bench.2);
        press(&mut bench, &[0x1c, 0xf0, 0x1c, 0xe0, 0x75]);
        assert_eq!(bench.1.pic.request(), Some(0x09));
        assert_eq!(bench.ask(&[]), [0x1e, 0x9e, 0xe0, 0x48]);
        assert!(bench.ask(&[(0x64, 0xad)]).is_empty());
        press(&mut bench, &[0x1c]);
        assert!(bench.ask(&[]).is_empty());
        assert_eq!(bench.ask(&[(0x64, 0xae)]), [0x1e]);
        assert_eq!(bench.ask(&[(0x60, 0xf5)]), [ACK]);
        press(&mut bench, &[0x1c]);
        assert!(bench.ask(&[]).is_empty());
        assert_eq!(bench.ask(&[(0x60, 0xf4)]), [ACK, 0x1e]);
        assert!(bench.ask(&[(0x64, 0x60), (0x60, CONFIG_INTERRUPT)]).is_empty());
        press(&mut bench, &[0xf0, 0x1c]);
        assert_eq!(bench.ask(&[]), [0xf0, 0x1c]);
    }

    /// Goal: each way to pull reset does, and nothing else; method: pulses, output port, port 92h.
    #[test]
    fn reset_and_a20() {
        let (mut kbd, mut irq, mut out) = (I8042::default(), Irq::default(), Outbox::default());
        assert!(kbd.write(0x64, 0xfe, &mut irq, &mut out) && !kbd.write(0x64, 0xff, &mut irq, &mut out));
        kbd.write(0x64, 0xd1, &mut irq, &mut out);
        assert!(!kbd.write(0x60, 0x01, &mut irq, &mut out));
        assert_eq!(kbd.read_port92(), 0);
        assert!(!kbd.write_port92(0b10) && kbd.write_port92(0b11));
    }
}

//! The keyboard controller and a keyboard that answers commands (IBM PS/2 Technical Reference, "Keyboard and Auxiliary
//! Device Controller"): self tests, configuration, reset, the A20 gate's bit. ISA line 1. Nobody presses a key.
//!
//! The A20 gate is always open, as firmware leaves it; its bit is kept and reads back (docs/QUIRKS.md).

use super::irq::Irq;
use crate::bus::Outbox;
use std::collections::VecDeque;

/// Status: output buffer full.
const OUTPUT_FULL: u8 = 1 << 0;
/// Status: system flag, set after a self test.
const SYSTEM_FLAG: u8 = 1 << 2;
/// Configuration: keyboard interrupt.
const CONFIG_INTERRUPT: u8 = 1 << 0;
/// Output port: reset line high, A20 open.
const OUTPUT_PORT: u8 = 0b11;
/// The ISA line.
const IRQ_LINE: u8 = 1;
/// The keyboard's answers: acknowledge, self test passed.
const ACK: u8 = 0xfa;
const KEYBOARD_OK: u8 = 0xaa;
/// Bytes that wait at most; more is what no command asks for.
const MOST_WAITING: usize = 16;

/// Its registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct I8042 {
    output: VecDeque<u8>,
    config: u8,
    output_port: u8,
    /// The controller's command that the next byte at port 60h belongs to.
    command: u8,
    /// The keyboard's command that waits for its parameter.
    keyboard_command: u8,
}

impl Default for I8042 {
    fn default() -> Self {
        Self { output: VecDeque::new(), config: SYSTEM_FLAG, output_port: OUTPUT_PORT, command: 0, keyboard_command: 0 }
    }
}

impl I8042 {
    /// Port 60h: data, port 64h: status.
    pub fn read(&mut self, port: u16, irq: &mut Irq, out: &mut Outbox) -> u8 {
        if port == 0x64 {
            return SYSTEM_FLAG | if self.output.is_empty() { 0 } else { OUTPUT_FULL };
        }
        let byte = self.output.pop_front().unwrap_or(0);
        irq.set_line(IRQ_LINE, false, out);
        self.update_line(irq, out);
        byte
    }

    /// Port 64h: commands, port 60h: their parameters, or bytes for the keyboard. True: it pulls the reset line.
    pub fn write(&mut self, port: u16, value: u8, irq: &mut Irq, out: &mut Outbox) -> bool {
        let mut reset = false;
        if port == 0x64 {
            self.command = 0;
            match value {
                0x20 => self.answer(&[self.config]),
                0x60 | 0xd1 | 0xd2 => self.command = value,
                0xaa => self.answer(&[0x55]),
                // Tests of the two connectors: nothing is wrong with the first, the second leads nowhere.
                0xab => self.answer(&[0]),
                0xa9 => self.answer(&[1]),
                0xd0 => self.answer(&[self.output_port]),
                0xdd => self.output_port &= !0b10,
                0xdf => self.output_port |= 0b10,
                // Pulse output lines: those whose bits are clear, of which bit 0 is reset.
                0xf0..=0xff => reset = value & 1 == 0,
                _ => {}
            }
        } else {
            match std::mem::take(&mut self.command) {
                0x60 => self.config = value,
                0xd1 => {
                    reset = value & 1 == 0;
                    self.output_port = value | 1;
                }
                0xd2 => self.answer(&[value]),
                _ => self.keyboard(value),
            }
        }
        self.update_line(irq, out);
        reset
    }

    /// A byte for the keyboard.
    fn keyboard(&mut self, value: u8) {
        match std::mem::take(&mut self.keyboard_command) {
            // Which set of scan codes: 2.
            0xf0 if value == 0 => return self.answer(&[ACK, 2]),
            0xed | 0xf0 | 0xf3 => return self.answer(&[ACK]),
            _ => {}
        }
        match value {
            0xed | 0xf0 | 0xf3 => {
                self.keyboard_command = value;
                self.answer(&[ACK]);
            }
            0xee => self.answer(&[0xee]),
            0xf2 => self.answer(&[ACK, 0xab, 0x83]),
            0xf4..=0xf6 => self.answer(&[ACK]),
            0xff => self.answer(&[ACK, KEYBOARD_OK]),
            // Resend: it has nothing better to say.
            _ => self.answer(&[0xfe]),
        }
    }

    fn answer(&mut self, bytes: &[u8]) {
        if self.output.len() + bytes.len() <= MOST_WAITING {
            self.output.extend(bytes);
        }
    }

    fn update_line(&mut self, irq: &mut Irq, out: &mut Outbox) {
        irq.set_line(IRQ_LINE, self.config & CONFIG_INTERRUPT != 0 && !self.output.is_empty(), out);
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
        put(u64::from_le_bytes([self.config, self.output_port, self.command, self.keyboard_command, 0, 0, 0, 0]));
        put(self.output.len() as u64);
        self.output.iter().for_each(|&byte| put(byte.into()));
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

//! What the user typed and the machine has not got yet: at the console, as a terminal's bytes, and at the screen, as keys.

use protocol::request::Advance;

/// Input on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// For the serial port.
    pub serial: Vec<u8>,
    /// From the keyboard: scan codes of set 2.
    pub keys: Vec<u8>,
}

impl Typed {
    /// For the serial port.
    pub fn serial(bytes: impl Into<Vec<u8>>) -> Self {
        Self { serial: bytes.into(), keys: Vec::new() }
    }

    /// From the keyboard.
    pub fn keys(codes: impl Into<Vec<u8>>) -> Self {
        Self { serial: Vec::new(), keys: codes.into() }
    }

    /// Nothing.
    pub fn is_empty(&self) -> bool {
        self.serial.is_empty() && self.keys.is_empty()
    }

    /// What was typed after it.
    pub fn extend(&mut self, other: Self) {
        self.serial.extend(other.serial);
        self.keys.extend(other.keys);
    }

    /// Gives it to a run, before what the run has already.
    pub fn put_before(mut self, advance: &mut Advance) {
        self.serial.append(&mut advance.serial_input);
        self.keys.append(&mut advance.keys);
        (advance.serial_input, advance.keys) = (self.serial, self.keys);
    }
}

//! The keyboard controller as far as kernels use it without a keyboard: status, self test, pulse reset.

/// Command: controller self test; answers 55h.
const SELF_TEST: u8 = 0xaa;
/// Command: pulse output lines; bit 0 clear pulls reset.
const PULSE_RESET: u8 = 0xfe;
/// Status: output buffer full.
const OUTPUT_FULL: u8 = 1 << 0;
/// Status: system flag, set after a self test.
const SYSTEM_FLAG: u8 = 1 << 2;

/// Its registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct I8042 {
    output: Option<u8>,
}

impl I8042 {
    /// Port 60h: data, port 64h: status.
    pub fn read(&mut self, port: u16) -> u8 {
        match port {
            0x60 => self.output.take().unwrap_or(0),
            _ => SYSTEM_FLAG | if self.output.is_some() { OUTPUT_FULL } else { 0 },
        }
    }

    /// Port 64h: commands. True: it pulses the reset line.
    pub fn write(&mut self, port: u16, value: u8) -> bool {
        if port == 0x64 && value == SELF_TEST {
            self.output = Some(0x55);
        }
        port == 0x64 && value == PULSE_RESET
    }

    /// Registers for the state hash.
    pub fn state(&self) -> u64 {
        self.output.map_or(u64::MAX, u64::from)
    }
}

//! CMOS memory behind ports 70h and 71h: 128 bytes of plain storage, which is what the shutdown status byte (0Fh) needs.
//! The clock's registers read as zero: this machine has no calendar.

/// Address register and bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmos {
    index: u8,
    bytes: [u8; 128],
}

impl Default for Cmos {
    fn default() -> Self {
        Self { index: 0, bytes: [0; 128] }
    }
}

impl Cmos {
    /// Port 71h reads the byte selected; port 70h is write-only and reads as all ones.
    pub fn read(&mut self, port: u16) -> u8 {
        if port == 0x71 { self.bytes[usize::from(self.index)] } else { 0xff }
    }

    /// Port 70h selects (bit 7 masks NMI and is not kept), port 71h writes.
    pub fn write(&mut self, port: u16, value: u8) {
        if port == 0x70 {
            self.index = value & 0x7f;
        } else {
            self.bytes[usize::from(self.index)] = value;
        }
    }

    /// Registers for the state hash.
    pub fn state(&self) -> (u8, &[u8]) {
        (self.index, &self.bytes)
    }
}

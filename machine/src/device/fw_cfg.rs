//! QEMU's firmware configuration device by its two ports: what machine this is, for guests made for QEMU (QEMU's
//! docs/specs/fw_cfg). Without DMA, with an empty directory of files.

/// Port of the selector, 16 bits; data is the next.
pub const SELECTOR: u16 = 0x510;

/// Configuration and selector. The default is a machine without this device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FwCfg {
    memory_bytes: u64,
    cpus: u16,
    key: u16,
    offset: u32,
}

impl FwCfg {
    /// The device of a machine with so much RAM and so many processors.
    pub fn new(memory_bytes: u64, cpus: u16) -> Self {
        Self { memory_bytes, cpus, key: 0, offset: 0 }
    }

    /// Selects an item; reading begins at its start. Bits 15:14 say who may write and where it is from.
    pub fn select(&mut self, key: u16) {
        (self.key, self.offset) = (key & 0x3fff, 0);
    }

    /// The next byte of the item; beyond its end, and of items that do not exist, 0.
    pub fn read(&mut self) -> u8 {
        if self.cpus == 0 {
            return 0xff;
        }
        let item = match self.key {
            0x00 => *b"QEMU\0\0\0\0",
            // Only the traditional interface.
            0x01 => 1u64.to_le_bytes(),
            0x03 => self.memory_bytes.to_le_bytes(),
            // Processors that run, and most there can be.
            0x05 | 0x0f => u64::from(self.cpus).to_le_bytes(),
            _ => [0; 8],
        };
        let byte = item.get(self.offset as usize).copied().unwrap_or(0);
        self.offset = self.offset.saturating_add(1);
        byte
    }

    /// Registers in a fixed order, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        put(self.memory_bytes);
        put(u64::from(self.cpus) | u64::from(self.key) << 16 | u64::from(self.offset) << 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: guests find signature and number of processors, and nothing where it is absent; method: read both.
    #[test]
    fn items() {
        let mut fw_cfg = FwCfg::new(1 << 27, 3);
        let signature = [0; 4].map(|_| fw_cfg.read());
        fw_cfg.select(5);
        assert_eq!((&signature, [0; 3].map(|_| fw_cfg.read())), (b"QEMU", [3, 0, 0]));
        assert_eq!(FwCfg::default().read(), 0xff);
    }
}

//! Firmware that cannot be written, up to the last byte below 4 GiB, where the processor begins.

use std::sync::Arc;

/// Its bytes; none in a machine without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rom {
    bytes: Arc<[u8]>,
}

impl Default for Rom {
    fn default() -> Self {
        Self { bytes: Arc::new([]) }
    }
}

impl Rom {
    /// At most 16 MiB.
    pub fn new(bytes: Arc<[u8]>) -> Self {
        Self { bytes }
    }

    /// The byte at a physical address; None: it is not in the ROM.
    pub fn byte(&self, paddr: u64) -> Option<u8> {
        let base = (1u64 << 32) - self.bytes.len() as u64;
        self.bytes.get(usize::try_from(paddr.checked_sub(base)?).ok()?).copied()
    }

    /// All of it, for the state hash.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the last byte is the last below 4 GiB; method: both ends and their neighbours.
    #[test]
    fn ends() {
        let rom = Rom::new([1, 2, 3, 4].into());
        let bytes = [0xffff_fffb, 0xffff_fffc, 0xffff_ffff, 0x1_0000_0000, u64::MAX].map(|paddr| rom.byte(paddr));
        assert_eq!(bytes, [None, Some(1), Some(4), None, None]);
        assert_eq!(Rom::default().byte(0xffff_fff0), None);
    }
}

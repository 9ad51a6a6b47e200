//! The memory of QEMU's pc-testdev: 64 KiB that are not RAM, at FF000000h, for programs that test how instructions reach
//! devices.

use std::sync::Arc;

/// Physical address.
const BASE: u64 = 0xff00_0000;
const BYTES: usize = 0x1_0000;

/// Its contents; none before the first write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestMemory {
    bytes: Option<Arc<[u8; BYTES]>>,
}

impl TestMemory {
    /// The byte at a physical address; None: it is not here.
    pub fn byte(&self, paddr: u64) -> Option<u8> {
        let offset = usize::try_from(paddr.checked_sub(BASE)?).ok().filter(|&offset| offset < BYTES)?;
        Some(self.bytes.as_ref().map_or(0, |bytes| bytes[offset]))
    }

    /// A write that begins here. False: it is for somebody else.
    pub fn write(&mut self, paddr: u64, value: &[u8]) -> bool {
        let Some(offset) = paddr.checked_sub(BASE).filter(|&offset| offset < BYTES as u64) else { return false };
        let bytes = Arc::make_mut(self.bytes.get_or_insert_with(|| Arc::new([0; BYTES])));
        for (target, byte) in bytes[offset as usize..].iter_mut().zip(value) {
            *target = *byte;
        }
        true
    }

    /// All of it, for the state hash; empty before the first write.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref().map_or(&[], |bytes| bytes.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what is written is read, at its place only; method: the last bytes, and beside them.
    #[test]
    fn keeps_bytes() {
        let mut memory = TestMemory::default();
        let before = memory.clone();
        assert!(memory.write(BASE + 0xfffe, &[1, 2, 3]) && !memory.write(BASE - 1, &[9]) && !memory.write(0, &[9]));
        let read = |memory: &TestMemory| [0xfffd, 0xfffe, 0xffff, 0x1_0000].map(|offset| memory.byte(BASE + offset));
        assert_eq!(read(&memory), [Some(0), Some(1), Some(2), None]);
        assert_eq!(read(&before), [Some(0), Some(0), Some(0), None]);
    }
}

//! Memory with a battery, in which the firmware keeps its variables. It is plain storage, read and written in any width, and a
//! reset leaves it alone.

use std::sync::Arc;

/// Physical address of its first byte, where a PC has room for devices.
pub const BASE: u64 = 0xfeb0_0000;
/// Its size.
pub const BYTES: usize = 16 * 1024;

/// What is in it. Shared with checkpoints until it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nvram {
    bytes: Arc<Vec<u8>>,
}

impl Default for Nvram {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Nvram {
    /// With these first bytes; the others, as in a new one, are all ones.
    pub fn new(contents: &[u8]) -> Self {
        let mut bytes = contents[..contents.len().min(BYTES)].to_vec();
        bytes.resize(BYTES, 0xff);
        Self { bytes: Arc::new(bytes) }
    }

    /// All of it.
    pub fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// The bytes at a physical address; None: this is not there.
    pub fn read(&self, paddr: u64, len: usize) -> Option<&[u8]> {
        let offset = usize::try_from(paddr.checked_sub(BASE)?).ok()?;
        self.bytes.get(offset..offset.checked_add(len)?)
    }

    /// Writes bytes; false: this is not there.
    pub fn write(&mut self, paddr: u64, value: &[u8]) -> bool {
        let Some(offset) = paddr.checked_sub(BASE).and_then(|offset| usize::try_from(offset).ok()) else {
            return false;
        };
        if offset.saturating_add(value.len()) > BYTES {
            return false;
        }
        Arc::make_mut(&mut self.bytes)[offset..offset + value.len()].copy_from_slice(value);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: it is there and nowhere else, in any width. Method: both ends, and a byte beyond each.
    #[test]
    fn ends() {
        let mut nvram = Nvram::new(b"abc");
        let last = BASE + BYTES as u64;
        assert_eq!((nvram.read(BASE, 4), nvram.read(BASE - 1, 2)), (Some(&b"abc\xff"[..]), None));
        assert!(nvram.write(last - 8, &[7; 8]) && !nvram.write(last - 7, &[7; 8]) && !nvram.write(last, &[7]));
        assert_eq!((nvram.read(last - 1, 1), nvram.read(last - 1, 2)), (Some(&[7][..]), None));
    }
}

//! RAM: one flat allocation, flags for each 4 KiB page, and a persistent copy of it as of the last checkpoint.
//!
//! A checkpoint copies only the pages written since the last one ([`Ram::checkpoint`]) into `Arc` pages of a two-level
//! table, so that it costs what changed and shares the rest; the hot path reads and writes the flat bytes. Decoded
//! instructions are kept by page and [`Ram::generation`], which any write to a page that holds decoded code raises.

use std::ops::Range;
use std::sync::Arc;

/// Bytes in a page.
pub const PAGE_BYTES: usize = 4096;
/// Pages in one leaf of the persistent table (2 MiB of RAM).
const LEAF_PAGES: usize = 512;

/// The page was written since the last checkpoint.
const DIRTY: u8 = 1 << 0;
/// Instructions decoded from the page are cached.
const CODE: u8 = 1 << 1;

/// The page cannot be written, and was by a debugger.
const ROM: u8 = 1 << 2;

/// A page of a checkpoint. None: all zero.
type PageCopy = Option<Arc<[u8; PAGE_BYTES]>>;

/// RAM as of a checkpoint: shared, immutable, cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RamImage {
    leaves: Vec<Option<Arc<[PageCopy; LEAF_PAGES]>>>,
}

/// Physical memory from address 0 up.
#[derive(Clone, Debug)]
pub struct Ram {
    bytes: Vec<u8>,
    flags: Vec<u8>,
    generations: Vec<u32>,
    /// Times that a page with decoded code was written.
    code_writes: u64,
    dirty: Vec<u32>,
    image: RamImage,
    /// Pages that processors cannot write: a ROM's.
    read_only: Range<usize>,
}

impl Ram {
    /// Zeroed RAM. `size_bytes` is rounded up to whole pages.
    pub fn new(size_bytes: u64) -> Self {
        let pages = (size_bytes as usize).div_ceil(PAGE_BYTES);
        Self {
            bytes: vec![0; pages * PAGE_BYTES],
            flags: vec![0; pages],
            generations: vec![0; pages],
            code_writes: 0,
            dirty: Vec::new(),
            image: RamImage { leaves: vec![None; pages.div_ceil(LEAF_PAGES)] },
            read_only: 0..0,
        }
    }

    /// Size in bytes.
    #[inline]
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// `N` bytes at a physical address, None where they are not all RAM.
    #[inline]
    pub fn read<const N: usize>(&self, paddr: u64) -> Option<[u8; N]> {
        let start = paddr as usize;
        self.bytes.get(start..start.checked_add(N)?)?.try_into().ok()
    }

    /// Writes bytes that do not cross a page boundary. False: there is no RAM (nothing is written).
    #[inline]
    pub fn write<const N: usize>(&mut self, paddr: u64, value: [u8; N]) -> bool {
        let start = paddr as usize;
        let Some(end) = start.checked_add(N) else { return false };
        if end > self.bytes.len() {
            return false;
        }
        let page = start / PAGE_BYTES;
        if self.flags[page] != DIRTY {
            if self.read_only.contains(&page) {
                return true;
            }
            self.mark_written(page);
        }
        self.bytes[start..end].copy_from_slice(&value);
        true
    }

    /// From now on writes of processors to these whole pages do nothing, as with a ROM. A debugger can still write.
    pub fn protect(&mut self, paddr: u64, bytes: usize) {
        self.checkpoint();
        let start = paddr as usize / PAGE_BYTES;
        self.read_only = start..start + bytes / PAGE_BYTES;
    }

    /// The same pages cannot be written as in another RAM.
    pub fn protect_like(&mut self, other: &Self) {
        self.read_only = other.read_only.clone();
    }

    /// Bytes from a physical address on, as many as there are, at most `len`.
    pub fn slice(&self, paddr: u64, len: usize) -> &[u8] {
        let start = (paddr as usize).min(self.bytes.len());
        &self.bytes[start..start.saturating_add(len).min(self.bytes.len())]
    }

    /// Writes any range; false: not all of it is RAM (nothing is written).
    pub fn write_slice(&mut self, paddr: u64, data: &[u8]) -> bool {
        let start = paddr as usize;
        let Some(end) = start.checked_add(data.len()).filter(|&end| end <= self.bytes.len()) else { return false };
        self.bytes[start..end].copy_from_slice(data);
        if !data.is_empty() {
            for page in start / PAGE_BYTES..=(end - 1) / PAGE_BYTES {
                self.mark_written(page);
                if self.read_only.contains(&page) {
                    // Never plainly dirty, so that the next write is looked at.
                    self.flags[page] |= ROM;
                }
            }
        }
        true
    }

    #[cold]
    fn mark_written(&mut self, page: usize) {
        let flags = self.flags[page];
        if flags & DIRTY == 0 {
            self.dirty.push(page as u32);
        }
        if flags & CODE != 0 {
            self.generations[page] = self.generations[page].wrapping_add(1);
            self.code_writes += 1;
        }
        self.flags[page] = DIRTY;
    }

    /// The page was written since the last checkpoint was taken or restored.
    pub fn is_written(&self, page: usize) -> bool {
        self.flags.get(page).is_some_and(|flags| flags & DIRTY != 0)
    }

    /// The page's generation: it differs from an earlier one if the page was written since code was decoded from it.
    #[inline]
    pub fn generation(&self, page: usize) -> u32 {
        self.generations[page]
    }

    /// How often a page that holds decoded code was written: where that did not change, no generation did.
    #[inline]
    pub fn code_writes(&self) -> u64 {
        self.code_writes
    }

    /// Bytes to be written at once, inside one page of plain RAM. None: there is more to a write there (code that was
    /// decoded, a ROM), or no RAM.
    #[inline]
    pub fn plain_mut(&mut self, paddr: u64, len: usize) -> Option<&mut [u8]> {
        let start = paddr as usize;
        let page = start / PAGE_BYTES;
        if start.checked_add(len)? > self.bytes.len()
            || self.flags[page] & !DIRTY != 0
            || self.read_only.contains(&page)
        {
            return None;
        }
        if self.flags[page] == 0 {
            self.mark_written(page);
        }
        Some(&mut self.bytes[start..start + len])
    }

    /// Copies inside RAM, to one page of [`Ram::plain_mut`]'s kind. False: not possible, and nothing was written.
    #[inline]
    pub fn copy_plain(&mut self, from: u64, to: u64, len: usize) -> bool {
        let source = from as usize;
        let is_ram = source.checked_add(len).is_some_and(|end| end <= self.bytes.len());
        if !is_ram || self.plain_mut(to, len).is_none() {
            return false;
        }
        self.bytes.copy_within(source..source + len, to as usize);
        true
    }

    /// From now on a write to the page raises its generation.
    pub fn mark_code(&mut self, page: usize) {
        self.flags[page] |= CODE;
    }

    /// The contents now, sharing all pages that were not written since the last call.
    pub fn checkpoint(&mut self) -> RamImage {
        for page in std::mem::take(&mut self.dirty) {
            let page = page as usize;
            self.flags[page] &= !DIRTY;
            let start = page * PAGE_BYTES;
            let copy: &[u8; PAGE_BYTES] = self.bytes[start..start + PAGE_BYTES].try_into().expect("a whole page");
            // A page that was only ever written with zeros stays one that costs nothing.
            if self.image.page(page).is_none() && *copy == [0; PAGE_BYTES] {
                continue;
            }
            let leaf =
                self.image.leaves[page / LEAF_PAGES].get_or_insert_with(|| Arc::new([const { None }; LEAF_PAGES]));
            let slot = &mut Arc::make_mut(leaf)[page % LEAF_PAGES];
            if slot.as_deref() != Some(copy) {
                *slot = Some(Arc::new(*copy));
            }
        }
        self.image.clone()
    }

    /// Back to the contents of a checkpoint: copies only the pages that differ.
    pub fn restore(&mut self, image: &RamImage) {
        // After this the flat bytes equal `self.image`, so that only the pages in which the two images differ are left.
        let dirty = std::mem::take(&mut self.dirty);
        for page in dirty {
            let copy = self.image.page(page as usize).cloned();
            self.put_page(page as usize, copy.as_deref());
        }
        for leaf in 0..self.image.leaves.len() {
            let (old, new) = (self.image.leaves[leaf].clone(), image.leaves[leaf].clone());
            let same = match (&old, &new) {
                (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                (None, None) => true,
                _ => false,
            };
            if same {
                continue;
            }
            for slot in 0..LEAF_PAGES {
                let old_page = old.as_ref().and_then(|leaf| leaf[slot].as_ref());
                let new_page = new.as_ref().and_then(|leaf| leaf[slot].as_ref());
                let same = match (old_page, new_page) {
                    (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                    (None, None) => true,
                    _ => false,
                };
                if !same {
                    self.put_page(leaf * LEAF_PAGES + slot, new_page.map(|page| &**page));
                }
            }
        }
        self.image = image.clone();
    }

    fn put_page(&mut self, page: usize, copy: Option<&[u8; PAGE_BYTES]>) {
        let target = &mut self.bytes[page * PAGE_BYTES..(page + 1) * PAGE_BYTES];
        match copy {
            Some(copy) => target.copy_from_slice(copy),
            None => target.fill(0),
        }
        if self.flags[page] & CODE != 0 {
            self.generations[page] = self.generations[page].wrapping_add(1);
        }
        self.flags[page] = 0;
    }
}

impl RamImage {
    fn page(&self, page: usize) -> Option<&Arc<[u8; PAGE_BYTES]>> {
        self.leaves[page / LEAF_PAGES].as_ref().and_then(|leaf| leaf[page % LEAF_PAGES].as_ref())
    }

    /// Pages that hold something, ascending: page number and contents. Zero pages that were once written may be among
    /// them.
    pub fn pages(&self) -> impl Iterator<Item = (usize, &[u8; PAGE_BYTES])> {
        self.leaves.iter().enumerate().flat_map(|(leaf, pages)| {
            pages.iter().flat_map(move |pages| {
                pages
                    .iter()
                    .enumerate()
                    .filter_map(move |(slot, page)| Some((leaf * LEAF_PAGES + slot, &**page.as_ref()?)))
            })
        })
    }

    /// Bytes that this image holds and `older` does not share: what keeping it costs.
    pub fn cost_bytes(&self, older: &Self) -> usize {
        let pages = self.leaves.iter().zip(&older.leaves).map(|(new, old)| match (new, old) {
            (Some(new), Some(old)) if Arc::ptr_eq(new, old) => 0,
            (Some(new), old) => (0..LEAF_PAGES)
                .filter(|&slot| {
                    let old = old.as_ref().and_then(|leaf| leaf[slot].as_ref());
                    new[slot].as_ref().is_some_and(|page| !old.is_some_and(|old| Arc::ptr_eq(page, old)))
                })
                .count(),
            (None, _) => 0,
        });
        pages.sum::<usize>() * PAGE_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: restore brings back every byte, also over several checkpoints in any order; method: writes between them.
    #[test]
    fn checkpoints_hold_what_was() {
        let mut ram = Ram::new(16 << 20);
        ram.write(0x1000, [1u8]);
        let first = ram.checkpoint();
        ram.write(0x1000, [2u8]);
        ram.write(0x70_0000, 7u64.to_le_bytes());
        let second = ram.checkpoint();
        ram.write(0x1001, [9u8]);
        ram.restore(&first);
        assert_eq!((ram.read(0x1000), ram.read(0x70_0000)), (Some([1u8, 0]), Some([0u8; 8])));
        ram.restore(&second);
        assert_eq!((ram.read(0x1000), ram.read(0x70_0000)), (Some([2u8, 0]), Some(7u64.to_le_bytes())));
        assert_eq!(second.cost_bytes(&first), 2 * PAGE_BYTES);
    }

    /// Goal: a write or a restore of a page with decoded code is noticed; method: compare generations.
    #[test]
    fn generations_move_on() {
        let mut ram = Ram::new(1 << 20);
        let empty = ram.checkpoint();
        ram.mark_code(3);
        let before = ram.generation(3);
        ram.write(0x3000, [0x90u8]);
        let written = ram.generation(3);
        assert_ne!(before, written);
        ram.mark_code(3);
        ram.restore(&empty);
        assert_ne!(written, ram.generation(3));
    }

    /// Goal: addresses beyond RAM are refused, not wrapped; method: the last byte and u64::MAX.
    #[test]
    fn beyond_the_end() {
        let mut ram = Ram::new(4096);
        assert_eq!(ram.read::<2>(4095), None);
        assert_eq!(ram.read::<8>(u64::MAX), None);
        assert!(!ram.write(u64::MAX, [0u8; 8]) && !ram.write_slice(4095, &[0, 0]));
    }
}

//! The decoded instructions of physical pages: one table for each page and code size (16, 32, 64 bits).

use super::Insn;
use crate::bus::ram::PAGE_BYTES;

/// Decoded pages kept at most; when there are more, all are forgotten. Real kernels touch some hundreds.
const MAX_PAGES: usize = 1024;

/// Derived: decoded instructions by physical page. A clone starts empty.
#[derive(Debug, Default)]
pub struct CodeCache {
    /// By page number: 1 + index in `pages` for 16, 32 and 64-bit code; 0: none.
    index: Vec<[u32; 3]>,
    pages: Vec<CodePage>,
    /// Page number, code size and index in `pages` of the last find: straight-line code needs no look at `index`, so
    /// that the next instruction does not wait for it.
    last: (usize, u32, u32),
    /// The last instruction that is not kept, since it goes on in another page or is not in RAM.
    loose: Option<Insn>,
}

/// The instructions that lie wholly in one page.
#[derive(Debug)]
pub struct CodePage {
    generation: u32,
    /// By offset in the page: 1 + index in `insns`; 0: none.
    slots: Box<[u16; PAGE_BYTES]>,
    insns: Vec<Insn>,
}

/// Where an instruction lies in the cache until the next one is decoded. Small, so that fetching hands this on and not
/// the instruction.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    page: u32,
    insn: u32,
}

/// The place of [`CodeCache::loose`].
const LOOSE: Place = Place { page: u32::MAX, insn: 0 };

impl Clone for CodeCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Index of a code size: 16, 32, 64 bits give 0, 1, 2.
#[inline]
fn width(bits: u32) -> usize {
    (bits >> 5) as usize % 3
}

impl CodePage {
    /// The instruction at an offset in the page, if it was decoded. (Offsets beyond the page have none.)
    #[inline]
    pub fn insn_at(&self, offset: usize) -> Option<&Insn> {
        self.insns.get(usize::from(*self.slots.get(offset)?).wrapping_sub(1))
    }
}

impl CodeCache {
    /// Where the instruction at an offset in a page is, if it was decoded from these very contents.
    #[inline]
    pub fn find(&mut self, page: usize, generation: u32, bits: u32, offset: usize) -> Option<Place> {
        if (page, bits) != (self.last.0, self.last.1) {
            self.last = (page, bits, self.index.get(page)?[width(bits)].wrapping_sub(1));
        }
        let page = self.last.2;
        let code = self.pages.get(page as usize).filter(|code| code.generation == generation)?;
        let insn = u32::from(code.slots[offset % PAGE_BYTES]);
        (insn != 0).then(|| Place { page, insn: insn - 1 })
    }

    /// The instruction at a place.
    #[inline]
    pub fn insn(&self, place: Place) -> Option<&Insn> {
        match self.pages.get(place.page as usize) {
            Some(code) => code.insns.get(place.insn as usize),
            None => self.loose.as_ref(),
        }
    }

    /// The page that a place is in. None: the instruction is not kept.
    #[inline]
    pub fn page(&self, place: Place) -> Option<&CodePage> {
        self.pages.get(place.page as usize)
    }

    /// Keeps an instruction. The caller has marked the page as code.
    #[cold]
    pub fn insert(&mut self, page: usize, generation: u32, bits: u32, offset: usize, insn: Insn) -> Place {
        if self.pages.len() >= MAX_PAGES {
            self.index.clear();
            self.pages.clear();
        }
        if self.index.len() <= page {
            self.index.resize(page + 1, [0; 3]);
        }
        let slot = &mut self.index[page][width(bits)];
        if *slot == 0 {
            self.pages.push(CodePage { generation, slots: Box::new([0; PAGE_BYTES]), insns: Vec::new() });
            *slot = self.pages.len() as u32;
        }
        self.last = (page, bits, *slot - 1);
        let place_page = *slot - 1;
        let code = &mut self.pages[place_page as usize];
        if code.generation != generation {
            code.generation = generation;
            code.slots.fill(0);
            code.insns.clear();
        }
        code.insns.push(insn);
        code.slots[offset % PAGE_BYTES] = code.insns.len() as u16;
        Place { page: place_page, insn: code.insns.len() as u32 - 1 }
    }

    /// Holds an instruction that is not to be kept.
    #[cold]
    pub fn hold(&mut self, insn: Insn) -> Place {
        self.loose = Some(insn);
        LOOSE
    }
}

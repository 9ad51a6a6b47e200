//! The decoded instructions of physical pages: one table for each page and code size (16, 32, 64 bits).

use super::Insn;
use crate::bus::ram::PAGE_BYTES;

/// Decoded pages kept at most; when there are more, all are forgotten. Real kernels touch some hundreds.
const MAX_PAGES: usize = 1024;
/// No decoded instruction, no page.
const EMPTY: u32 = 0;

/// Derived: decoded instructions by physical page. A clone starts empty.
#[derive(Debug, Default)]
pub struct CodeCache {
    /// By page number: 1 + index in `pages` for 16, 32 and 64-bit code.
    index: Vec<[u32; 3]>,
    pages: Vec<CodePage>,
}

/// The instructions that lie wholly in one page.
#[derive(Debug)]
struct CodePage {
    generation: u32,
    /// By offset in the page: 1 + index in `insns`.
    slots: Box<[u16; PAGE_BYTES]>,
    insns: Vec<Insn>,
}

impl Clone for CodeCache {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Index of a code size: 16, 32, 64 bits give 0, 1, 2.
fn width(bits: u32) -> usize {
    (bits >> 5) as usize
}

impl CodeCache {
    /// The instruction at an offset in a page, if it was decoded from these very contents.
    #[inline]
    pub fn get(&self, page: usize, generation: u32, bits: u32, offset: usize) -> Option<&Insn> {
        let slot = self.index.get(page)?[width(bits)];
        let code = self.pages.get((slot as usize).wrapping_sub(1))?;
        if code.generation != generation {
            return None;
        }
        code.insns.get(usize::from(code.slots[offset % PAGE_BYTES]).wrapping_sub(1))
    }

    /// Keeps an instruction. The caller has marked the page as code.
    #[cold]
    pub fn insert(&mut self, page: usize, generation: u32, bits: u32, offset: usize, insn: Insn) {
        if self.pages.len() >= MAX_PAGES {
            self.index.clear();
            self.pages.clear();
        }
        if self.index.len() <= page {
            self.index.resize(page + 1, [EMPTY; 3]);
        }
        let slot = &mut self.index[page][width(bits)];
        if *slot == EMPTY {
            self.pages.push(CodePage { generation, slots: Box::new([0; PAGE_BYTES]), insns: Vec::new() });
            *slot = self.pages.len() as u32;
        }
        let code = &mut self.pages[*slot as usize - 1];
        if code.generation != generation {
            code.generation = generation;
            code.slots.fill(0);
            code.insns.clear();
        }
        code.insns.push(insn);
        code.slots[offset % PAGE_BYTES] = code.insns.len() as u16;
    }
}

//! Writes the kernel's first page tables: four levels, pages of 4 KiB, 2 MiB and 1 GiB (SDM 3A "4-Level Paging").
//!
//! Table entries that lead to another table allow everything; the rights are in the entry that maps the page.

use crate::{error::LoadError, image::PAGE, load::Frames, memory::PhysMemory};

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
/// In a PDPT or PD entry: maps a page, leads to no table.
const PAGE_SIZE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
/// The physical address in an entry, bits 51..12.
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// What the kernel may do with a page beside reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// Write it.
    pub writable: bool,
    /// Execute it.
    pub executable: bool,
}

impl Rights {
    /// Of data.
    pub(crate) const DATA: Self = Self { writable: true, executable: false };

    fn bits(self, has_no_execute: bool) -> u64 {
        let writable = if self.writable { WRITABLE } else { 0 };
        let no_execute = if self.executable || !has_no_execute { 0 } else { NO_EXECUTE };
        PRESENT | writable | no_execute
    }
}

/// The size of a page: the level of the entry that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageSize {
    /// A PT entry.
    Small,
    /// A PD entry.
    Large,
    /// A PDPT entry.
    Huge,
}

impl PageSize {
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Small => PAGE,
            Self::Large => 1 << 21,
            Self::Huge => 1 << 30,
        }
    }

    /// The level of the entry that maps such a page: 1 = PT, 2 = PD, 3 = PDPT.
    fn level(self) -> u32 {
        match self {
            Self::Small => 1,
            Self::Large => 2,
            Self::Huge => 3,
        }
    }
}

/// How many tables at most the pages of `bytes` bytes from `linear` on need, the PML4 not counted.
pub(crate) fn tables_for(linear: u64, bytes: u64, size: PageSize) -> u64 {
    let last = linear.saturating_add(bytes.saturating_sub(1));
    // A table of level n spans 4 KiB << 9n.
    (size.level()..4).map(|level| (last >> (12 + 9 * level)) - (linear >> (12 + 9 * level)) + 1).sum()
}

/// Maps one page.
pub(crate) fn map<M: PhysMemory>(
    frames: &mut Frames<'_, M>,
    root: u64,
    what: &'static str,
    linear: u64,
    paddr: u64,
    size: PageSize,
    rights: Rights,
) -> Result<(), LoadError> {
    let mut table = root;
    for level in (size.level() + 1..=4).rev() {
        let slot = entry_paddr(table, linear, level);
        let entry = frames.memory.read_u64(slot);
        table = if entry & PRESENT == 0 {
            let new = frames.take(1)?;
            frames.memory.write(slot, &(new | PRESENT | WRITABLE).to_le_bytes());
            new
        } else if entry & PAGE_SIZE != 0 && level < 4 {
            return Err(LoadError::AddressTaken { what, linear });
        } else {
            entry & ADDRESS
        };
    }
    let slot = entry_paddr(table, linear, size.level());
    if frames.memory.read_u64(slot) & PRESENT != 0 {
        return Err(LoadError::AddressTaken { what, linear });
    }
    let page_size = if size == PageSize::Small { 0 } else { PAGE_SIZE };
    let rights = rights.bits(frames.no_execute);
    frames.memory.write(slot, &(paddr & ADDRESS | page_size | rights).to_le_bytes());
    Ok(())
}

/// Lets entry `index` of the PML4 lead to the PML4 itself.
pub(crate) fn map_recursively<M: PhysMemory>(
    frames: &mut Frames<'_, M>,
    root: u64,
    index: usize,
) -> Result<(), LoadError> {
    let slot = root + index as u64 * 8;
    if frames.memory.read_u64(slot) & PRESENT != 0 {
        let linear = (index as u64) << 39;
        return Err(LoadError::AddressTaken { what: "recursive page table", linear });
    }
    let rights = Rights::DATA.bits(frames.no_execute);
    frames.memory.write(slot, &(root | rights).to_le_bytes());
    Ok(())
}

/// Where the entry for `linear` lies in a table of that level.
fn entry_paddr(table: u64, linear: u64, level: u32) -> u64 {
    table + (linear >> (3 + 9 * level) & 0x1ff) * 8
}

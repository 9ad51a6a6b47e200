//! Page tables of four or five levels (SDM volume 3A, "4-Level Paging and 5-Level Paging"): map, split, protect, walk. Pure over [`TableMemory`], so
//! that the same code runs on the direct map and on a host's test memory.

mod map;
mod ranges;
mod walk;

pub use map::{MapError, leave_nx_out, map_page, map_range, protect_page, split, supported};
pub use ranges::{Range, for_each_range};
pub use walk::{Missing, Rights, Step, Walk, walk};

use x86_64::{PhysAddr, structures::paging::PageTableFlags};

/// Where page tables lie: 4 KiB pages of 512 entries, named by physical address.
pub trait TableMemory {
    /// Entry `index` (0 to 511) of the table at `table`.
    fn read_entry(&self, table: PhysAddr, index: usize) -> u64;
    /// Replaces entry `index` of the table at `table`.
    fn write_entry(&mut self, table: PhysAddr, index: usize, entry: u64);
    /// A new table, all entries zero; `None` when memory is used up.
    fn allocate_table(&mut self) -> Option<PhysAddr>;
    /// The level of the roots, 4 or 5: with five levels (CR4.LA57) there is a PML5 above.
    fn levels(&self) -> Level;
}

/// Level of a table: 5 = PML5, 4 = PML4, 3 = PDPT, 2 = PD, 1 = PT.
pub type Level = u8;

/// The SDM's name of a table of this level.
pub const fn level_name(level: Level) -> &'static str {
    match level {
        5 => "PML5",
        4 => "PML4",
        3 => "PDPT",
        2 => "PD",
        1 => "PT",
        _ => "?",
    }
}

/// Index into a table of `level` for a linear address.
pub const fn index_of(linear: u64, level: Level) -> usize {
    (linear >> (12 + 9 * (level as u32 - 1))) as usize & 0x1ff
}

/// Bytes that one entry of a table of `level` covers.
pub const fn entry_span(level: Level) -> u64 {
    1 << (12 + 9 * (level as u32 - 1))
}

/// Sizes of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PageSize {
    /// 4 KiB, mapped by a PT.
    Size4K,
    /// 2 MiB, mapped by a PD entry with PS = 1.
    Size2M,
    /// 1 GiB, mapped by a PDPT entry with PS = 1.
    Size1G,
}

impl PageSize {
    /// The level of the table whose entry maps such a page.
    pub const fn level(self) -> Level {
        match self {
            Self::Size4K => 1,
            Self::Size2M => 2,
            Self::Size1G => 3,
        }
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        entry_span(self.level())
    }

    const fn of_level(level: Level) -> Self {
        match level {
            1 => Self::Size4K,
            2 => Self::Size2M,
            _ => Self::Size1G,
        }
    }
}

/// Physical address in an entry that points to a table or to a 4 KiB page.
const ADDRESS_MASK: u64 = 0x000f_ffff_ffff_f000;

/// Entries that point to tables allow everything; the leaf decides.
pub(crate) const TABLE_FLAGS: PageTableFlags = PageTableFlags::PRESENT.union(PageTableFlags::WRITABLE);

/// The flags of an entry, without its address.
pub(crate) fn flags_of(entry: u64) -> PageTableFlags {
    PageTableFlags::from_bits_truncate(entry & !ADDRESS_MASK)
}

/// Whether an entry of a table of `level` maps a page, as against pointing to a table.
fn is_leaf(entry: u64, level: Level) -> bool {
    level == 1 || (level < 4 && entry & PageTableFlags::HUGE_PAGE.bits() != 0)
}

/// The page that a leaf maps. Bit 12 of a large leaf is PAT, not address.
fn leaf_address(entry: u64, level: Level) -> PhysAddr {
    PhysAddr::new(entry & ADDRESS_MASK & !(entry_span(level) - 1))
}

/// The table that a slot of the top level leads to.
pub fn table_at(memory: &impl TableMemory, root: PhysAddr, slot: usize) -> Option<PhysAddr> {
    let entry = memory.read_entry(root, slot);
    flags_of(entry).contains(PageTableFlags::PRESENT).then(|| table_address(entry))
}

/// The PML4 of the kernel's half: the root itself, or with five levels what the last slot of the root leads to.
pub fn upper_pml4(memory: &impl TableMemory, root: PhysAddr) -> Option<PhysAddr> {
    if memory.levels() == 5 { table_at(memory, root, index_of(u64::MAX, 5)) } else { Some(root) }
}

/// The linear address with its bits above the highest that is translated made equal to that.
pub const fn canonical(linear: u64, levels: Level) -> u64 {
    let unused = 64 - (12 + 9 * levels as u32);
    ((linear << unused) as i64 >> unused) as u64
}

fn table_address(entry: u64) -> PhysAddr {
    PhysAddr::new(entry & ADDRESS_MASK)
}

#[cfg(test)]
pub(crate) mod test_memory;
#[cfg(test)]
mod tests;

//! Reading page tables for one address: every step of the walk, and what the steps allow together.

use super::{Level, PageSize, TableMemory, canonical, flags_of, index_of, is_leaf, leaf_address, table_address};
use x86_64::{PhysAddr, structures::paging::PageTableFlags};

/// One step of a walk: an entry that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Level of the table, 5 to 1.
    pub level: Level,
    /// The table.
    pub table: PhysAddr,
    /// Index of the entry in the table.
    pub index: usize,
    /// The entry as it is in memory.
    pub entry: u64,
}

/// What may be done with a page: the rights of all steps together (SDM volume 3A, "Access Rights").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    /// R/W is 1 on every level.
    pub writable: bool,
    /// U/S is 1 on every level.
    pub user: bool,
    /// XD is 0 on every level.
    pub executable: bool,
    /// G of the leaf: the TLB keeps the translation over a MOV CR3.
    pub global: bool,
}

/// Why a walk has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Bits 63:47 of the address are not all equal, with five levels bits 63:56.
    NotCanonical,
    /// The last entry's P is 0.
    NotPresent,
}

/// A walk: the entries read and where they lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    steps: [Step; 5],
    count: usize,
    /// The physical address, page size and rights, or why there are none.
    pub result: Result<(PhysAddr, PageSize, Rights), Missing>,
}

impl Walk {
    /// The entries that were read, from the root down. Empty for an address that is not canonical.
    pub fn steps(&self) -> &[Step] {
        &self.steps[..self.count]
    }
}

/// Walks from `root` for `linear`, as the processor would.
pub fn walk(memory: &impl TableMemory, root: PhysAddr, linear: u64) -> Walk {
    let unread = Step { level: 0, table: root, index: 0, entry: 0 };
    let mut walk = Walk { steps: [unread; 5], count: 0, result: Err(Missing::NotPresent) };
    if canonical(linear, memory.levels()) != linear {
        walk.result = Err(Missing::NotCanonical);
        return walk;
    }
    let mut rights = Rights { writable: true, user: true, executable: true, global: false };
    let mut table = root;
    for level in (1..=memory.levels()).rev() {
        let index = index_of(linear, level);
        let entry = memory.read_entry(table, index);
        walk.steps[walk.count] = Step { level, table, index, entry };
        walk.count += 1;
        let flags = flags_of(entry);
        if !flags.contains(PageTableFlags::PRESENT) {
            return walk;
        }
        rights.writable &= flags.contains(PageTableFlags::WRITABLE);
        rights.user &= flags.contains(PageTableFlags::USER_ACCESSIBLE);
        rights.executable &= !flags.contains(PageTableFlags::NO_EXECUTE);
        if is_leaf(entry, level) {
            rights.global = flags.contains(PageTableFlags::GLOBAL);
            let size = PageSize::of_level(level);
            let physical = leaf_address(entry, level) + (linear & (size.bytes() - 1));
            walk.result = Ok((physical, size, rights));
            return walk;
        }
        table = table_address(entry);
    }
    walk
}

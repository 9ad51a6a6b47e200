//! Reading whole page tables: what is mapped, in ranges.

use super::{
    Level, PageSize, Rights, TableMemory, canonical, entry_span, flags_of, is_leaf, leaf_address, table_address,
};
use x86_64::{PhysAddr, structures::paging::PageTableFlags};

/// A range of linear addresses that is mapped to consecutive physical memory, with the same rights and page size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First linear address, canonical.
    pub linear: u64,
    /// First physical address.
    pub physical: u64,
    /// Length in bytes.
    pub bytes: u64,
    /// Size of its pages.
    pub page_size: PageSize,
    /// Effective rights.
    pub rights: Rights,
}

impl Range {
    /// Grows by `next` if that follows on in every respect.
    fn append(&mut self, next: &Self) -> bool {
        let follows = self.linear.wrapping_add(self.bytes) == next.linear
            && self.physical.wrapping_add(self.bytes) == next.physical
            && self.page_size == next.page_size
            && self.rights == next.rights;
        if follows {
            self.bytes += next.bytes;
        }
        follows
    }
}

/// Calls `visit` with every range mapped under `root`, by ascending linear address.
pub fn for_each_range(memory: &impl TableMemory, root: PhysAddr, mut visit: impl FnMut(Range)) {
    let mut pending: Option<Range> = None;
    let all = Rights { writable: true, user: true, executable: true, global: false };
    visit_table(memory, (root, memory.levels()), 0, all, &mut |page: Range| {
        if !pending.as_mut().is_some_and(|range| range.append(&page))
            && let Some(done) = pending.replace(page)
        {
            visit(done);
        }
    });
    if let Some(last) = pending {
        visit(last);
    }
}

fn visit_table(
    memory: &impl TableMemory,
    (table, level): (PhysAddr, Level),
    first_linear: u64,
    above: Rights,
    visit: &mut impl FnMut(Range),
) {
    for index in 0..512 {
        let entry = memory.read_entry(table, index);
        let flags = flags_of(entry);
        if !flags.contains(PageTableFlags::PRESENT) {
            continue;
        }
        let linear = first_linear + index as u64 * entry_span(level);
        let linear = canonical(linear, memory.levels());
        let mut rights = Rights {
            writable: above.writable && flags.contains(PageTableFlags::WRITABLE),
            user: above.user && flags.contains(PageTableFlags::USER_ACCESSIBLE),
            executable: above.executable && !flags.contains(PageTableFlags::NO_EXECUTE),
            global: false,
        };
        if is_leaf(entry, level) {
            rights.global = flags.contains(PageTableFlags::GLOBAL);
            let physical = leaf_address(entry, level).as_u64();
            let page_size = PageSize::of_level(level);
            visit(Range { linear, physical, bytes: page_size.bytes(), page_size, rights });
        } else {
            visit_table(memory, (table_address(entry), level - 1), linear, rights, visit);
        }
    }
}

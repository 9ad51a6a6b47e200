//! `efi_pgd`: the firmware's own page tables, as in Linux since 4.6 (arch/x86/platform/efi/efi_64.c). Pure over [`TableMemory`].
//!
//! ```text
//! slots 0-255    runtime regions at linear = physical, page 0, the new memory map
//! slots 273-510  copies of init_top_pgt's entries: direct map
//! slot  511      a table of its own:
//!   0-443, 508-511   copies: the kernel's image, the APICs
//!   444-507          the EFI window, from EFI_VA_START down to EFI_VA_END: runtime regions again
//! ```
//!
//! With five levels these are the slots of two PML4s, one in slot 0 of the root and one in slot 511.

use super::page_table::{
    MapError, PageSize, TABLE_FLAGS, TableMemory, index_of, map_page, map_range, protect_page, split, table_at,
    upper_pml4, walk,
};
use crate::memlayout::{DIRECT_MAP_BASE, pml4_index};
use x86_64::{PhysAddr, structures::paging::PageTableFlags as Flags};

/// Where the EFI window begins: -4 GiB. It grows down.
pub const EFI_VA_START: u64 = 0xffff_ffff_0000_0000;
/// Where it ends: -68 GiB.
pub const EFI_VA_END: u64 = 0xffff_ffef_0000_0000;

/// Regions keep their offset in pages of this size, so that large pages fit.
const ALIGNMENT: u64 = 1 << 21;

/// Hands out the EFI window.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Everything from here up is taken.
    efi_va: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { efi_va: EFI_VA_START }
    }
}

impl Window {
    /// A place below all before, with the same offset in 2 MiB as the physical address. None: the window is full.
    ///
    /// Regions that follow each other in physical memory do so here too if they are placed from the last to the first.
    pub fn place(&mut self, physical: u64, bytes: u64) -> Option<u64> {
        let below = self.efi_va.checked_sub(bytes)?;
        let offset = physical % ALIGNMENT;
        let mut linear = below - below % ALIGNMENT + offset;
        if linear > below {
            linear -= ALIGNMENT;
        }
        if linear < EFI_VA_END {
            return None;
        }
        self.efi_va = linear;
        Some(linear)
    }
}

/// Makes `root`, an empty table, the firmware's: gives it a table of its own for each slot that leads to the EFI window.
///
/// # Errors
/// [`MapError::OutOfFrames`]
pub fn init(memory: &mut impl TableMemory, root: PhysAddr) -> Result<(), MapError> {
    let mut table = root;
    for level in (4..=memory.levels()).rev() {
        let next = memory.allocate_table().ok_or(MapError::OutOfFrames)?;
        memory.write_entry(table, index_of(EFI_VA_END, level), next.as_u64() | TABLE_FLAGS.bits());
        table = next;
    }
    Ok(())
}

/// Copies the kernel's entries around the hole. They may have changed, so this comes before every call
/// (Linux: `efi_sync_low_kernel_mappings()`).
pub fn sync_low_kernel_mappings(memory: &mut impl TableMemory, init_top_pgt: PhysAddr, efi_pgd: PhysAddr) {
    let window = pml4_index(EFI_VA_END);
    let (Some(from), Some(to)) = (upper_pml4(memory, init_top_pgt), upper_pml4(memory, efi_pgd)) else { return };
    for slot in pml4_index(DIRECT_MAP_BASE)..window {
        let entry = memory.read_entry(from, slot);
        memory.write_entry(to, slot, entry);
    }
    let (Some(from), Some(to)) = (table_at(memory, from, window), table_at(memory, to, window)) else { return };
    for index in (0..index_of(EFI_VA_END, 3)).chain(index_of(EFI_VA_START, 3)..512) {
        let entry = memory.read_entry(from, index);
        memory.write_entry(to, index, entry);
    }
}

/// Maps a region. Where something is mapped already, which is so in tables that share the kernel's, its rights become these:
/// that is how EFI's came into the kernel's direct map.
///
/// # Errors
/// [`MapError`]; what was mapped before stays.
pub fn map_region(
    memory: &mut impl TableMemory,
    root: PhysAddr,
    (linear, physical, bytes): (u64, u64, u64),
    flags: Flags,
) -> Result<(), MapError> {
    if walk(memory, root, linear).result.is_err() {
        return map_range(memory, root, (linear, physical, bytes), PageSize::Size2M, flags);
    }
    for offset in (0..bytes).step_by(PageSize::Size4K.bytes() as usize) {
        if walk(memory, root, linear + offset).result.is_ok() {
            split(memory, root, linear + offset)?;
            protect_page(memory, root, linear + offset, |before| (before & Flags::GLOBAL) | flags | Flags::PRESENT)?;
        } else {
            map_page(memory, root, linear + offset, physical + offset, PageSize::Size4K, flags)?;
        }
    }
    Ok(())
}

/// Gives the pages of a region that is mapped these rights.
///
/// # Errors
/// [`MapError`]
pub fn protect_region(
    memory: &mut impl TableMemory,
    root: PhysAddr,
    (linear, bytes): (u64, u64),
    writable: bool,
    executable: bool,
) -> Result<(), MapError> {
    for page in (linear..linear + bytes).step_by(PageSize::Size4K.bytes() as usize) {
        split(memory, root, page)?;
        protect_page(memory, root, page, |mut flags| {
            flags.set(Flags::WRITABLE, writable);
            flags.set(Flags::NO_EXECUTE, !executable);
            flags
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::mm::page_table::test_memory::{new_root, new_root_of};
    use crate::mm::page_table::{Level, for_each_range};
    use std::vec::Vec;

    /// Goal: regions keep their offset in 2 MiB; neighbours stay neighbours from last to first, and not the other way round.
    /// Method: two regions of one image, in both orders.
    #[test]
    fn neighbours_stay_neighbours() {
        let mut window = Window::default();
        let data = window.place(0x7f0_9000, 0x4000).expect("room");
        let code = window.place(0x7f0_0000, 0x9000).expect("room");
        assert_eq!((code + 0x9000, code % ALIGNMENT), (data, 0x7f0_0000 % ALIGNMENT));
        assert!(data + 0x4000 <= EFI_VA_START);
        let mut window = Window::default();
        let code = window.place(0x7f0_0000, 0x9000).expect("room");
        let data = window.place(0x7f0_9000, 0x4000).expect("room");
        assert!(data < code);
    }

    /// Goal: the window ends. Method: regions of 1 GiB until there is no room.
    #[test]
    fn the_window_ends() {
        let mut window = Window::default();
        assert_eq!((0..).take_while(|_| window.place(0, 1 << 30).is_some()).count(), 64);
        assert_eq!(window.place(0, u64::MAX), None);
    }

    /// Goal: efi_pgd has the kernel's mappings around the hole, also new ones, and the kernel has none of the firmware's.
    /// Method: a kernel table with entries on both sides of the window, a region in both places, then another kernel page; four
    /// levels and five.
    #[test]
    fn the_kernel_is_copied_around_the_hole() {
        [4, 5].into_iter().for_each(copied_around_the_hole);
    }

    fn copied_around_the_hole(levels: Level) {
        let (mut memory, kernel) = new_root_of(levels, 64);
        let rw = Flags::WRITABLE;
        let map = |memory: &mut _, linear, physical| {
            map_page(memory, kernel, linear, physical, PageSize::Size4K, rw).expect("maps");
        };
        map(&mut memory, DIRECT_MAP_BASE, 0);
        map(&mut memory, 0xffff_ffff_8000_0000, 0x20_0000);
        map(&mut memory, 0xffff_ff80_0000_0000, 0x30_0000);
        let efi_pgd = memory.allocate_table().expect("a table");
        init(&mut memory, efi_pgd).expect("a table");
        let linear = Window::default().place(0x7f0_0000, 0x3000).expect("room");
        for at in [linear, 0x7f0_0000] {
            map_region(&mut memory, efi_pgd, (at, 0x7f0_0000, 0x3000), rw).expect("maps");
        }
        map(&mut memory, 0xffff_ffff_ff5f_c000, 0xfee0_0000);
        sync_low_kernel_mappings(&mut memory, kernel, efi_pgd);
        let ranges = |root| {
            let mut ranges = Vec::new();
            for_each_range(&memory, root, |range| ranges.push((range.linear, range.physical, range.bytes)));
            ranges
        };
        let all = ranges(efi_pgd);
        let ours = ranges(kernel);
        assert_eq!(ours.len(), 4);
        assert!(ours.iter().all(|range| all.contains(range)));
        let firmware: Vec<_> = all.iter().filter(|range| !ours.contains(range)).collect();
        assert_eq!(firmware, [&(0x7f0_0000, 0x7f0_0000, 0x3000), &(linear, 0x7f0_0000, 0x3000)]);
    }

    /// Goal: in shared tables the kernel's own pages change, and that is seen. Method: slot 0 is the direct map's, one page
    /// becomes executable at linear = physical.
    #[test]
    fn shared_tables_leak() {
        let (mut memory, kernel) = new_root(64);
        let data = Flags::WRITABLE | Flags::NO_EXECUTE | Flags::GLOBAL;
        map_range(&mut memory, kernel, (DIRECT_MAP_BASE, 0, 0x40_0000), PageSize::Size2M, data).expect("maps");
        let pgd = memory.allocate_table().expect("a table");
        let entry = memory.read_entry(kernel, pml4_index(DIRECT_MAP_BASE));
        memory.write_entry(pgd, 0, entry);
        map_region(&mut memory, pgd, (0x20_1000, 0x20_1000, 0x1000), Flags::WRITABLE).expect("maps");
        let mut executable = Vec::new();
        for_each_range(&memory, kernel, |range| {
            if range.rights.executable {
                executable.push((range.linear - DIRECT_MAP_BASE, range.bytes, range.rights.global));
            }
        });
        assert_eq!(executable, [(0x20_1000, 0x1000, true)]);
        protect_region(&mut memory, pgd, (0x20_1000, 0x1000), false, false).expect("protects");
        let (_, _, rights) = walk(&memory, kernel, DIRECT_MAP_BASE + 0x20_1000).result.expect("mapped");
        assert!(!rights.executable && !rights.writable);
    }
}

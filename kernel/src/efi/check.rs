//! Looks for the firmware in the kernel's own tables, where it has no business.

use super::{Efi, memmap};
use crate::memlayout::DIRECT_MAP_BASE;
use crate::mm::direct_map::DirectMap;
use crate::mm::efi_pgd::{EFI_VA_END, EFI_VA_START};
use crate::mm::page_table::{Range, TableMemory, for_each_range};
use crate::mm::{frame::FRAME_SIZE, roots};
use crate::{print, println};
use x86_64::PhysAddr;

/// Pages of 4 KiB in the kernel's tables that are the firmware's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaks {
    /// In the EFI window.
    pub window: u64,
    /// Anywhere in the lower half.
    pub low: u64,
    /// Executable pages in the kernel's half that are not the kernel's own: they lie in the firmware's memory.
    pub executable: u64,
}

/// Walks `root`; `is_firmware` tells whether a physical page is the firmware's.
pub fn leaks(memory: &impl TableMemory, root: PhysAddr, is_firmware: impl Fn(u64) -> bool) -> Leaks {
    let mut leaks = Leaks::default();
    for_each_range(memory, root, |range: Range| {
        let pages = range.bytes / FRAME_SIZE;
        if (EFI_VA_END..EFI_VA_START).contains(&range.linear) {
            leaks.window += pages;
        } else if range.linear < DIRECT_MAP_BASE {
            leaks.low += pages;
        } else if range.rights.executable {
            let firmware = (0..pages).filter(|page| is_firmware(range.physical + page * FRAME_SIZE));
            leaks.executable += firmware.count() as u64;
        }
    });
    leaks
}

/// Says what was found.
pub(super) fn kernel_tables(efi: &Efi) {
    let root = roots::by_name("init_top_pgt").expect("the kernel runs on it");
    let is_firmware = |page: u64| {
        let holds = |end: u64, start: u64| start <= page && page < end;
        let mut regions = efi.memmap.iter().filter(memmap::is_runtime);
        regions.any(|region| memmap::end_of(&region).is_some_and(|end| holds(end, region.phys_start)))
    };
    let Leaks { window, low, executable } = leaks(&DirectMap, root, is_firmware);
    if window + low + executable == 0 {
        println!("efi: init_top_pgt holds no EFI mapping");
    } else {
        print!("efi: EFI mappings in init_top_pgt, in pages");
        for (where_, pages) in [("EFI window", window), ("lower half", low), ("direct map, executable", executable)] {
            if pages != 0 {
                print!("; {where_}: {pages}");
            }
        }
        println!();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mm::page_table::test_memory::new_root;
    use crate::mm::page_table::{PageSize, map_page};
    use x86_64::structures::paging::PageTableFlags as Flags;

    /// Goal: each way in which the firmware can get into the kernel's tables is seen, and the kernel's own code is not taken
    /// for it. Method: one page of each.
    #[test]
    fn every_leak_is_seen() {
        let (mut memory, root) = new_root(32);
        let mut map = |linear, physical, flags| {
            map_page(&mut memory, root, linear, physical, PageSize::Size4K, flags).expect("maps");
        };
        map(0xffff_ffff_8000_0000, 0x20_0000, Flags::empty());
        map(DIRECT_MAP_BASE + 0x7f0_0000, 0x7f0_0000, Flags::NO_EXECUTE | Flags::WRITABLE);
        let firmware = |page| page >= 0x7f0_0000;
        let (memory_before, none) = (memory.tables.len(), leaks(&memory, root, firmware));
        assert_eq!((none, memory_before), (Leaks::default(), memory.tables.len()));
        let mut map = |linear, physical| {
            map_page(&mut memory, root, linear, physical, PageSize::Size4K, Flags::WRITABLE).expect("maps");
        };
        map(EFI_VA_END + 0x1000, 0x7f0_0000);
        map(0x7f0_0000, 0x7f0_0000);
        map(DIRECT_MAP_BASE + 0x7f0_1000, 0x7f0_1000);
        assert_eq!(leaks(&memory, root, firmware), Leaks { window: 1, low: 1, executable: 1 });
    }
}

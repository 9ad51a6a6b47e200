//! `trampoline_pgd`: the blob's own top-level table, and the rights of the blob's pages (Linux: `setup_real_mode()` and
//! `set_real_mode_permissions()`). Pure over [`TableMemory`].

use super::frame::FRAME_SIZE;
use super::page_table::{MapError, TABLE_FLAGS, TableMemory, index_of, protect_page, split, table_at, upper_pml4};
use crate::memlayout::{phys_to_virt, pml4_index};
use crate::mistake::{Mistake, Mistakes};
use trampoline::RealModeHeader;
use x86_64::{PhysAddr, structures::paging::PageTableFlags};

/// Fills the blob's top-level table. Slot 0 becomes what the direct map's slot is, so that low memory appears at linear =
/// physical through the same lower tables; the kernel's half is copied whole (Linux since 5.16), so that the kernel is reachable.
/// By mistake, and in Linux before, it is slot 511 alone: of four levels the kernel's image, but no stack; of five levels all.
///
/// # Errors
/// [`MapError::OutOfFrames`], where slot 0 needs a table of its own ([`identity_entry`]).
pub fn fill(
    memory: &mut impl TableMemory,
    init_top_pgt: PhysAddr,
    trampoline_pgd: PhysAddr,
    page_offset: u64,
    mistakes: Mistakes,
) -> Result<(), MapError> {
    let entry = identity_entry(memory, init_top_pgt, page_offset, mistakes)?;
    memory.write_entry(trampoline_pgd, 0, entry);
    let first = if mistakes.has(Mistake::RestartNoKernelMap) { 511 } else { index_of(page_offset, memory.levels()) };
    for slot in first..512 {
        let entry = memory.read_entry(init_top_pgt, slot);
        memory.write_entry(trampoline_pgd, slot, entry);
    }
    Ok(())
}

/// What slot 0 must be for physical memory to be at linear = physical: the direct map's own entry, where the direct map begins
/// with a slot. Where it was moved, a table into which its entries are copied from there on (Linux: `init_trampoline()`); by
/// mistake its own entry even then. With five levels there is a PML4 in between, whose slot 0 is that.
///
/// # Errors
/// [`MapError::OutOfFrames`]
pub fn identity_entry(
    memory: &mut impl TableMemory,
    init_top_pgt: PhysAddr,
    page_offset: u64,
    mistakes: Mistakes,
) -> Result<u64, MapError> {
    let Some(pml4) = upper_pml4(memory, init_top_pgt) else { return Ok(0) };
    let entry = pml4_identity_entry(memory, pml4, page_offset, mistakes)?;
    if memory.levels() == 4 {
        return Ok(entry);
    }
    let pml4 = memory.allocate_table().ok_or(MapError::OutOfFrames)?;
    memory.write_entry(pml4, 0, entry);
    Ok(pml4.as_u64() | TABLE_FLAGS.bits())
}

fn pml4_identity_entry(
    memory: &mut impl TableMemory,
    pml4: PhysAddr,
    page_offset: u64,
    mistakes: Mistakes,
) -> Result<u64, MapError> {
    let slot = pml4_index(page_offset);
    let own = memory.read_entry(pml4, slot);
    let first = index_of(page_offset, 3);
    if first == 0 || mistakes.has(Mistake::IdentitySlot) {
        return Ok(own);
    }
    let Some(from) = table_at(memory, pml4, slot) else { return Ok(own) };
    let to = memory.allocate_table().ok_or(MapError::OutOfFrames)?;
    for index in first..512 {
        let entry = memory.read_entry(from, index);
        memory.write_entry(to, index - first, entry);
    }
    Ok(to.as_u64() | TABLE_FLAGS.bits())
}

/// The `size` bytes of the blob at `base`, in the direct map: all NX, then read-only up to `ro_end`, then executable where
/// the text is. Slot 0 of the trampoline's PML4 shares these tables: with NX there, the AP's first fetch after paging goes
/// on would be its last. The TLB keeps what it has until it is flushed.
///
/// # Errors
/// [`MapError`] if the blob is not mapped or no frame is left for a smaller table.
pub fn set_real_mode_permissions(
    memory: &mut impl TableMemory,
    init_top_pgt: PhysAddr,
    base: PhysAddr,
    size: u64,
    header: &RealModeHeader,
) -> Result<(), MapError> {
    use PageTableFlags as Flags;
    let (text_start, ro_end) = (u64::from(header.text_start), u64::from(header.ro_end));
    for page in (base.as_u64()..base.as_u64() + size).step_by(FRAME_SIZE as usize) {
        let linear = phys_to_virt(PhysAddr::new(page)).as_u64();
        split(memory, init_top_pgt, linear)?;
        protect_page(memory, init_top_pgt, linear, |flags| flags | Flags::NO_EXECUTE)?;
        if page < ro_end {
            protect_page(memory, init_top_pgt, linear, |flags| flags - Flags::WRITABLE)?;
        }
        if (text_start..ro_end).contains(&page) {
            protect_page(memory, init_top_pgt, linear, |flags| flags - Flags::NO_EXECUTE)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use crate::memlayout::DIRECT_MAP_BASE;
    use crate::mm::page_table::test_memory::{new_root, new_root_of};
    use crate::mm::page_table::{PageSize, for_each_range, map_range, walk};
    use std::{vec, vec::Vec};

    const DATA: PageTableFlags =
        PageTableFlags::WRITABLE.union(PageTableFlags::NO_EXECUTE).union(PageTableFlags::GLOBAL);

    /// Goal: low memory is seen at linear = physical with exactly the blob's rights, which are those of the direct map.
    /// Method: a direct map of one large page, the blob in it, the ranges of both views.
    #[test]
    fn the_identity_view_has_the_blobs_rights() {
        let (mut memory, root) = new_root(16);
        let pgd = memory.allocate_table().expect("a table");
        map_range(&mut memory, root, (DIRECT_MAP_BASE, 0, 0x20_0000), PageSize::Size2M, DATA).expect("maps");
        fill(&mut memory, root, pgd, DIRECT_MAP_BASE, Mistakes::default()).expect("fills");
        let header = RealModeHeader {
            text_start: 0x9_b000,
            ro_end: 0x9_c000,
            trampoline_start: 0x9_b000,
            trampoline_header: 0x9_d000,
            trampoline_pgd: 0x9_c000,
            trampoline_start64: 0x9_b080,
            machine_real_restart_asm: 0x9_b100,
            machine_real_restart_seg: 8,
        };
        let base = PhysAddr::new(0x9_a000);
        set_real_mode_permissions(&mut memory, root, base, 0x4000, &header).expect("protects");
        let mut low = Vec::new();
        let mut high = Vec::new();
        for_each_range(&memory, pgd, |range| {
            let seen = (range.linear, range.bytes, range.rights.writable, range.rights.executable, range.rights.global);
            if range.linear < DIRECT_MAP_BASE { low.push(seen) } else { high.push(seen) }
        });
        let expected = vec![
            (0, 0x9_a000, true, false, true),
            (0x9_a000, 0x1000, false, false, true),
            (0x9_b000, 0x1000, false, true, true),
            (0x9_c000, 0x16_4000, true, false, true),
        ];
        assert_eq!(low, expected);
        assert_eq!(high.iter().map(|r| (r.0 - DIRECT_MAP_BASE, r.1, r.2, r.3, r.4)).collect::<Vec<_>>(), expected);
        assert!(walk(&memory, root, 0x9_b000).result.is_err(), "init_top_pgt itself has no identity map");
    }

    /// Goal: a direct map that begins within a slot is seen from linear 0 on; with its own entry it is not. Method: 16 GiB up,
    /// with the mistake and without.
    #[test]
    fn a_moved_direct_map_is_copied_entry_by_entry() {
        let page_offset = DIRECT_MAP_BASE + (16 << 30);
        let (mut memory, root) = new_root(16);
        map_range(&mut memory, root, (page_offset, 0, 2 << 30), PageSize::Size1G, DATA).expect("maps");
        let mut mistake = Mistakes::default();
        mistake.add(Mistake::IdentitySlot);
        for (mistakes, expected) in [(Mistakes::default(), Some(0x4012_3456)), (mistake, None)] {
            let pgd = memory.allocate_table().expect("a table");
            fill(&mut memory, root, pgd, page_offset, mistakes).expect("fills");
            let physical = walk(&memory, pgd, 0x4012_3456).result.ok().map(|(physical, ..)| physical.as_u64());
            assert_eq!(physical, expected);
        }
    }

    /// Goal: with five levels low memory is at linear = physical and the kernel where it was, through its own tables. Method: both
    /// places of the direct map, moved and not, and a page of the kernel's image, walked from the blob's root.
    #[test]
    fn five_levels_have_the_same_addresses() {
        const IMAGE: u64 = 0xffff_ffff_8000_0000;
        for page_offset in [DIRECT_MAP_BASE, DIRECT_MAP_BASE + (16 << 30)] {
            let (mut memory, root) = new_root_of(5, 16);
            map_range(&mut memory, root, (page_offset, 0, 2 << 30), PageSize::Size1G, DATA).expect("maps");
            map_range(&mut memory, root, (IMAGE, 0x20_0000, 0x1000), PageSize::Size4K, DATA).expect("maps");
            let pgd = memory.allocate_table().expect("a table");
            fill(&mut memory, root, pgd, page_offset, Mistakes::default()).expect("fills");
            for (linear, physical) in
                [(0x4012_3456, 0x4012_3456), (page_offset + 0x9_b000, 0x9_b000), (IMAGE, 0x20_0000)]
            {
                let walk = walk(&memory, pgd, linear);
                assert_eq!(walk.steps()[0].level, 5);
                assert_eq!(walk.result.map(|(found, ..)| found.as_u64()), Ok(physical));
            }
            assert_eq!(memory.read_entry(pgd, 511), memory.read_entry(root, 511));
        }
    }

    /// Goal: a blob that the direct map does not cover is an error. Method: a direct map that ends before it.
    #[test]
    fn a_blob_outside_the_direct_map_is_refused() {
        let (mut memory, root) = new_root(16);
        map_range(&mut memory, root, (DIRECT_MAP_BASE, 0, 0x9_b000), PageSize::Size4K, DATA).expect("maps");
        let header = RealModeHeader {
            text_start: 0x9_b000,
            ro_end: 0x9_c000,
            trampoline_start: 0x9_b000,
            trampoline_header: 0x9_d000,
            trampoline_pgd: 0x9_c000,
            trampoline_start64: 0x9_b080,
            machine_real_restart_asm: 0x9_b100,
            machine_real_restart_seg: 8,
        };
        let result = set_real_mode_permissions(&mut memory, root, PhysAddr::new(0x9_a000), 0x4000, &header);
        assert!(matches!(result, Err(MapError::NotMapped { .. })), "{result:?}");
    }
}

//! Page tables in real memory, through the direct map, with frames from the kernel's allocator.
#![allow(unsafe_code)]

use super::frame::{FRAME_SIZE, FrameAllocator};
use super::page_table::{Level, TableMemory, table_at};
use crate::memlayout::{DIRECT_MAP_BASE, LOW_MEMORY_END, phys_to_virt, pml4_index, set_page_offset};
use core::sync::atomic::{AtomicU8, Ordering};
use spin::{Mutex, Once};
use x86_64::registers::control::Cr3;
use x86_64::{PhysAddr, VirtAddr};

static FRAMES: Once<Mutex<FrameAllocator<'static>>> = Once::new();

/// Sets the allocator up over the memory map; afterwards [`allocate`] works.
pub fn init(regions: &'static [super::frame::Region]) {
    FRAMES.call_once(|| Mutex::new(FrameAllocator::new(regions, LOW_MEMORY_END)));
}

/// Moves the direct map up by so many GiB, before anything is kept that lies in it: the loader's tables get it a second time,
/// through the same lower tables. Linux: memory KASLR, arch/x86/mm/kaslr.c.
///
/// # Panics
/// If there is so much memory that the two overlap.
pub fn move_up(gib: u64) {
    if gib == 0 {
        return;
    }
    let (root, _) = Cr3::read();
    let table = table_at(&LoaderTables, root.start_address(), pml4_index(DIRECT_MAP_BASE));
    let table = table.expect("the loader maps physical memory there");
    for index in (0..512 - gib as usize).rev() {
        let entry = DirectMap.read_entry(table, index);
        if entry != 0 {
            let to = index + gib as usize;
            assert!(DirectMap.read_entry(table, to) == 0, "page_offset_gib={gib}: there is more memory than that");
            DirectMap.write_entry(table, to, entry);
        }
    }
    set_page_offset(DIRECT_MAP_BASE + (gib << 30));
}

/// `count` consecutive frames, zeroed, aligned to `align` bytes.
///
/// # Panics
/// If memory is used up, or before [`init`]: nothing can be started without.
pub fn allocate(count: u64, align: u64) -> PhysAddr {
    try_allocate(count, align)
        .unwrap_or_else(|| panic!("out of memory: no {count} consecutive frames of 4 KiB are left"))
}

fn try_allocate(count: u64, align: u64) -> Option<PhysAddr> {
    let physical = FRAMES.get()?.lock().allocate(count, align)?;
    // SAFETY: 1. the allocator hands out usable memory, and each frame once, so nobody else refers to it; 2. the direct
    // map covers all usable memory, in the loader's tables and in ours.
    unsafe {
        core::ptr::write_bytes(phys_to_virt(physical).as_mut_ptr::<u8>(), 0, (count * FRAME_SIZE) as usize);
    }
    Some(physical)
}

/// Frames handed out and frames left.
pub fn usage() -> (u64, u64) {
    FRAMES.get().map_or((0, 0), |frames| {
        let frames = frames.lock();
        (frames.allocated(), frames.free())
    })
}

/// Levels of the kernel's tables.
static LEVELS: AtomicU8 = AtomicU8::new(4);

/// The kernel's tables get five levels. To be called before the first of them is made.
pub fn use_five_levels() {
    LEVELS.store(5, Ordering::Relaxed);
}

/// The kernel's page tables, in RAM.
#[derive(Clone, Copy, Debug)]
pub struct DirectMap;

/// The loader's page tables, in RAM: four levels.
#[derive(Clone, Copy, Debug)]
pub struct LoaderTables;

/// Linear address of an entry.
fn entry_linear(table: PhysAddr, index: usize) -> VirtAddr {
    assert!(index < 512, "a page table has 512 entries");
    phys_to_virt(table) + (index * 8) as u64
}

impl TableMemory for DirectMap {
    fn read_entry(&self, table: PhysAddr, index: usize) -> u64 {
        // SAFETY: tables are allocated frames (or the loader's), mapped in the direct map; an aligned u64 is read, and
        // volatile because the processor sets A and D bits.
        unsafe { entry_linear(table, index).as_ptr::<u64>().read_volatile() }
    }

    fn write_entry(&mut self, table: PhysAddr, index: usize, entry: u64) {
        // SAFETY: as above; only the boot CPU writes tables, and only the kernel's own.
        unsafe { entry_linear(table, index).as_mut_ptr::<u64>().write_volatile(entry) }
    }

    fn allocate_table(&mut self) -> Option<PhysAddr> {
        try_allocate(1, FRAME_SIZE)
    }
    fn levels(&self) -> Level {
        LEVELS.load(Ordering::Relaxed)
    }
}

impl TableMemory for LoaderTables {
    fn read_entry(&self, table: PhysAddr, index: usize) -> u64 {
        DirectMap.read_entry(table, index)
    }

    fn write_entry(&mut self, table: PhysAddr, index: usize, entry: u64) {
        DirectMap.write_entry(table, index, entry);
    }

    fn allocate_table(&mut self) -> Option<PhysAddr> {
        DirectMap.allocate_table()
    }

    fn levels(&self) -> Level {
        4
    }
}

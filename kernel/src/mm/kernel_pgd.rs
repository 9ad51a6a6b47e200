//! `init_top_pgt`: the kernel's own page tables. See `memlayout.rs` for the picture.
#![allow(unsafe_code)]

use super::direct_map::{self, DirectMap, LoaderTables};
use super::frame::{FRAME_SIZE, Region, RegionKind};
use super::page_table::{MapError, PageSize, map_page, map_range, walk};
use super::roots::init_top_pgt_paddr;
use crate::arch::{cpu, cpuid};
use crate::memlayout::{FRAMEBUFFER_LINEAR, IO_APIC_LINEAR, KERNEL_IMAGE_BASE, LOCAL_APIC_LINEAR, page_offset};
use crate::screen;
use core::sync::atomic::Ordering;
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};
use x86_64::{PhysAddr, structures::paging::PageTableFlags as Flags};

unsafe extern "C" {
    // Page-aligned, from kernel.ld.
    static _text: u8;
    static _etext: u8;
    static __start_rodata: u8;
    static __end_rodata: u8;
    static _sdata: u8;
    static _end: u8;
}

/// The parts of the image: name, first and last linear address, rights.
fn image_parts() -> [(&'static str, u64, u64, Flags); 3] {
    let (global, nx) = (Flags::GLOBAL, Flags::NO_EXECUTE);
    [
        ("text", &raw const _text as u64, &raw const _etext as u64, global),
        ("rodata", &raw const __start_rodata as u64, &raw const __end_rodata as u64, global | nx),
        ("data", &raw const _sdata as u64, &raw const _end as u64, global | nx | Flags::WRITABLE),
    ]
}

/// Physical addresses of memory-mapped devices.
#[derive(Clone, Copy, Debug)]
pub struct Devices {
    /// The local APICs' page, unless their registers are MSRs.
    pub local_apic: Option<u64>,
    /// The I/O APIC's page, if there is one.
    pub io_apic: Option<u64>,
}

/// Builds `init_top_pgt`, while the loader's tables are still in use. Loads nothing.
///
/// # Panics
/// If the memory map or the image cannot be mapped: the kernel cannot go on without.
pub fn build(regions: &[Region], devices: Devices, kaiser: bool) -> PhysAddr {
    assert!(&raw const _text as u64 == KERNEL_IMAGE_BASE, "kernel.ld and memlayout.rs disagree");
    let memory = &mut DirectMap;
    let root = allocate_root(kaiser);
    try_build(memory, root, regions, devices).unwrap_or_else(|error| panic!("init_top_pgt: {error}"));
    init_top_pgt_paddr.store(root.as_u64(), Ordering::Release);
    root
}

/// A root. With page-table isolation it has the user's behind it, so that one bit of CR3 tells them apart.
pub fn allocate_root(kaiser: bool) -> PhysAddr {
    if kaiser { direct_map::allocate(2, 2 * FRAME_SIZE) } else { direct_map::allocate(1, FRAME_SIZE) }
}

fn try_build(memory: &mut DirectMap, root: PhysAddr, regions: &[Region], devices: Devices) -> Result<(), MapError> {
    // The loader put the image's pages where it liked: ask its tables, page by page.
    let (loader_root, _) = Cr3::read();
    for (name, start, end, flags) in image_parts() {
        for linear in (start..end).step_by(FRAME_SIZE as usize) {
            let Ok((physical, ..)) = walk(&LoaderTables, loader_root.start_address(), linear).result else {
                panic!("the loader did not map the kernel's {name} at {linear:016x}");
            };
            map_page(memory, root, linear, physical.as_u64(), PageSize::Size4K, flags)?;
        }
    }
    let data = Flags::WRITABLE | Flags::NO_EXECUTE | Flags::GLOBAL;
    let largest = if cpuid::has_1g_pages() { PageSize::Size1G } else { PageSize::Size2M };
    for (start, end) in MergedRegions::new(regions) {
        map_range(memory, root, (page_offset() + start, start, end - start), largest, data)?;
    }
    let device = data | Flags::NO_CACHE | Flags::WRITE_THROUGH;
    if let Some(local_apic) = devices.local_apic {
        map_page(memory, root, LOCAL_APIC_LINEAR, local_apic, PageSize::Size4K, device)?;
    }
    if let Some(io_apic) = devices.io_apic {
        map_page(memory, root, IO_APIC_LINEAR, io_apic, PageSize::Size4K, device)?;
    }
    map_framebuffer(memory, root, loader_root.start_address())
}

/// Maps the screen's memory, where there is one and the loader mapped it as one stretch of physical memory.
fn map_framebuffer(memory: &mut DirectMap, root: PhysAddr, loader_root: PhysAddr) -> Result<(), MapError> {
    let Some((linear, bytes)) = screen::memory() else { return Ok(()) };
    let first_page = linear & !(FRAME_SIZE - 1);
    let pages = (linear + bytes - first_page).div_ceil(FRAME_SIZE);
    let physical = |page: u64| {
        walk(&LoaderTables, loader_root, first_page + page * FRAME_SIZE).result.map(|found| found.0.as_u64())
    };
    let Ok(start) = physical(0) else { return Ok(()) };
    if (1..pages).any(|page| physical(page) != Ok(start + page * FRAME_SIZE)) {
        return Ok(());
    }
    // At the same place within 2 MiB, so that large pages fit.
    let own = FRAMEBUFFER_LINEAR + start % PageSize::Size2M.bytes();
    if own + pages * FRAME_SIZE > IO_APIC_LINEAR {
        return Ok(());
    }
    let flags = Flags::WRITABLE | Flags::NO_EXECUTE | Flags::GLOBAL | Flags::NO_CACHE;
    map_range(memory, root, (own, start, pages * FRAME_SIZE), PageSize::Size2M, flags)?;
    screen::mapped_at(own + linear % FRAME_SIZE);
    Ok(())
}

/// The memory of the map, with what touches merged so that large pages fit: the direct map does not care what memory is
/// for, but devices and reserved ranges are not in it.
struct MergedRegions<'a> {
    rest: core::iter::Peekable<core::slice::Iter<'a, Region>>,
    /// Up to here everything was told: maps of bad firmware have regions that overlap.
    told: u64,
}

impl<'a> MergedRegions<'a> {
    fn new(regions: &'a [Region]) -> Self {
        Self { rest: regions.iter().peekable(), told: 0 }
    }
}

impl Iterator for MergedRegions<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let is_memory = |region: &Region| !matches!(region.kind, RegionKind::Reserved(_));
        let told = self.told;
        let first = self.rest.find(|region| is_memory(region) && region.end > region.start.max(told))?;
        let mut end = first.end;
        while let Some(next) = self.rest.next_if(|next| is_memory(next) && next.start <= end) {
            end = end.max(next.end);
        }
        self.told = end;
        Some((first.start.max(told), end))
    }
}

/// Loads `init_top_pgt` and goes on at `go_on` on the stack that ends at `stack_top`: the loader's stack, like all that
/// the loader mapped, is gone. Global pages are switched on afterwards, so that none of the loader's can stay.
///
/// # Safety
/// `root` comes from [`build`]; `stack_top` is 16-byte aligned, mapped by it, and nobody else's stack.
pub unsafe fn switch_to(root: PhysAddr, stack_top: u64, go_on: extern "C" fn() -> !) -> ! {
    // SAFETY: clearing PGE only flushes the TLB.
    unsafe { Cr4::update(|cr4| cr4.remove(Cr4Flags::PAGE_GLOBAL)) };
    // SAFETY: 1. this code is in the image, which both tables map at the same place; 2. the caller vouches for the
    // stack; 3. nothing returns here, so that the old stack is not needed again.
    unsafe {
        core::arch::asm!(
            "mov cr3, {root}",
            "mov cr4, {cr4}",
            "mov rsp, {stack}",
            "xor ebp, ebp",
            "call {go_on}",
            "ud2",
            root = in(reg) root.as_u64(),
            cr4 = in(reg) cpu::mmu_cr4_features(),
            stack = in(reg) stack_top,
            go_on = in(reg) go_on,
            options(noreturn)
        );
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    /// Goal: neighbours become one range whatever they hold, gaps stay. Method: three regions, two of them touching.
    #[test]
    fn regions_that_touch_are_merged() {
        let region = |start, end, kind| Region { start, end, kind };
        let regions = [
            region(0, 0x9_f000, RegionKind::Usable),
            region(0x10_0000, 0x20_0000, RegionKind::Loader),
            region(0x20_0000, 0x400_0000, RegionKind::Usable),
            region(0x400_0000, 0x500_0000, RegionKind::Reserved(0)),
            region(0x500_0000, 0x600_0000, RegionKind::Firmware(10)),
        ];
        let mut merged = MergedRegions::new(&regions);
        assert_eq!(merged.next(), Some((0, 0x9_f000)));
        assert_eq!(merged.next(), Some((0x10_0000, 0x400_0000)));
        assert_eq!(merged.next(), Some((0x500_0000, 0x600_0000)));
        assert_eq!(merged.next(), None);
    }

    /// Goal: a map of bad firmware makes no page twice and no page of nothing. Method: regions that overlap around a reserved
    /// one, one inside another, and an empty one.
    #[test]
    fn regions_that_overlap_are_told_once() {
        let region = |start, end, kind| Region { start, end, kind };
        let regions = [
            region(0x1000, 0x9000, RegionKind::Usable),
            region(0x2000, 0x3000, RegionKind::Reserved(0)),
            region(0x4000, 0x5000, RegionKind::Loader),
            region(0x8000, 0xa000, RegionKind::Usable),
            region(0xc000, 0xc000, RegionKind::Usable),
        ];
        let merged: std::vec::Vec<_> = MergedRegions::new(&regions).collect();
        assert_eq!(merged, [(0x1000, 0x9000), (0x9000, 0xa000)]);
    }
}

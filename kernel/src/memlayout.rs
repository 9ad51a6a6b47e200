//! The kernel's address space: every fixed linear address, all in the upper half, as in Linux
//! (Documentation/arch/x86/x86_64/mm.rst).
//!
//! ```text
//! slot 273   ffff_8880_0000_0000   direct map: all RAM, linear = physical + DIRECT_MAP_BASE      RW NX global
//! slot 402   ffff_c900_0000_0000   pages of the stress test, once it ran                            RW NX global
//! slot 402   ffff_c900_0000_0000   devices of the firmware's, with efi=old_map alone              RW NX uncached
//! slot 511   ffff_ffff_8000_0000   the kernel's image: text RX, rodata R, data RW                global
//!            ffff_ffff_c000_0000   framebuffer, where there is one                               RW NX uncached
//!            ffff_ffff_ff5f_b000   I/O APIC                                                      RW NX uncached
//!            ffff_ffff_ff5f_c000   local APIC (every CPU sees its own)                           RW NX uncached
//! ```
//!
//! The slots are those of a PML4: the root, or with `la57=on` what the PML5's slot 511 leads to, so that no address differs.
//! `page_offset_gib=N` moves the direct map up within its slot. The lower half is empty in `init_top_pgt`: there is no identity
//! map. The firmware's memory is in `efi_pgd` ([`crate::mm::efi_pgd`]).

use core::sync::atomic::{AtomicU64, Ordering};
use x86_64::{PhysAddr, VirtAddr};

/// Start of the direct map, as `PAGE_OFFSET` in Linux without KASLR. The loader maps all memory here as well.
pub const DIRECT_MAP_BASE: u64 = 0xffff_8880_0000_0000;

/// The furthest that the direct map can be moved up: half of its slot, and the other half is for memory.
pub const MAX_PAGE_OFFSET_GIB: u64 = 256;

/// Where the direct map is. Linux's name.
#[allow(non_upper_case_globals)]
static page_offset_base: AtomicU64 = AtomicU64::new(DIRECT_MAP_BASE);

/// Start of the direct map: [`DIRECT_MAP_BASE`], unless the options move it.
pub fn page_offset() -> u64 {
    page_offset_base.load(Ordering::Relaxed)
}

/// From here on [`phys_to_virt`] counts from there. The tables in use must have the direct map in both places.
pub fn set_page_offset(linear: u64) {
    page_offset_base.store(linear, Ordering::Relaxed);
}

/// Where `efi=old_map` maps the firmware's devices, at the same distance as the direct map memory: `VMALLOC_START` in Linux.
pub const IOREMAP_BASE: u64 = 0xffff_c900_0000_0000;

/// Where the kernel is linked, as `__START_KERNEL_map` in Linux.
pub const KERNEL_IMAGE_BASE: u64 = 0xffff_ffff_8000_0000;

/// The framebuffer, with room up to [`IO_APIC_LINEAR`]: in the slot that every table of the kernel's shares.
pub const FRAMEBUFFER_LINEAR: u64 = 0xffff_ffff_c000_0000;

/// The I/O APIC's registers.
pub const IO_APIC_LINEAR: u64 = 0xffff_ffff_ff5f_b000;

/// The local APIC's registers.
pub const LOCAL_APIC_LINEAR: u64 = 0xffff_ffff_ff5f_c000;

/// Pages that the stress test maps and unmaps; where vmalloc begins in Linux.
pub const STRESS_BASE: u64 = 0xffff_c900_0000_0000;

/// The first megabyte is kept for real mode and firmware; frames come from above it.
pub const LOW_MEMORY_END: u64 = 1 << 20;

/// The most CPUs that xAPIC can name: APIC ID FFh is the broadcast.
pub const MAX_CPUS: usize = 255;

/// PML4 slot of a linear address. With five levels all of the above lies in the PML4 that the PML5's last slot leads to.
pub const fn pml4_index(linear: u64) -> usize {
    (linear >> 39) as usize & 0x1ff
}

/// The direct map's linear address of a physical one.
pub fn phys_to_virt(physical: PhysAddr) -> VirtAddr {
    VirtAddr::new(page_offset() + physical.as_u64())
}

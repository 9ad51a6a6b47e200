//! The page-table roots by name: PML4s, or PML5s with la57=on. The debugger's profile points at these statics.
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicU64, Ordering};
use x86_64::PhysAddr;

/// Physical address of the kernel's root; 0 while it is not made. `secondary_startup_64` loads CR3 from here: the
/// kernel's image may lie anywhere in memory, so that the address cannot be computed at link time as Linux does.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub static init_top_pgt_paddr: AtomicU64 = AtomicU64::new(0);

/// Physical address of the blob's root; 0 while it is not made.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub static trampoline_pgd_paddr: AtomicU64 = AtomicU64::new(0);

/// Physical address of the firmware's root; 0 while it is not made.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
pub static efi_pgd_paddr: AtomicU64 = AtomicU64::new(0);

/// Names of the roots, as [`by_name`] takes them.
pub const NAMES: [&str; 3] = ["init_top_pgt", "trampoline_pgd", "efi_pgd"];

/// The root of that name; `None` if there is no such name or it is not made yet.
pub fn by_name(name: &str) -> Option<PhysAddr> {
    let root = match name {
        "init_top_pgt" => &init_top_pgt_paddr,
        "trampoline_pgd" => &trampoline_pgd_paddr,
        "efi_pgd" => &efi_pgd_paddr,
        _ => return None,
    };
    let physical = root.load(Ordering::Acquire);
    (physical != 0).then(|| PhysAddr::new(physical))
}

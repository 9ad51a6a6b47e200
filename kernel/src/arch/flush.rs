//! What drops translations from this CPU's TLB (SDM volume 3A, "Invalidation of TLBs and Paging-Structure Caches"). Where the
//! CPUs run with process-context identifiers and have INVPCID, that is used; otherwise INVLPG, MOV CR3 and CR4.PGE do it.
//! Linux: arch/x86/include/asm/invpcid.h, arch/x86/mm/tlb.c. The other CPUs are told by `smp/tlb.rs`.
//!
//! ```text
//! PCID 0   the kernel's tables, and trampoline_pgd; its pages are global but with kaiser=on
//! PCID 1   efi_pgd, with INVPCID alone: Linux gives efi_mm one of its own since 4.17
//! ```
#![allow(unsafe_code)]

use core::sync::atomic::{AtomicBool, Ordering};
use x86_64::VirtAddr;
use x86_64::instructions::tlb::{self, InvPcidCommand, Pcid};
use x86_64::registers::control::{Cr3, Cr4, Cr4Flags};

/// The firmware's tables.
const EFI_PCID: Pcid = match Pcid::new(1) {
    Ok(pcid) => pcid,
    Err(_) => panic!("a PCID has 12 bits"),
};

/// MOV CR3 with this bit drops nothing. Only with CR4.PCIDE.
const CR3_NO_FLUSH: u64 = 1 << 63;

/// INVPCID is used, and the firmware's tables have an identifier of their own.
static INVPCID: AtomicBool = AtomicBool::new(false);

/// From here on INVPCID is used: CR4.PCIDE is set, and the processor has it.
pub(super) fn use_invpcid() {
    INVPCID.store(true, Ordering::Release);
}

fn has_invpcid() -> bool {
    INVPCID.load(Ordering::Acquire)
}

fn invpcid(command: InvPcidCommand) {
    // SAFETY: the processor has INVPCID, and to forget a translation changes none.
    unsafe { tlb::flush_pcid(command) };
}

/// What CR3 is loaded with for the firmware's tables, and which bits of CR3 have to be set besides on the way back: where they
/// have an identifier of their own, nothing is dropped either way.
pub fn efi_cr3(root: u64) -> (u64, u64) {
    if has_invpcid() { (root | u64::from(EFI_PCID.value()) | CR3_NO_FLUSH, CR3_NO_FLUSH) } else { (root, 0) }
}

/// Drops everything, global entries and those of all identifiers included, as Linux's `__flush_tlb_all()`.
pub fn all() {
    if has_invpcid() {
        return invpcid(InvPcidCommand::All);
    }
    let before = Cr4::read();
    let (root, flags) = Cr3::read();
    // SAFETY: toggling PGE changes what the TLB keeps and nothing else; where it is off MOV CR3 drops everything, and the value
    // is the one that is there.
    unsafe {
        Cr4::write(before - Cr4Flags::PAGE_GLOBAL);
        if before.contains(Cr4Flags::PAGE_GLOBAL) {
            Cr4::write(before);
        } else {
            Cr3::write(root, flags);
        }
    }
}

/// Drops a page of the kernel's half. INVLPG drops it also if it is global, which INVPCID does not, but otherwise for the
/// identifier in use alone; the firmware's tables have the kernel's half too.
pub fn page(linear: u64) {
    let linear = VirtAddr::new_truncate(linear);
    tlb::flush(linear);
    if has_invpcid() {
        invpcid(InvPcidCommand::Address(linear, EFI_PCID));
    }
}

/// Drops what is known of the firmware's tables and not global. Without an identifier of their own every MOV CR3 does.
pub fn efi() {
    if has_invpcid() {
        invpcid(InvPcidCommand::Single(EFI_PCID));
    }
}

//! Control registers at boot, waiting and stopping.
#![allow(unsafe_code)]

use super::{cpuid, flush};
use crate::mistake::{Mistake, Mistakes};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use x86_64::instructions::{hlt, interrupts};
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};

/// What CR0 holds while the kernel runs, Linux's CR0_STATE: PG, AM, WP, NE, ET, MP, PE. The APs load it in the trampoline.
pub const CR0_STATE: Cr0Flags = Cr0Flags::PAGING
    .union(Cr0Flags::ALIGNMENT_MASK)
    .union(Cr0Flags::WRITE_PROTECT)
    .union(Cr0Flags::NUMERIC_ERROR)
    .union(Cr0Flags::EXTENSION_TYPE)
    .union(Cr0Flags::MONITOR_COPROCESSOR)
    .union(Cr0Flags::PROTECTED_MODE_ENABLE);

/// Brings the boot CPU's control registers to what all CPUs use, whatever the loader left. PCIDE goes off: the kernel
/// has one address space; [`enable_pcid`] switches it on again, if that is wanted.
///
/// # Panics
/// If the loader switched to 5-level paging: the contract is that it leaves four levels, from which `mm/la57.rs` goes on.
pub fn init_boot_cpu() {
    assert!(!Cr4::read().contains(Cr4Flags::L5_PAGING), "the loader switched to 5-level paging (CR4.LA57)");
    // SAFETY: the loader entered in long mode, so PG, PE and LME stay as they are; WP only forbids writes to read-only
    // pages, of which the kernel makes none; NXE, where the processor has it, gives NX in entries its meaning, which the
    // loader's tables use already.
    unsafe {
        Efer::update(|efer| {
            efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS);
            efer.set(EferFlags::NO_EXECUTE_ENABLE, cpuid::has_nx());
        });
        Cr0::write(CR0_STATE);
        Cr4::update(|cr4| cr4.remove(Cr4Flags::PCID));
    }
}

/// CR4 as all CPUs have it while the kernel runs, but for PCIDE, which is set later; read by `secondary_startup_64`. Linux's name.
// SAFETY: no other symbol has this name.
#[unsafe(export_name = "mmu_cr4_features")]
static MMU_CR4_FEATURES: AtomicU64 = AtomicU64::new(0);

/// See [`choose_cr4`].
pub fn mmu_cr4_features() -> u64 {
    MMU_CR4_FEATURES.load(Ordering::Acquire)
}

/// Chooses CR4 for all CPUs: what the boot CPU has, with global pages and five levels where they are wanted. Entries that
/// survive MOV CR3 would be seen on the user's tables: with page-table isolation there are no global pages.
pub fn choose_cr4(five_levels: bool, global_pages: bool) {
    let mut cr4 = Cr4::read() - Cr4Flags::PCID;
    cr4.set(Cr4Flags::PAGE_GLOBAL, global_pages);
    cr4.set(Cr4Flags::L5_PAGING, five_levels);
    MMU_CR4_FEATURES.store(cr4.bits(), Ordering::Release);
}

/// Whether this CPU runs on page tables of five levels.
pub fn has_five_levels() -> bool {
    Cr4::read().contains(Cr4Flags::L5_PAGING)
}

/// By mistake, and in Linux before 5-level paging: a constant for the APs.
pub fn choose_constant_cr4() {
    let constant =
        Cr4Flags::PHYSICAL_ADDRESS_EXTENSION | Cr4Flags::PAGE_GLOBAL | Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    MMU_CR4_FEATURES.store(constant.bits(), Ordering::Release);
}

/// The CPUs run with CR4.PCIDE.
static PCIDE: AtomicBool = AtomicBool::new(false);

/// Switches process-context identifiers on, for this CPU now and for each AP as soon as it executes Rust. The kernel has one
/// address space and uses identifier 0 for it. Returns a sentence for the log.
pub fn enable_pcid() -> &'static str {
    if !cpuid::has_pcid() {
        return "pcid=on: this processor has no PCIDs";
    }
    PCIDE.store(true, Ordering::Release);
    set_pcide();
    if !cpuid::has_invpcid() {
        return "CR4.PCIDE is on; without INVPCID there is one PCID, 0";
    }
    flush::use_invpcid();
    "CR4.PCIDE is on; INVPCID drops translations, and the firmware's tables have PCID 1"
}

/// Sets CR4.PCIDE where the CPUs run with it: here, and not in the trampoline, since only long mode allows it.
pub fn set_pcide() {
    if PCIDE.load(Ordering::Acquire) {
        // SAFETY: the processor has PCIDs, this is long mode, and bits 11:0 of CR3 are 0: the tables are page-aligned and
        // have neither PWT nor PCD. With identifier 0 alone nothing changes in what the TLB may keep.
        unsafe { Cr4::update(|cr4| cr4.insert(Cr4Flags::PCID)) };
    }
}

/// Values for the trampoline header: EFER without LMA, CR4 without PCIDE; or as they are, by mistake. LA57 is in it as soon as
/// it is chosen: the boot CPU goes through the trampoline to get it.
pub fn trampoline_state(mistakes: Mistakes) -> (u64, u32) {
    let (mut efer, mut cr4) = (Efer::read_raw(), Cr4::read_raw());
    cr4 |= mmu_cr4_features() & Cr4Flags::L5_PAGING.bits();
    if !mistakes.has(Mistake::EferLma) {
        efer &= !EferFlags::LONG_MODE_ACTIVE.bits();
    }
    if mistakes.has(Mistake::NoNxe) {
        efer &= !EferFlags::NO_EXECUTE_ENABLE.bits();
    }
    if !mistakes.has(Mistake::Cr4Pcide) {
        cr4 &= !Cr4Flags::PCID.bits();
    }
    // The bits of CR4 that are defined above bit 31 are not used here.
    (efer, cr4 as u32)
}

/// Stops this CPU for good.
pub fn stop() -> ! {
    loop {
        interrupts::disable();
        hlt();
    }
}

/// Shuts this CPU down: an exception for which there is no gate, nor one for the double fault. A PC resets then.
pub fn triple_fault() -> ! {
    #[repr(C, packed)]
    struct Nowhere {
        limit: u16,
        base: u64,
    }
    let nowhere = Nowhere { limit: 0, base: 0 };
    // SAFETY: that nothing can be handled any more is the purpose.
    unsafe { core::arch::asm!("lidt [{}]", "int3", in(reg) &nowhere) };
    stop()
}

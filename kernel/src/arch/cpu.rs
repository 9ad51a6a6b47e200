//! Control registers at boot, waiting and stopping.
#![allow(unsafe_code)]

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
/// has one address space, and a CR4 with PCIDE could not be loaded by an AP in 32-bit code.
///
/// # Panics
/// If the loader switched to 5-level paging, which this kernel's tables do not have.
pub fn init_boot_cpu() {
    assert!(!Cr4::read().contains(Cr4Flags::L5_PAGING), "the loader switched to 5-level paging (CR4.LA57)");
    // SAFETY: the loader entered in long mode, so PG, PE and LME stay as they are; WP only forbids writes to read-only
    // pages, of which the kernel makes none; NXE gives NX in entries its meaning, which the loader's tables use already.
    unsafe {
        Efer::update(|efer| efer.insert(EferFlags::SYSTEM_CALL_EXTENSIONS | EferFlags::NO_EXECUTE_ENABLE));
        Cr0::write(CR0_STATE);
        Cr4::update(|cr4| cr4.remove(Cr4Flags::PCID));
    }
}

/// Values for the trampoline header: EFER without LMA, CR4 without PCIDE.
pub fn trampoline_state() -> (u64, u32) {
    let efer = Efer::read_raw() & !EferFlags::LONG_MODE_ACTIVE.bits();
    let cr4 = Cr4::read_raw() & !Cr4Flags::PCID.bits();
    // The bits of CR4 that are defined above bit 31 are not used here.
    (efer, cr4 as u32)
}

/// Waits for interrupts for ever: what a CPU does when it has nothing to do. No periodic tick wakes it.
pub fn idle() -> ! {
    loop {
        interrupts::enable_and_hlt();
    }
}

/// Stops this CPU for good.
pub fn stop() -> ! {
    loop {
        interrupts::disable();
        hlt();
    }
}

//! What the processor must be able to do, and the jump into the kernel (`asm/enter_kernel.S`).

use crate::error::BootError;
use core::arch::asm;
use core::arch::x86_64::__cpuid;
use core::ops::Range;
use loader::{Entry, Processor};

unsafe extern "sysv64" {
    fn enter_kernel(cr3: u64, rip: u64, rsp: u64, boot_info: u64, gdtr: &TableRegister, idtr: &TableRegister) -> !;
    fn enter_kernel_end();
}

/// The operand of LGDT and LIDT (SDM 2A "LGDT/LIDT").
#[repr(C, packed)]
struct TableRegister {
    limit: u16,
    base: u64,
}

/// Looks at the processor and at how the firmware runs it.
pub fn processor() -> Result<Processor, BootError> {
    // Every processor with long mode has this leaf.
    let features = __cpuid(0x8000_0001).edx;
    let cr4: u64;
    // SAFETY: UEFI applications run at CPL 0, where reading CR4 is allowed and changes nothing.
    unsafe { asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack, preserves_flags)) };
    Processor::check(features, cr4).map_err(BootError::Processor)
}

/// Physical addresses of the code that runs on both the firmware's tables and the kernel's.
pub fn code() -> Range<u64> {
    let (start, end) = (enter_kernel as *const (), enter_kernel_end as *const ());
    start as u64..end as u64
}

/// No interrupt from here on: the firmware that would handle it is going.
pub fn disable_interrupts() {
    // SAFETY: CPL 0. Nothing waits for an interrupt any more.
    unsafe { asm!("cli", options(nomem, nostack)) };
}

/// Enters the kernel.
pub fn enter(entry: &Entry) -> ! {
    /// The loader's GDT: null, code, data.
    const GDT_LIMIT: u16 = 3 * 8 - 1;
    let gdtr = TableRegister { limit: GDT_LIMIT, base: entry.gdt_paddr };
    let idtr = TableRegister { limit: 0, base: 0 };
    // SAFETY: 1. the library built the tables behind `entry`: they map the kernel, its stack, the GDT, and `code()` where
    // it lies now; 2. boot services are gone and interrupts off, so nobody needs what is no longer mapped.
    unsafe { enter_kernel(entry.cr3, entry.rip, entry.rsp, entry.rdi, &gdtr, &idtr) }
}

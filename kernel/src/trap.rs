//! Exceptions and interrupts, after `asm/traps.S` has saved the registers. The kernel has no exception that it mends: each
//! is printed in words and ends the kernel. Interrupts go to the console and to `smp::ipi`.
#![allow(unsafe_code)]

use crate::arch::{lapic, percpu, port};
use crate::println;
use crate::report::{ErrorCode, exception_name};
use crate::smp::{ipi, irq, stop, tlb};
use core::sync::atomic::{AtomicU64, Ordering};
use x86_64::registers::control::{Cr2, Cr3};

/// What the stubs push, lowest address first.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TrapFrame {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    rbp: u64,
    rdi: u64,
    rsi: u64,
    rdx: u64,
    rcx: u64,
    rbx: u64,
    rax: u64,
    vector: u64,
    error_code: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// What an NMI's handler leaves of CR3; 0: it leaves it alone. `asm/traps.S` reads it.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static nmi_cr3_mask: AtomicU64 = AtomicU64::new(0);

/// Has the handler of an NMI run on the kernel's page tables, wherever it came: as KAISER, Linux's first page-table isolation,
/// did (4.4.110, SWITCH_KERNEL_CR3 for paranoid entries). The tables for user mode would lie behind the kernel's, 4 KiB up.
pub fn set_kaiser(on: bool) {
    const USERS_TABLE: u64 = 1 << 12;
    nmi_cr3_mask.store(if on { !USERS_TABLE } else { 0 }, Ordering::Release);
}

/// Whether [`set_kaiser`] switched that on.
pub fn is_kaiser() -> bool {
    nmi_cr3_mask.load(Ordering::Acquire) != 0
}

/// First vector that is not an exception.
const FIRST_INTERRUPT: u64 = 32;
const NMI: u64 = 2;

/// Called by `trap_common` in `asm/traps.S`, on the stack that the frame lies on, interrupts off.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn trap_handler(frame: &TrapFrame) {
    match frame.vector {
        NMI => {
            let cr3 = Cr3::read_raw().0.start_address().as_u64();
            stop::on_nmi(frame.rip, frame.rsp, frame.rflags, cr3);
            if !tlb::on_nmi(frame.rip, frame.rsp, frame.rflags, cr3) {
                ipi::on_nmi();
            }
        }
        vector if vector < FIRST_INTERRUPT => die(frame),
        vector => on_interrupt(vector as u8),
    }
}

fn on_interrupt(vector: u8) {
    match vector {
        // Not in service, so there is nothing to end.
        lapic::SPURIOUS_VECTOR => {}
        irq::COM1_VECTOR => {
            crate::console::on_interrupt();
            lapic::end_of_interrupt();
        }
        irq::KEYBOARD_VECTOR => {
            crate::keyboard::on_interrupt();
            lapic::end_of_interrupt();
        }
        tlb::VECTOR => {
            tlb::on_interrupt();
            lapic::end_of_interrupt();
        }
        vector => {
            lapic::end_of_interrupt();
            ipi::on_interrupt(vector);
        }
    }
}

/// Prints an exception and ends the kernel.
fn die(frame: &TrapFrame) -> ! {
    stop::begin(port::ExitCode::Fault);
    let vector = frame.vector as u8;
    let (mnemonic, name) = exception_name(vector);
    match percpu::try_current() {
        Some(cpu) => println!("\nCPU {}: {mnemonic}, {name}, at {:016x}", cpu.number, frame.rip),
        None => println!("\nboot CPU: {mnemonic}, {name}, at {:016x}", frame.rip),
    }
    if matches!(vector, 8 | 10..=14 | 17 | 21) {
        println!("  error code {}", ErrorCode { vector, code: frame.error_code });
    }
    if vector == 14 {
        println!("  CR2 = {:016x}, the linear address", Cr2::read_raw());
    }
    let (root, _) = Cr3::read();
    println!("  CR3 = {:x}  CS = {:#x}  RFLAGS = {:#x}", root.start_address(), frame.cs, frame.rflags);
    println!("  RAX {:016x} RBX {:016x} RCX {:016x} RDX {:016x}", frame.rax, frame.rbx, frame.rcx, frame.rdx);
    println!("  RSI {:016x} RDI {:016x} RBP {:016x} RSP {:016x}", frame.rsi, frame.rdi, frame.rbp, frame.rsp);
    println!("  R8  {:016x} R9  {:016x} R10 {:016x} R11 {:016x}", frame.r8, frame.r9, frame.r10, frame.r11);
    println!("  R12 {:016x} R13 {:016x} R14 {:016x} R15 {:016x}", frame.r12, frame.r13, frame.r14, frame.r15);
    println!("The kernel stops: it has no way to go on from an exception of its own.");
    stop::end(port::ExitCode::Fault)
}

//! The blob itself: nothing but the assembly under `asm/`, put together by `blob.ld`. Built for the guest only; the
//! kernel's build script flattens the linked file and reads symbols and relocations out of it.
#![no_std]
#![no_main]
// The two far jumps with a 32-bit operand in 16- and 32-bit code have no spelling in LLVM's Intel syntax.
#![allow(bad_asm_style)]

use core::arch::global_asm;

global_asm!(include_str!("../asm/defs.S"), options(raw));
global_asm!(include_str!("../asm/header.S"), options(raw));
global_asm!(include_str!("../asm/trampoline_start.S"), options(raw));
global_asm!(include_str!("../asm/verify_cpu.S"), options(raw));
global_asm!(include_str!("../asm/startup_32.S"), options(raw));
global_asm!(include_str!("../asm/startup_64.S"), options(raw));
global_asm!(include_str!("../asm/trampoline_start64.S"), options(raw));
global_asm!(include_str!("../asm/reboot.S"), options(raw));
global_asm!(include_str!("../asm/data.S"), options(raw));

/// Never linked: the blob has no compiled code. `core` wants one to exist.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

/// The prebuilt `core` was compiled with unwinding and refers to this symbol.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

//! `start_secondary`: the first Rust code on an application processor (Linux: arch/x86/kernel/smpboot.c). It runs on
//! `init_top_pgt` and its own stack, with GDT, TSS, IDT and GS loaded by `secondary_startup_64`; interrupts are off.
#![allow(unsafe_code)]

use super::cpus::{CALLIN, CALLOUT, INITIALIZED, ONLINE};
use crate::arch::{cpu, lapic, percpu, port};
use core::hint::spin_loop;

unsafe extern "C" {
    static secondary_startup_64: u8;
}

/// Linear address of `secondary_startup_64`, for the trampoline's header.
pub fn entry_point() -> u64 {
    &raw const secondary_startup_64 as u64
}

/// Called by `secondary_startup_64`.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
extern "C" fn start_secondary() -> ! {
    cpu::set_pcide();
    let me = percpu::current().number;
    INITIALIZED.set(me);
    while !CALLOUT.contains(me) {
        spin_loop();
    }
    lapic::enable();
    CALLIN.set(me);
    ONLINE.set(me);
    port::announce_online();
    cpu::idle()
}

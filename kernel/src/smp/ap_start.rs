//! `start_secondary`: the first Rust code on an application processor (Linux: arch/x86/kernel/smpboot.c). It runs on
//! `init_top_pgt` and its own stack, with GDT, TSS, IDT and GS loaded by `secondary_startup_64`; interrupts are off.
#![allow(unsafe_code)]

use super::cpus::{CALLIN, CALLOUT, INITIALIZED, OFFLINE, ONLINE};
use crate::arch::{cpu, lapic, percpu, port};
use core::hint::spin_loop;
use core::sync::atomic::Ordering;
use x86_64::instructions::interrupts;

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
    idle(percpu::current())
}

/// Waits for interrupts, without a periodic tick, until this CPU is asked to go offline.
fn idle(me: &percpu::PerCpu) -> ! {
    loop {
        // Off between the question and HLT: an interrupt that comes with the answer must end HLT.
        interrupts::disable();
        if me.leaving.load(Ordering::Acquire) {
            play_dead(me);
        }
        interrupts::enable_and_hlt();
    }
}

/// Goes offline. INIT and SIPI bring the CPU back (Linux: `play_dead()`).
fn play_dead(me: &percpu::PerCpu) -> ! {
    OFFLINE.set(me.number);
    ONLINE.clear(me.number);
    cpu::stop()
}

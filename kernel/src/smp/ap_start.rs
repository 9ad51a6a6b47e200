//! `start_secondary`: the first Rust code on an application processor (Linux: arch/x86/kernel/smpboot.c). It runs on
//! `init_top_pgt` and its own stack, with GDT, TSS, IDT and GS loaded by `secondary_startup_64`; interrupts are off.
#![allow(unsafe_code)]

use super::cpus::{CALLIN, CALLOUT, INITIALIZED, OFFLINE, ONLINE};
use super::stress;
use crate::arch::percpu::PerCpu;
use crate::arch::{cpu, lapic, percpu, port};
use crate::{console, println};
use core::hint::spin_loop;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use x86_64::instructions::interrupts;

unsafe extern "C" {
    static secondary_startup_64: u8;
}

/// What `secondary_startup_64` calls at its end: a global of Linux's, since the boot CPU and waking from sleep go the same way
/// there.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static initial_code: AtomicPtr<()> = AtomicPtr::new(start_secondary as *mut ());

/// The PerCpu block and the stack of the one AP that is being started: a single slot each, as in Linux before 6.5.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static initial_gs: AtomicU64 = AtomicU64::new(0);
/// See [`initial_gs`].
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static initial_stack: AtomicU64 = AtomicU64::new(0);

/// Bit 31: many APs may be on their way, and each finds its block by its APIC ID. Linux's name.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static smpboot_control: AtomicU32 = AtomicU32::new(STARTUP_READ_APICID);
/// See [`smpboot_control`].
const STARTUP_READ_APICID: u32 = 1 << 31;

/// The boot CPU itself comes, and goes on at `go_on`; APs after it as usual.
pub fn expect_boot_cpu(cpu: &PerCpu, go_on: extern "C" fn() -> !) {
    expect_one(cpu);
    initial_code.store(go_on as *mut (), Ordering::Release);
}

/// The boot CPU came: those who come now are APs.
pub fn boot_cpu_came() {
    initial_code.store(start_secondary as *mut (), Ordering::Release);
    expect_many();
}

/// The next AP that comes is this one, and no other is on its way.
pub fn expect_one(cpu: &PerCpu) {
    initial_gs.store(cpu.linear(), Ordering::Release);
    initial_stack.store(cpu.stack_top(), Ordering::Release);
    smpboot_control.store(0, Ordering::Release);
}

/// No AP is on its way: one that comes all the same halts in `secondary_startup_64`.
pub fn expect_nobody() {
    initial_gs.store(0, Ordering::Release);
}

/// Any number of APs may come, in any order.
pub fn expect_many() {
    smpboot_control.store(STARTUP_READ_APICID, Ordering::Release);
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
    if INITIALIZED.contains(me) {
        came_again(percpu::current());
    }
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

/// This CPU was started a second time, and not by the kernel, which forgets how far it was first. Whatever it was at is lost, and
/// nobody may wait for it (Linux: `wait_for_master_cpu()`, "already initialized").
fn came_again(me: &percpu::PerCpu) -> ! {
    console::forget(me.number);
    println!("CPU {}: started a second time, not by this kernel; it goes offline", me.number);
    play_dead(me)
}

/// Waits for interrupts, without a periodic tick, until this CPU is asked to go offline.
fn idle(me: &percpu::PerCpu) -> ! {
    loop {
        stress::work();
        // Off between the question and HLT: an interrupt that comes with the answer must end HLT.
        interrupts::disable();
        if me.leaving.load(Ordering::Acquire) {
            play_dead(me);
        }
        if stress::has_work(me.number) {
            interrupts::enable();
            continue;
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

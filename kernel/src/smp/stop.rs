//! The end of the kernel, by a panic or an exception of its own: the CPU where it happened stops the others by NMI, which
//! needs no interrupts to be on there, and prints where each of them was (Linux: `nmi_shootdown_cpus()`).

use super::cpus::{self, CpuMask, ONLINE};
use crate::arch::lapic::{self, Message};
use crate::arch::percpu::{self, CpuNumber};
use crate::arch::{cpu, port};
use crate::memlayout::MAX_CPUS;
use crate::{console, println, time};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use x86_64::instructions::interrupts;

/// Where a CPU was when the NMI came.
struct Place {
    rip: AtomicU64,
    rsp: AtomicU64,
    rflags: AtomicU64,
    cr3: AtomicU64,
}

static PLACES: [Place; MAX_CPUS] = [const {
    Place { rip: AtomicU64::new(0), rsp: AtomicU64::new(0), rflags: AtomicU64::new(0), cr3: AtomicU64::new(0) }
}; MAX_CPUS];

/// Who ends the kernel, as CPU number + 1; 0: nobody does.
static ENDER: AtomicU32 = AtomicU32::new(0);
/// CPUs that took the NMI and stand still.
static STOPPED: CpuMask = CpuMask::new();

/// How long a CPU may take to answer an NMI.
const ANSWER_US: u64 = 10_000;

/// This CPU ends the kernel: from now on it alone prints. Another one that comes here as well stops without a word; the
/// same one again (a panic while the first is told) ends the machine at once.
pub fn begin(code: port::ExitCode) {
    interrupts::disable();
    let me = percpu::try_current().map_or(0, |cpu| cpu.number) + 1;
    match ENDER.compare_exchange(0, me, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => console::print_alone(),
        Err(ender) if ender == me => port::exit(code),
        Err(_) => cpu::stop(),
    }
}

/// Stops the other CPUs, prints where each was, and ends the machine, or stops where that cannot be ended.
pub fn end(code: port::ExitCode) -> ! {
    if let Some(me) = percpu::try_current() {
        show_others(me.number);
    }
    println!("The kernel has ended; a debugger finds every CPU where it stopped.");
    port::exit(code)
}

fn show_others(me: CpuNumber) {
    // Only who is online has an IDT; in the trampoline an NMI would be the end of all.
    let others = || cpus::list().filter(move |cpu| cpu.number != me);
    for cpu in others().filter(|cpu| ONLINE.contains(cpu.number)) {
        lapic::send(cpu.apic_id, Message::Nmi);
    }
    time::wait_for(ANSWER_US, || others().all(|cpu| !ONLINE.contains(cpu.number) || STOPPED.contains(cpu.number)));
    for cpu in others() {
        let place = &PLACES[cpu.number as usize];
        let value = |value: &AtomicU64| value.load(Ordering::Acquire);
        if STOPPED.contains(cpu.number) {
            println!(
                "CPU {}: stopped at {:016x}, RSP {:016x}, RFLAGS {:#x}, CR3 {:x}",
                cpu.number,
                value(&place.rip),
                value(&place.rsp),
                value(&place.rflags),
                value(&place.cr3)
            );
        } else if ONLINE.contains(cpu.number) {
            println!("CPU {}: did not answer the NMI", cpu.number);
        } else {
            println!("CPU {}: {}", cpu.number, cpu.state.word());
        }
    }
}

/// An NMI came. If the kernel is ending, this CPU writes down where it was and stands still.
pub(crate) fn on_nmi(rip: u64, rsp: u64, rflags: u64, cr3: u64) {
    if ENDER.load(Ordering::Acquire) == 0 {
        return;
    }
    let me = percpu::current().number;
    write_down(me, rip, rsp, rflags, cr3);
    STOPPED.set(me);
    cpu::stop()
}

/// Keeps where this CPU was when an NMI came.
pub(super) fn write_down(me: CpuNumber, rip: u64, rsp: u64, rflags: u64, cr3: u64) {
    let place = &PLACES[me as usize];
    place.rip.store(rip, Ordering::Release);
    place.rsp.store(rsp, Ordering::Release);
    place.rflags.store(rflags, Ordering::Release);
    place.cr3.store(cr3, Ordering::Release);
}

/// RIP and RFLAGS where a CPU was last written down.
pub(super) fn place(cpu: CpuNumber) -> (u64, u64) {
    let place = &PLACES[cpu as usize];
    (place.rip.load(Ordering::Acquire), place.rflags.load(Ordering::Acquire))
}

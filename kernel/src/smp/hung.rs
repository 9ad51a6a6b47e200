//! CPUs that are online and do not answer. Whoever waits for one asks it again by NMI, which needs no interrupts to be on there
//! and tells where it is; one that does not take that either is reset and goes offline, since nobody can know any more what it
//! does. Linux's CSD lock debugging (kernel/smp.c) tells of such CPUs in the same way, and waits on.

use super::cpus::{self, CpuInfo, CpuMask};
use super::{bringup, ipi, stop};
use crate::arch::flush;
use crate::arch::lapic::{self, Destination, Message};
use crate::arch::percpu::{self, CpuNumber};
use crate::{console, println, time};

/// Who did not take an interrupt in time, and is asked by NMI since.
static DEAF: CpuMask = CpuMask::new();
/// Who was sent an NMI by this module, and has not taken it.
static SENT: CpuMask = CpuMask::new();

/// How long an answer may take: five seconds where `cpu_timeout_ms` is not given, as in Linux (`csd_lock_timeout`). What runs on
/// a busy host may well stand still for one.
pub fn patience_us() -> u64 {
    const TIMES: u64 = 5;
    bringup::started_with().map_or(0, |(_, timeout_us)| timeout_us.saturating_mul(TIMES))
}

/// Whether a CPU takes no interrupts, as far as is known.
pub fn is_deaf(cpu: CpuNumber) -> bool {
    DEAF.contains(cpu)
}

/// This CPU takes an interrupt.
pub fn hears() {
    DEAF.clear(percpu::current().number);
}

/// A CPU is started anew.
pub fn forget(cpu: CpuNumber) {
    DEAF.clear(cpu);
    SENT.clear(cpu);
}

/// Asks a CPU: by the interrupt, or by NMI where that is known not to be taken.
pub fn ask(cpu: &CpuInfo, vector: u8) {
    if DEAF.contains(cpu.number) {
        send_nmi(cpu);
    } else {
        lapic::send(cpu.apic_id, Message::Fixed(vector));
    }
}

fn send_nmi(cpu: &CpuInfo) {
    SENT.set(cpu.number);
    lapic::send(cpu.apic_id, Message::Nmi);
}

/// CPUs have not dropped what `asked` says, for [`patience_us`]. When it returns, none of them can use it any more.
pub fn insist<I: Iterator<Item = CpuInfo>>(asked: &CpuMask, others: impl Fn() -> I, linear: u64, pages: u64) {
    let late = CpuMask::new();
    for cpu in others().filter(|cpu| asked.contains(cpu.number)) {
        late.set(cpu.number);
        DEAF.set(cpu.number);
        send_nmi(&cpu);
    }
    time::wait_for(patience_us(), || !others().any(|cpu| asked.contains(cpu.number)));
    // Nothing is printed before this is over: one of them may have got stuck while it printed, and nobody else can then.
    let lost = CpuMask::new();
    for cpu in others().filter(|cpu| late.contains(cpu.number)) {
        if asked.contains(cpu.number) || console::printer() == Some(cpu.number) {
            lost.set(cpu.number);
            cpus::set_reset(cpu.number);
            ipi::send_init(Destination::Apic(cpu.apic_id));
            forget(cpu.number);
        }
    }
    let after = patience_us() / 1000;
    for cpu in cpus::list().filter(|cpu| late.contains(cpu.number)) {
        let number = cpu.number;
        println!(
            "tlb: CPU {number} did not drop {pages} page(s) at {linear:016x} within {after} ms: it takes no interrupts"
        );
        if lost.contains(number) {
            println!(
                "tlb: CPU {number} took no NMI either, or cannot go on. It may use memory that is no longer its own, so it was \
                 reset by INIT and is offline; `cpu {number} on` starts it again"
            );
        } else {
            let (rip, rflags) = stop::place(number);
            println!(
                "tlb: CPU {number} did so by NMI, at {rip:016x}, RFLAGS {rflags:#x}. It stays online and is asked by NMI until \
                 it takes an interrupt again"
            );
        }
    }
}

/// An NMI came: whether it is one of [`insist`]'s. Then this CPU drops all that it has in its TLB, whatever tables it runs on.
pub(crate) fn on_nmi(asked: &CpuMask, rip: u64, rsp: u64, rflags: u64, cr3: u64) -> bool {
    let me = percpu::current().number;
    if !SENT.contains(me) {
        return false;
    }
    SENT.clear(me);
    stop::write_down(me, rip, rsp, rflags, cr3);
    flush::all();
    asked.clear(me);
    true
}

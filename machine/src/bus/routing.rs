//! Brings interrupts to local APICs after a step: interprocessor interrupts, with INIT and SIPI, the I/O APIC's messages,
//! and the 8259 pair's output, which is LINT0 (SDM 3A, "Issuing Interprocessor Interrupts" and "MP Initialization Protocol").
//!
//! One event is logged for each receiver of an IPI, also for one that ignores it, with the reason.

use super::{Bus, InterruptMessage, Ipi, Outbox};
use crate::cpu::Cpu;
use crate::device::Devices;
use crate::device::lapic::lint::{Local, Wire};
use crate::device::pic8259::Output;
use protocol::event::{Delivery, EventKind, Ignored};
use protocol::{Activity, CpuId};
use std::sync::Arc;

/// ICR bits 19:18.
mod shorthand {
    pub const NONE: u64 = 0;
    pub const SELF: u64 = 1;
    pub const ALL: u64 = 2;
}

/// Sends everything in the outbox on its way.
pub fn deliver(cpus: &mut [Arc<Cpu>], bus: &mut Bus) {
    let Bus { devices, out, clock_ns, .. } = bus;
    deliver_interrupts(cpus, devices, out, *clock_ns);
    for ipi in std::mem::take(&mut bus.out.ipis) {
        deliver_ipi(cpus, bus, ipi);
    }
}

/// Brings what devices ask for to the CPUs.
pub fn deliver_interrupts(cpus: &mut [Arc<Cpu>], devices: &mut Devices, out: &mut Outbox, clock_ns: u64) {
    for vector in std::mem::take(&mut out.level_eois) {
        devices.irq.ioapic.end_of_interrupt(vector, out);
    }
    for message in std::mem::take(&mut out.interrupts) {
        deliver_message(cpus, message, clock_ns);
    }
    if std::mem::take(&mut out.lines_changed) {
        let Output { wire, vector } = devices.irq.pic.look_at_output();
        // The wire leads to LINT0 of each processor, as the MP table says.
        for cpu in cpus {
            let extint = cpu.lapic.asks_extint(wire).then_some(vector);
            if cpu.pending.extint != extint {
                Arc::make_mut(cpu).pending.extint = extint;
            }
            if let Some(local) = cpu.lapic.lint0(wire) {
                let cpu = Arc::make_mut(cpu);
                let (from, to) = (cpu.id, Some(cpu.id));
                let ignored = signal(cpu, local.delivery, local.vector, local.level, clock_ns);
                if local.level && ignored.is_none() {
                    cpu.lapic.lint0_accepted();
                }
                if ignored == Some(Ignored::SmiNotModelled) {
                    let Local { delivery, vector, .. } = local;
                    out.events.push((from, EventKind::Ipi { delivery, from, to, vector, ignored }));
                }
            }
        }
    }
}

/// A pulse at a CPU's LINT1, where an NMI from outside comes in. False: its entry lets nothing through.
pub fn pulse_lint1(cpu: &mut Cpu, clock_ns: u64) -> bool {
    let Some(local) = cpu.lapic.lint1(Wire::PULSE) else { return false };
    signal(cpu, local.delivery, local.vector, local.level, clock_ns);
    true
}

fn deliver_message(cpus: &mut [Arc<Cpu>], message: InterruptMessage, clock_ns: u64) {
    let is_target = |cpu: &Cpu| {
        if message.logical {
            cpu.lapic.matches_logical(message.destination.into())
        } else {
            message.destination == 0xff || cpu.lapic.id() == u32::from(message.destination)
        }
    };
    let lowest = message.delivery == Delivery::LowestPriority;
    for cpu in cpus.iter_mut().filter(|cpu| is_target(cpu)).take(if lowest { 1 } else { usize::MAX }) {
        signal(Arc::make_mut(cpu), message.delivery, message.vector, message.level, clock_ns);
    }
}

fn deliver_ipi(cpus: &mut [Arc<Cpu>], bus: &mut Bus, ipi: Ipi) {
    let command = ipi.icr as u32;
    let (delivery, vector) = (Delivery::from_bits(command), ipi.icr as u8);
    let destination = if ipi.x2apic { (ipi.icr >> 32) as u32 } else { (ipi.icr >> 56) as u32 };
    let broadcast = if ipi.x2apic { u32::MAX } else { 0xff };
    let logical = command & 1 << 11 != 0;
    let is_target = |cpu: &Cpu| match ipi.icr >> 18 & 3 {
        shorthand::NONE if logical => cpu.lapic.matches_logical(destination),
        shorthand::NONE => destination == broadcast || cpu.lapic.id() == destination,
        shorthand::SELF => cpu.id == ipi.from,
        shorthand::ALL => true,
        _ => cpu.id != ipi.from,
    };
    let clock_ns = bus.clock_ns;
    let mut log = |to: Option<CpuId>, ignored: Option<Ignored>| {
        bus.out.events.push((ipi.from, EventKind::Ipi { delivery, from: ipi.from, to, vector, ignored }));
    };
    let mut nobody = true;
    for cpu in cpus.iter_mut().filter(|cpu| is_target(cpu)) {
        nobody = false;
        let ignored = signal(Arc::make_mut(cpu), delivery, vector, false, clock_ns);
        log(Some(cpu.id), ignored);
        if delivery == Delivery::LowestPriority {
            break;
        }
    }
    if nobody {
        log(None, Some(Ignored::NoSuchApicId));
    }
}

/// An interrupt arrives at a CPU's local APIC. Returns why it has no effect, if it has none.
fn signal(cpu: &mut Cpu, delivery: Delivery, vector: u8, level: bool, clock_ns: u64) -> Option<Ignored> {
    match delivery {
        Delivery::Init => {
            // A new INIT also takes back a start-up that was not begun.
            cpu.pending = crate::cpu::Pending { init: true, sipi: None, ..cpu.pending };
            None
        }
        Delivery::InitDeassert => Some(Ignored::InitDeassert),
        Delivery::Sipi => {
            let waits = cpu.activity == Activity::WaitForSipi || cpu.pending.init && !cpu.is_bsp;
            let slow = cpu.quirks.init_ns != 0 && (cpu.pending.init || clock_ns < cpu.init_until_ns);
            if waits && slow {
                Some(Ignored::InitNotFinished)
            } else if waits && cpu.pending.sipi.is_none() {
                cpu.pending.sipi = Some(vector);
                None
            } else {
                Some(Ignored::NotInWaitForSipi)
            }
        }
        Delivery::Smi => Some(Ignored::SmiNotModelled),
        Delivery::Reserved => Some(Ignored::ReservedDelivery),
        Delivery::Nmi if cpu.activity == Activity::WaitForSipi => Some(Ignored::InWaitForSipi),
        Delivery::Nmi => {
            cpu.pending.nmi = true;
            None
        }
        Delivery::Fixed | Delivery::LowestPriority | Delivery::ExtInt => {
            if !cpu.lapic.is_software_enabled() {
                Some(Ignored::ApicSoftwareDisabled)
            } else if !cpu.lapic.accept(vector, level) {
                Some(Ignored::IllegalVector)
            } else {
                None
            }
        }
    }
}

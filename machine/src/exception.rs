//! Exceptions and interrupts: what is due between two instructions, and what happens when an instruction faults.
//!
//! [`deliver`](mod@deliver) goes through IVT or IDT; here stand the order of acceptance, and double and triple faults.
//! Called by [`crate::machine`]. Sources: SDM 3A, "Interrupt and Exception Handling": "Priority Among Concurrent Events",
//! "Interrupt 8 - Double Fault Exception"; "MP Initialization Protocol".

pub mod deliver;

#[cfg(test)]
mod tests;

use crate::bus::Bus;
use crate::cpu::{Cpu, flags};
use crate::fault::{Fault, Trap, vector};
use deliver::{Event, Source, deliver};
use protocol::cpu::Due;
use protocol::event::{EventKind, FaultCause};
use protocol::{Activity, LinearAddr, Mode};

/// Exceptions in one delivery. Only tasks that trap when they are switched to, in memory that they share with the GDT, get
/// beyond a handful.
const MAX_CHAIN: usize = 64;

/// Takes INIT, SIPI, NMI or an interrupt, whichever comes first. True: that was the step.
///
/// Called before each instruction, it also ends the interrupt shadow: an instruction that sets `cpu.interrupt_shadow`
/// holds interrupts back for one more instruction.
#[inline]
pub fn service_pending(cpu: &mut Cpu, bus: &mut Bus) -> bool {
    !is_quiet(cpu) && service(cpu, bus)
}

/// Nothing waits for acceptance, and nothing holds it back: until something else than registers and status flags changes,
/// [`service_pending`] has nothing to do.
#[inline]
pub fn is_quiet(cpu: &Cpu) -> bool {
    !cpu.pending.any() && !cpu.interrupt_shadow && cpu.lapic.request().is_none()
}

#[inline(never)]
fn service(cpu: &mut Cpu, bus: &mut Bus) -> bool {
    if cpu.pending.init {
        cpu.init_reset();
        // Its LVT entries are masked now: the 8259 pair asks it no longer.
        bus.out.lines_changed = true;
        if cpu.quirks.init_ns != 0 {
            cpu.init_until_ns = bus.clock_ns + u64::from(cpu.quirks.init_ns);
        }
        return true;
    }
    if cpu.activity == Activity::WaitForSipi {
        let Some(vector) = cpu.pending.sipi.take() else { return false };
        cpu.start_up(vector);
        return true;
    }
    if std::mem::take(&mut cpu.interrupt_shadow) {
        return false;
    }
    if cpu.pending.nmi && !cpu.nmi_blocked {
        cpu.pending.nmi = false;
        cpu.nmi_blocked = true;
        interrupt(cpu, bus, vector::NMI);
        return true;
    }
    let open = cpu.activity != Activity::Shutdown && cpu.rflags & flags::IF != 0;
    if open && let Some(vector) = cpu.lapic.acknowledge() {
        interrupt(cpu, bus, vector);
        return true;
    }
    if open && cpu.pending.extint.take().is_some() {
        let vector = bus.devices.irq.pic.acknowledge();
        bus.out.lines_changed = true;
        interrupt(cpu, bus, vector);
        return true;
    }
    false
}

/// [`service_pending`] would take something: what wakes a CPU that halts or waits for its start-up IPI, and what comes
/// before the next instruction of one that runs.
#[inline]
pub fn is_due(cpu: &Cpu) -> bool {
    due(cpu).is_some()
}

/// What [`service_pending`] would take.
#[inline]
pub fn due(cpu: &Cpu) -> Option<Due> {
    if cpu.pending.init {
        return Some(Due::Init);
    }
    if cpu.activity == Activity::WaitForSipi {
        return cpu.pending.sipi.map(Due::Sipi);
    }
    if cpu.interrupt_shadow {
        return None;
    }
    if cpu.pending.nmi && !cpu.nmi_blocked {
        return Some(Due::Nmi);
    }
    let open = cpu.activity != Activity::Shutdown && cpu.rflags & flags::IF != 0;
    cpu.lapic.request().or(cpu.pending.extint).filter(|_| open).map(Due::Interrupt)
}

/// Delivers an external interrupt or NMI. It ends HLT.
fn interrupt(cpu: &mut Cpu, bus: &mut Bus, vector: u8) {
    cpu.activity = Activity::Running;
    bus.out.events.push((cpu.id, EventKind::Interrupt { vector }));
    let result = deliver(cpu, bus, &Event { vector, error: None, source: Source::External });
    if let Err(trap) = result {
        // To be interrupted is benign: the exception is served as itself. A triple fault is in the event log.
        let _ = match trap {
            Trap::Fault(fault) => raise(cpu, bus, *fault),
            Trap::Unsupported(what) => Err(shut_down(cpu, bus, Vec::new(), vector, what.into_string())),
        };
    }
}

/// Delivers an exception, and those that its delivery raises. `cpu.rip` is what the handler's frame is to hold: the
/// instruction that faulted, or the next one after a trap.
///
/// Err: the chain of a triple fault, every exception in the order raised; the activity is then shutdown. Logs an event
/// `Fault` for each of them, and `TripleFault`.
pub fn raise(cpu: &mut Cpu, bus: &mut Bus, fault: Fault) -> Result<(), Vec<FaultCause>> {
    let mut chain = Vec::new();
    let mut fault = fault;
    loop {
        if chain.len() >= MAX_CHAIN {
            let what = "an end to tasks that raise an exception on each switch";
            return Err(shut_down(cpu, bus, chain, fault.vector, what.to_owned()));
        }
        if cpu.mode() == Mode::Real {
            // Real mode pushes no error codes.
            fault.error = None;
        }
        note(cpu, bus, &mut chain, &fault);
        let source = Source::Exception { is_trap: fault.is_trap };
        let mut second = match deliver(cpu, bus, &Event { vector: fault.vector, error: fault.error, source }) {
            Ok(()) => {
                cpu.activity = Activity::Running;
                return Ok(());
            }
            Err(Trap::Fault(second)) => *second,
            Err(Trap::Unsupported(what)) => {
                return Err(shut_down(cpu, bus, chain, fault.vector, what.into_string()));
            }
        };
        if !makes_double_fault(fault.vector, second.vector) {
            fault = second;
            continue;
        }
        if cpu.mode() == Mode::Real {
            second.error = None;
        }
        note(cpu, bus, &mut chain, &second);
        if fault.vector == vector::DOUBLE_FAULT {
            return Err(triple_fault(cpu, bus, chain));
        }
        let cause = format!(
            "{} was raised while {} was being delivered: a double fault",
            mnemonic(second.vector),
            mnemonic(fault.vector)
        );
        fault = Fault::with_error(vector::DOUBLE_FAULT, 0, cause);
    }
}

/// An exception is raised: CR2, the chain, the event log.
fn note(cpu: &mut Cpu, bus: &mut Bus, chain: &mut Vec<FaultCause>, fault: &Fault) {
    if let Some(linear) = fault.cr2 {
        cpu.cr2 = linear;
    }
    let (vector, error, cr2) = (fault.vector, fault.error, fault.cr2.map(LinearAddr));
    let (at, cause) = (LinearAddr(cpu.linear_pc()), fault.cause.to_string());
    chain.push(FaultCause { vector, error, cr2, cause: cause.clone() });
    bus.out.events.push((cpu.id, EventKind::Fault { vector, error, at, cr2, cause }));
}

/// The CPU gives up: a fault while it was delivering a double fault.
fn triple_fault(cpu: &mut Cpu, bus: &mut Bus, chain: Vec<FaultCause>) -> Vec<FaultCause> {
    cpu.activity = Activity::Shutdown;
    bus.out.events.push((cpu.id, EventKind::TripleFault { chain: chain.clone() }));
    chain
}

/// Delivery came to something that this machine lacks. It stops as after a triple fault, and says what.
fn shut_down(cpu: &mut Cpu, bus: &mut Bus, mut chain: Vec<FaultCause>, vector: u8, what: String) -> Vec<FaultCause> {
    chain.push(FaultCause { vector, error: None, cr2: None, cause: format!("this machine lacks {what}") });
    triple_fault(cpu, bus, chain)
}

/// SDM 3A, table "Interrupt and Exception Classes".
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Benign,
    Contributory,
    PageFault,
    DoubleFault,
}

fn class(vector: u8) -> Class {
    match vector {
        vector::DIVIDE_ERROR
        | vector::INVALID_TSS
        | vector::SEGMENT_NOT_PRESENT
        | vector::STACK_FAULT
        | vector::GENERAL_PROTECTION => Class::Contributory,
        vector::PAGE_FAULT => Class::PageFault,
        vector::DOUBLE_FAULT => Class::DoubleFault,
        _ => Class::Benign,
    }
}

/// SDM 3A, table "Conditions for Generating a Double Fault"; with a double fault first: conditions for shutdown.
fn makes_double_fault(first: u8, second: u8) -> bool {
    match class(first) {
        Class::Benign => false,
        Class::Contributory => class(second) == Class::Contributory,
        Class::PageFault | Class::DoubleFault => matches!(class(second), Class::Contributory | Class::PageFault),
    }
}

/// `#GP` for 13, and so on.
pub fn mnemonic(vector: u8) -> &'static str {
    match vector {
        vector::DIVIDE_ERROR => "#DE",
        vector::DEBUG => "#DB",
        vector::NMI => "NMI",
        vector::BREAKPOINT => "#BP",
        vector::OVERFLOW => "#OF",
        vector::BOUND_RANGE => "#BR",
        vector::INVALID_OPCODE => "#UD",
        vector::DEVICE_NOT_AVAILABLE => "#NM",
        vector::DOUBLE_FAULT => "#DF",
        vector::INVALID_TSS => "#TS",
        vector::SEGMENT_NOT_PRESENT => "#NP",
        vector::STACK_FAULT => "#SS",
        vector::GENERAL_PROTECTION => "#GP",
        vector::PAGE_FAULT => "#PF",
        vector::X87_FLOATING_POINT => "#MF",
        vector::ALIGNMENT_CHECK => "#AC",
        vector::MACHINE_CHECK => "#MC",
        vector::SIMD_FLOATING_POINT => "#XM",
        _ => "an interrupt",
    }
}

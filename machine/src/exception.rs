//! Delivery of exceptions and interrupts. (Being built.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::Fault;
use protocol::event::FaultCause;

/// Takes INIT, SIPI, NMI or an interrupt, whichever is due first. True: that was the step. Also ends the interrupt
/// shadow: an instruction that sets `cpu.interrupt_shadow` holds interrupts back for the next one only.
pub fn service_pending(_cpu: &mut Cpu, _bus: &mut Bus) -> bool {
    false
}

/// The CPU would do something in [`service_pending`]: what a halted or waiting CPU is woken by.
pub fn is_due(_cpu: &Cpu) -> bool {
    false
}

/// Delivers an exception, and those that its delivery raises. Err: the chain of a triple fault; the activity is then
/// shutdown. Pushes the events `Fault` and `TripleFault`.
pub fn raise(_cpu: &mut Cpu, _bus: &mut Bus, _fault: Fault) -> Result<(), Vec<FaultCause>> {
    Ok(())
}

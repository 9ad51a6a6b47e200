//! RDMSR and WRMSR. (Being built.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// RDMSR: ECX names it, EDX:EAX gets it.
pub fn rdmsr(_cpu: &mut Cpu, _bus: &mut Bus) -> Exec<()> {
    Err(Trap::unsupported("rdmsr: being built"))
}

/// WRMSR.
pub fn wrmsr(_cpu: &mut Cpu, _bus: &mut Bus) -> Exec<()> {
    Err(Trap::unsupported("wrmsr: being built"))
}

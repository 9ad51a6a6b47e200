//! INT n, INT3, INTO. (Being built.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// A software interrupt; `cpu.rip` is the next instruction.
pub fn software(_cpu: &mut Cpu, _bus: &mut Bus, _vector: u8) -> Exec<()> {
    Err(Trap::unsupported("int n: being built"))
}

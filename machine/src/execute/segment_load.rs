//! Loading a segment register: MOV, POP, LDS and friends. (Being built.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// Loads a segment register (not CS).
pub fn load(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _selector: u16) -> Exec<()> {
    Err(Trap::unsupported("segment load: being built"))
}

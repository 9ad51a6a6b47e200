//! Far jumps, calls, returns and IRET. (Being built.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// Far jump.
pub fn jump(_cpu: &mut Cpu, _bus: &mut Bus, _selector: u16, _offset: u64, _op_bytes: u8) -> Exec<()> {
    Err(Trap::unsupported("far jump: being built"))
}

/// Far call.
pub fn call(_cpu: &mut Cpu, _bus: &mut Bus, _selector: u16, _offset: u64, _op_bytes: u8) -> Exec<()> {
    Err(Trap::unsupported("far call: being built"))
}

/// Far return, dropping `pop_bytes` of parameters.
pub fn ret(_cpu: &mut Cpu, _bus: &mut Bus, _op_bytes: u8, _pop_bytes: u16) -> Exec<()> {
    Err(Trap::unsupported("far return: being built"))
}

/// IRET, IRETD, IRETQ.
pub fn iret(_cpu: &mut Cpu, _bus: &mut Bus, _op_bytes: u8) -> Exec<()> {
    Err(Trap::unsupported("iret: being built"))
}

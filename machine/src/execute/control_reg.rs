//! MOV to and from CR0, CR2, CR3, CR4, CR8; LMSW, SMSW, CLTS. (Being built.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// MOV from CRn.
pub fn read(_cpu: &Cpu, _bus: &mut Bus, _n: u8) -> Exec<u64> {
    Err(Trap::unsupported("mov from cr: being built"))
}

/// MOV to CRn.
pub fn write(_cpu: &mut Cpu, _bus: &mut Bus, _n: u8, _value: u64) -> Exec<()> {
    Err(Trap::unsupported("mov to cr: being built"))
}

/// LMSW.
pub fn lmsw(_cpu: &mut Cpu, _bus: &mut Bus, _value: u16) -> Exec<()> {
    Err(Trap::unsupported("lmsw: being built"))
}

/// SMSW: CR0, the operand size cuts it.
pub fn smsw(_cpu: &Cpu) -> Exec<u64> {
    Err(Trap::unsupported("smsw: being built"))
}

/// CLTS.
pub fn clts(_cpu: &mut Cpu, _bus: &mut Bus) -> Exec<()> {
    Err(Trap::unsupported("clts: being built"))
}

//! MOV to and from DR0 to DR7. (Being built.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// MOV from DRn.
pub fn read(_cpu: &Cpu, _bus: &mut Bus, _n: u8) -> Exec<u64> {
    Err(Trap::unsupported("mov from dr: being built"))
}

/// MOV to DRn.
pub fn write(_cpu: &mut Cpu, _bus: &mut Bus, _n: u8, _value: u64) -> Exec<()> {
    Err(Trap::unsupported("mov to dr: being built"))
}

//! SYSCALL and SYSRET. (Being built.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// SYSCALL.
pub fn syscall(_cpu: &mut Cpu, _bus: &mut Bus) -> Exec<()> {
    Err(Trap::unsupported("syscall: being built"))
}

/// SYSRET; `op_bytes` 8 returns to 64-bit mode, 4 to compatibility mode.
pub fn sysret(_cpu: &mut Cpu, _bus: &mut Bus, _op_bytes: u8) -> Exec<()> {
    Err(Trap::unsupported("sysret: being built"))
}

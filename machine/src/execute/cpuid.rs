//! CPUID. (Being built.)

use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// CPUID.01H:EAX, and EDX after reset: family 6, model 6, stepping 3.
pub const SIGNATURE: u32 = 0x663;

/// CPUID: EAX and ECX in, EAX to EDX out.
pub fn cpuid(_cpu: &mut Cpu) -> Exec<()> {
    Err(Trap::unsupported("cpuid: being built"))
}

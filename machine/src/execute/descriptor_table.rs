//! LGDT, LIDT, LLDT, LTR, their stores, and LAR, LSL, VERR, VERW. (Being built.)

use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::fault::{Exec, Trap};

/// LGDT.
pub fn lgdt(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _op_bytes: u8) -> Exec<()> {
    Err(Trap::unsupported("lgdt: being built"))
}

/// LIDT.
pub fn lidt(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _op_bytes: u8) -> Exec<()> {
    Err(Trap::unsupported("lidt: being built"))
}

/// SGDT.
pub fn sgdt(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _op_bytes: u8) -> Exec<()> {
    Err(Trap::unsupported("sgdt: being built"))
}

/// SIDT.
pub fn sidt(_cpu: &mut Cpu, _bus: &mut Bus, _seg: usize, _offset: u64, _op_bytes: u8) -> Exec<()> {
    Err(Trap::unsupported("sidt: being built"))
}

/// LLDT.
pub fn lldt(_cpu: &mut Cpu, _bus: &mut Bus, _selector: u16) -> Exec<()> {
    Err(Trap::unsupported("lldt: being built"))
}

/// LTR.
pub fn ltr(_cpu: &mut Cpu, _bus: &mut Bus, _selector: u16) -> Exec<()> {
    Err(Trap::unsupported("ltr: being built"))
}

/// SLDT.
pub fn sldt(_cpu: &Cpu) -> Exec<u16> {
    Err(Trap::unsupported("sldt: being built"))
}

/// STR.
pub fn str(_cpu: &Cpu) -> Exec<u16> {
    Err(Trap::unsupported("str: being built"))
}

/// LAR: the access rights, None where ZF becomes 0.
pub fn lar(_cpu: &mut Cpu, _bus: &mut Bus, _selector: u16) -> Exec<Option<u32>> {
    Err(Trap::unsupported("lar: being built"))
}

/// LSL: the limit in bytes, None where ZF becomes 0.
pub fn lsl(_cpu: &mut Cpu, _bus: &mut Bus, _selector: u16) -> Exec<Option<u32>> {
    Err(Trap::unsupported("lsl: being built"))
}

/// VERR: the new ZF.
pub fn verr(_cpu: &mut Cpu, _bus: &mut Bus, _selector: u16) -> Exec<bool> {
    Err(Trap::unsupported("verr: being built"))
}

/// VERW: the new ZF.
pub fn verw(_cpu: &mut Cpu, _bus: &mut Bus, _selector: u16) -> Exec<bool> {
    Err(Trap::unsupported("verw: being built"))
}

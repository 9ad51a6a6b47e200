//! AND, OR, XOR, TEST, NOT.

use super::operand::{mask, modify, read, read_dst};
use super::status;
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::decode::Insn;
use crate::fault::Exec;

/// AND: SF ZF PF by the result, CF OF AF 0.
pub fn and(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let b = read(cpu, bus, insn, insn.src, insn.size)?;
    modify(cpu, bus, insn, |a, flags| (a & b, status::logic(flags, a & b, insn.size)))
}

/// OR: SF ZF PF by the result, CF OF AF 0.
pub fn or(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let b = read(cpu, bus, insn, insn.src, insn.size)?;
    modify(cpu, bus, insn, |a, flags| (a | b, status::logic(flags, a | b, insn.size)))
}

/// XOR: SF ZF PF by the result, CF OF AF 0.
pub fn xor(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let b = read(cpu, bus, insn, insn.src, insn.size)?;
    modify(cpu, bus, insn, |a, flags| (a ^ b, status::logic(flags, a ^ b, insn.size)))
}

/// TEST: the flags of AND.
pub fn test(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let a = read_dst(cpu, bus, insn)?;
    let b = read(cpu, bus, insn, insn.src, insn.size)?;
    cpu.rflags = status::logic(cpu.rflags, a & b, insn.size);
    Ok(())
}

/// NOT: no flags.
pub fn not(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    modify(cpu, bus, insn, |a, flags| (!a & mask(insn.size), flags))
}

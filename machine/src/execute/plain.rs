//! Plain instructions: those that touch general registers, status flags and RIP only and raise nothing, a branch to nowhere
//! aside. [`super::row`] executes them where they are in the cache.
//!
//! They mean the same as in their families, whose functions they call; `tests/instructions/plain.rs` compares the two.

use super::operand::{gpr, mask, set_gpr, sign_extend};
use super::{arith, bit, ctrl_xfer, data_xfer, shift, status};
use crate::cpu::Cpu;
use crate::cpu::flags::CF;
use crate::decode::{Insn, Kind, Op, Operand};

/// Whether an instruction is plain: asked once, when it is decoded.
pub fn is_plain(insn: &Insn) -> bool {
    let is_value = |operand: Operand| matches!(operand.kind, Kind::None | Kind::Gpr | Kind::GprHigh | Kind::Imm);
    let on_registers = is_value(insn.dst) && is_value(insn.src) && is_value(insn.third);
    match insn.op {
        Op::Lea | Op::Hint => true,
        Op::Jmp => insn.dst.kind == Kind::Imm,
        Op::Jcc | Op::Cbw | Op::Cwde | Op::Cdqe | Op::Cwd | Op::Cdq | Op::Cqo | Op::Bswap => true,
        Op::Mov | Op::Movzx | Op::Movsx | Op::Movsxd | Op::Cmovcc | Op::Setcc => on_registers,
        Op::Add | Op::Adc | Op::Sub | Op::Sbb | Op::Cmp | Op::Inc | Op::Dec | Op::Neg => on_registers,
        Op::And | Op::Or | Op::Xor | Op::Test | Op::Not | Op::Shl | Op::Shr | Op::Sar => on_registers,
        _ => false,
    }
}

/// Executes one. False: it raises something, and nothing has changed.
#[inline]
pub fn execute(cpu: &mut Cpu, insn: &Insn) -> bool {
    let size = insn.size;
    match insn.op {
        Op::Add => modify(cpu, insn, |a, b, flags| status::add(flags, a, b, 0, size)),
        Op::Adc => modify(cpu, insn, |a, b, flags| status::add(flags, a, b, flags & CF, size)),
        Op::Sub => modify(cpu, insn, |a, b, flags| status::sub(flags, a, b, 0, size)),
        Op::Sbb => modify(cpu, insn, |a, b, flags| status::sub(flags, a, b, flags & CF, size)),
        Op::Neg => modify(cpu, insn, |a, _, flags| status::sub(flags, 0, a, 0, size)),
        Op::Inc => modify(cpu, insn, |a, _, flags| arith::incremented(flags, a, size)),
        Op::Dec => modify(cpu, insn, |a, _, flags| arith::decremented(flags, a, size)),
        Op::And => modify(cpu, insn, |a, b, flags| (a & b, status::logic(flags, a & b, size))),
        Op::Or => modify(cpu, insn, |a, b, flags| (a | b, status::logic(flags, a | b, size))),
        Op::Xor => modify(cpu, insn, |a, b, flags| (a ^ b, status::logic(flags, a ^ b, size))),
        Op::Not => modify(cpu, insn, |a, _, flags| (!a & mask(size), flags)),
        Op::Shl | Op::Shr | Op::Sar => {
            let count = shift::masked_count(value(cpu, insn, insn.src, 1), size);
            modify(cpu, insn, |a, _, flags| shift::shifted(insn.op, flags, a, count, size));
        }
        Op::Cmp => {
            let (a, b) = (value(cpu, insn, insn.dst, size), value(cpu, insn, insn.src, size));
            cpu.rflags = status::sub(cpu.rflags, a, b, 0, size).1;
        }
        Op::Test => {
            let (a, b) = (value(cpu, insn, insn.dst, size), value(cpu, insn, insn.src, size));
            cpu.rflags = status::logic(cpu.rflags, a & b, size);
        }
        Op::Mov | Op::Movzx => put(cpu, insn, value(cpu, insn, insn.src, insn.src_size)),
        Op::Movsx | Op::Movsxd => {
            let source = value(cpu, insn, insn.src, insn.src_size);
            put(cpu, insn, sign_extend(source, insn.src_size));
        }
        Op::Cmovcc => {
            // A 32-bit one clears the upper half in any case.
            let chosen = if status::holds(cpu.rflags, insn.cond) { insn.src } else { insn.dst };
            put(cpu, insn, value(cpu, insn, chosen, size));
        }
        Op::Setcc => put(cpu, insn, u64::from(status::holds(cpu.rflags, insn.cond))),
        Op::Lea => data_xfer::lea(cpu, insn),
        Op::Jcc => return ctrl_xfer::jcc(cpu, insn).is_ok(),
        Op::Jmp => return ctrl_xfer::jmp_direct(cpu, insn).is_ok(),
        Op::Cbw | Op::Cwde | Op::Cdqe | Op::Cwd | Op::Cdq | Op::Cqo => arith::extend_accumulator(cpu, insn.op),
        Op::Bswap => bit::swap(cpu, insn),
        Op::Hint => {}
        _ => return false,
    }
    true
}

/// The value of a register or an immediate, as `operand::read` has it.
#[inline]
fn value(cpu: &Cpu, insn: &Insn, operand: Operand, size: u8) -> u64 {
    match operand.kind {
        Kind::Gpr => gpr(cpu, usize::from(operand.reg), size),
        Kind::Imm => insn.imm & mask(size),
        Kind::GprHigh => cpu.gpr[usize::from(operand.reg & 3)] >> 8 & 0xff,
        _ => 0,
    }
}

/// Writes the first operand, a register.
#[inline]
fn put(cpu: &mut Cpu, insn: &Insn, value: u64) {
    if insn.dst.kind == Kind::Gpr {
        set_gpr(cpu, usize::from(insn.dst.reg), insn.size, value);
    } else {
        let old = &mut cpu.gpr[usize::from(insn.dst.reg & 3)];
        *old = *old & !0xff00 | (value & 0xff) << 8;
    }
}

/// The first operand and the flags become what `f` makes of both operands and the flags.
#[inline]
fn modify(cpu: &mut Cpu, insn: &Insn, f: impl FnOnce(u64, u64, u64) -> (u64, u64)) {
    let (a, b) = (value(cpu, insn, insn.dst, insn.size), value(cpu, insn, insn.src, insn.size));
    let (value, flags) = f(a, b, cpu.rflags);
    cpu.rflags = flags;
    put(cpu, insn, value);
}

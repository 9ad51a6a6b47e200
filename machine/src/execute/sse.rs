//! SSE to SSE4.2 on XMM registers: moves ([`moves`]), integers ([`integer`], [`ssse3`]), shuffles ([`shuffle`]), floating point
//! ([`float`], [`convert`]), strings ([`text`]), and the state's save and restore ([`state`], [`xsave`]).

pub mod convert;
pub mod float;
pub mod integer;
mod lanes;
mod moves;
pub mod shuffle;
pub mod ssse3;
pub mod state;
mod text;
pub mod xsave;

use super::mmx;
use super::operand::{check_aligned, load, offset, segment_of};
use crate::bus::Bus;
use crate::cpu::flags::{AF, CF, OF, PF, SF, ZF};
use crate::cpu::{Cpu, cr0, cr4};
use crate::decode::{Insn, Kind, Op};
use crate::fault::{Exec, Fault, Trap, vector};
use crate::mmu;

/// Executes an instruction on XMM registers, MMX registers or MXCSR.
pub fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    match insn.op {
        Op::Fxsave | Op::Fxsave64 => return state::fxsave(cpu, bus, insn),
        Op::Fxrstor | Op::Fxrstor64 => return state::fxrstor(cpu, bus, insn),
        Op::Xsave | Op::Xsave64 | Op::Xsaveopt | Op::Xsaveopt64 | Op::Xsavec | Op::Xsavec64 => {
            return xsave::execute(cpu, bus, insn);
        }
        Op::Xrstor | Op::Xrstor64 | Op::Xgetbv | Op::Xsetbv => return xsave::execute(cpu, bus, insn),
        _ if mmx::is_mmx(insn) => return mmx::execute(cpu, bus, insn),
        _ => check_available(cpu)?,
    }
    match insn.op {
        Op::Ldmxcsr => return state::ldmxcsr(cpu, bus, insn),
        Op::Stmxcsr => return state::stmxcsr(cpu, bus, insn),
        _ => {}
    }
    if moves::execute(cpu, bus, insn)? {
        return Ok(());
    }
    let dst = usize::from(insn.dst.reg & 15);
    let old = cpu.xmm[dst];
    if insn.src.kind == Kind::Imm {
        cpu.xmm[dst] = integer::shift(insn.op, old, u128::from(insn.imm)).ok_or_else(lacking)?;
        return Ok(());
    }
    if text::execute(cpu, bus, insn)? || convert::execute(cpu, bus, insn)? {
        return Ok(());
    }
    let source = read_source(cpu, bus, insn, Alignment::Needed)?;
    let imm = insn.imm as u8;
    match insn.op {
        Op::Comiss | Op::Comisd | Op::Ucomiss | Op::Ucomisd => {
            return float::compare_scalar(cpu, insn.op, old, source);
        }
        Op::Ptest => {
            let zf = if old & source == 0 { ZF } else { 0 };
            let cf = if !old & source == 0 { CF } else { 0 };
            cpu.rflags = cpu.rflags & !(ZF | CF | OF | SF | AF | PF) | zf | cf;
            return Ok(());
        }
        _ => {}
    }
    let mask = cpu.xmm[0];
    let mut result = shuffle::compute(insn.op, old, source, imm)
        .or_else(|| integer::compute(insn.op, old, source))
        .or_else(|| integer::shift(insn.op, old, source & u128::from(u64::MAX)))
        .or_else(|| ssse3::compute(insn.op, old, source, imm))
        .or_else(|| ssse3::blend_by_sign(insn.op, old, source, mask));
    if result.is_none() {
        result = float::compute(cpu, insn.op, old, source, imm)?;
    }
    cpu.xmm[dst] = result.ok_or_else(lacking)?;
    Ok(())
}

/// The operation is in [`Op`] but in none of the families.
#[cold]
fn lacking() -> Trap {
    Trap::unsupported("this SSE instruction is not implemented")
}

/// #UD while CR0.EM is set or CR4.OSFXSR clear, #NM while CR0.TS is set (SDM 3A, "Emulation of SSE Extensions").
fn check_available(cpu: &Cpu) -> Exec<()> {
    check_sse(cpu)?;
    if cpu.cr0 & cr0::TS != 0 {
        return Err(Fault::plain(vector::DEVICE_NOT_AVAILABLE, "CR0.TS is set: the SSE state is another task's").into());
    }
    Ok(())
}

/// The part of it that comes before CR0.TS.
pub fn check_sse(cpu: &Cpu) -> Exec<()> {
    if cpu.cr0 & cr0::EM != 0 {
        return Err(Fault::ud("SSE instructions need CR0.EM = 0").into());
    }
    if cpu.cr4 & cr4::OSFXSR == 0 {
        return Err(Fault::ud("SSE instructions need CR4.OSFXSR = 1").into());
    }
    Ok(())
}

/// Whether a 16-byte memory operand must be aligned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alignment {
    Needed,
    Free,
}

/// The second operand, zero-extended from its size.
fn read_source(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, alignment: Alignment) -> Exec<u128> {
    match insn.src.kind {
        Kind::Xmm => Ok(cpu.xmm[usize::from(insn.src.reg & 15)]),
        Kind::Mem if insn.src_size == 16 => {
            let (seg, offset) = (segment_of(insn), offset(cpu, insn));
            if alignment == Alignment::Needed {
                check_aligned(cpu, seg, offset, 16)?;
            }
            mmu::read_u128(cpu, bus, seg, offset)
        }
        Kind::Mem => {
            let offset = offset(cpu, insn);
            load(cpu, bus, segment_of(insn), offset, insn.src_size).map(u128::from)
        }
        _ => super::operand::read_src(cpu, bus, insn).map(u128::from),
    }
}

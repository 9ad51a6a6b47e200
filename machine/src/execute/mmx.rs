//! MMX: instructions on the 64-bit registers that lie in the x87's data registers, those of SSE to SSSE3 on them included.
//!
//! Lane-wise operations are those of [`super::sse`] on the low half of 128 bits. Every instruction but EMMS makes R0 the top
//! of the x87's stack and marks all registers valid; a written one gets an exponent of ones (SDM 1, "Programming with
//! Intel MMX Technology").

use super::operand::{load, mask, offset, read_src, segment_of, store, write_dst};
use super::sse::{check_sse, convert, integer, shuffle, ssse3};
use super::x87;
use crate::bus::Bus;
use crate::cpu::gpr::RDI;
use crate::cpu::{Cpu, cr0};
use crate::decode::{Insn, Kind, Op};
use crate::fault::{Exec, Fault, Trap, vector};
use crate::mmu;

/// The exponent and sign that a write leaves.
const ONES: u128 = 0xffff << 64;

/// The instruction uses an MMX register, or is EMMS.
pub fn is_mmx(insn: &Insn) -> bool {
    insn.op == Op::Emms || insn.dst.kind == Kind::Mmx || insn.src.kind == Kind::Mmx
}

/// Executes an instruction on MMX registers.
pub fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    if cpu.cr0 & cr0::EM != 0 {
        return Err(Fault::ud("MMX instructions need CR0.EM = 0").into());
    }
    if insn.dst.kind == Kind::Xmm || insn.src.kind == Kind::Xmm {
        check_sse(cpu)?;
    }
    if cpu.cr0 & cr0::TS != 0 {
        return Err(Fault::plain(vector::DEVICE_NOT_AVAILABLE, "CR0.TS is set: the MMX state is another task's").into());
    }
    if !x87::report_pending(cpu, bus, insn)? {
        return Ok(());
    }
    if insn.op == Op::Emms {
        cpu.x87.ftw = 0;
        cpu.x87.set_top(0);
        return Ok(());
    }
    let result = compute(cpu, bus, insn);
    // A conversion that raises #XM has come so far too.
    let is_begun = match &result {
        Ok(_) => true,
        Err(Trap::Fault(fault)) => fault.vector == vector::SIMD_FLOATING_POINT,
        Err(Trap::Unsupported(_)) => false,
    };
    if is_begun {
        cpu.x87.set_top(0);
        cpu.x87.ftw = 0xff;
    }
    if let Some(value) = result? {
        cpu.x87.r[usize::from(insn.dst.reg & 7)] = ONES | u128::from(value);
    }
    Ok(())
}

fn register(cpu: &Cpu, number: u8) -> u64 {
    cpu.x87.r[usize::from(number & 7)] as u64
}

/// The second operand: register, memory or immediate.
fn source(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<u64> {
    match insn.src.kind {
        Kind::Mmx => Ok(register(cpu, insn.src.reg)),
        Kind::Mem => {
            let offset = offset(cpu, insn);
            load(cpu, bus, segment_of(insn), offset, insn.src_size)
        }
        _ => read_src(cpu, bus, insn),
    }
}

/// Does it; the new value of the MMX register where one is written.
fn compute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<Option<u64>> {
    match insn.op {
        Op::Movd | Op::Movq | Op::Movntq => {
            if insn.dst.kind == Kind::Mmx {
                return source(cpu, bus, insn).map(Some);
            }
            let value = register(cpu, insn.src.reg);
            if insn.dst.kind == Kind::Mem {
                let offset = offset(cpu, insn);
                store(cpu, bus, segment_of(insn), offset, insn.size, value)?;
            } else {
                write_dst(cpu, bus, insn, value)?;
            }
            return Ok(None);
        }
        Op::Movq2dq => {
            cpu.xmm[usize::from(insn.dst.reg & 15)] = register(cpu, insn.src.reg).into();
            return Ok(None);
        }
        Op::Movdq2q => return Ok(Some(cpu.xmm[usize::from(insn.src.reg & 15)] as u64)),
        Op::Maskmovq => {
            let (value, selected) = (register(cpu, insn.src.reg), register(cpu, insn.third.reg));
            masked_store(cpu, bus, insn, &value.to_le_bytes(), &selected.to_le_bytes())?;
            return Ok(None);
        }
        Op::Pmovmskb => {
            let bytes = register(cpu, insn.src.reg).to_le_bytes();
            let signs = bytes.iter().rev().fold(0, |signs, byte| signs << 1 | u64::from(byte >> 7));
            write_dst(cpu, bus, insn, signs)?;
            return Ok(None);
        }
        Op::Pextrw => {
            let lane = register(cpu, insn.src.reg) >> (16 * (insn.imm & 3)) & 0xffff;
            write_dst(cpu, bus, insn, lane)?;
            return Ok(None);
        }
        Op::Cvtpi2ps | Op::Cvtpi2pd => {
            let value = register(cpu, insn.src.reg);
            convert::from_mmx(cpu, insn, value)?;
            return Ok(None);
        }
        Op::Cvtps2pi | Op::Cvttps2pi | Op::Cvtpd2pi | Op::Cvttpd2pi => {
            return convert::to_mmx(cpu, bus, insn).map(Some);
        }
        _ => {}
    }
    let old = register(cpu, insn.dst.reg);
    let source = source(cpu, bus, insn)?;
    lanes(insn, old, source).map(Some).ok_or_else(|| Trap::unsupported("this MMX instruction is not implemented"))
}

/// Operations on lanes.
fn lanes(insn: &Insn, old: u64, source: u64) -> Option<u64> {
    let (a, b, imm) = (u128::from(old), u128::from(source), insn.imm as u8);
    // Both operands side by side, for what takes lanes from one after the other.
    let both = a | b << 64;
    let wide = match insn.op {
        Op::Pinsrw => {
            let shift = 16 * u32::from(imm & 3);
            a & !(0xffff << shift) | (b & 0xffff) << shift
        }
        Op::Pshufw => shuffle::compute(Op::Pshuflw, 0, b, imm)?,
        Op::Punpckhbw => shuffle::compute(Op::Punpcklbw, a, b, imm)? >> 64,
        Op::Punpckhwd => shuffle::compute(Op::Punpcklwd, a, b, imm)? >> 64,
        Op::Punpckhdq => shuffle::compute(Op::Punpckldq, a, b, imm)? >> 64,
        Op::Packsswb | Op::Packssdw | Op::Packuswb => integer::pack(insn.op, both, 0)?,
        Op::Phaddw | Op::Phaddd | Op::Phaddsw | Op::Phsubw | Op::Phsubd | Op::Phsubsw => {
            ssse3::compute(insn.op, both, 0, imm)?
        }
        Op::Palignr => (b | a << 64).checked_shr(8 * u32::from(imm)).unwrap_or(0),
        // Bit 3 of an index does not count here.
        Op::Pshufb => ssse3::compute(Op::Pshufb, a, b & !0x0808_0808_0808_0808, imm)?,
        _ if insn.src.kind == Kind::Imm => integer::shift(insn.op, a, b)?,
        op => shuffle::compute(op, a, b, imm)
            .or_else(|| integer::compute(op, a, b))
            .or_else(|| ssse3::compute(op, a, b, imm))
            .or_else(|| integer::shift(op, a, b))?,
    };
    Some(wide as u64)
}

/// MASKMOVQ, MASKMOVDQU: the bytes whose mask has bit 7 set go to DS:RDI. A byte that is not written raises nothing.
pub fn masked_store(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, bytes: &[u8], selected: &[u8]) -> Exec<()> {
    let (seg, start, mask) = (segment_of(insn), cpu.gpr[RDI], mask(insn.addr_size));
    let chosen = || bytes.iter().zip(selected).enumerate().filter(|(_, (_, select))| **select >> 7 != 0);
    let at = |index: usize| start.wrapping_add(index as u64) & mask;
    for (index, _) in chosen() {
        mmu::check_write(cpu, bus, seg, at(index), 1)?;
    }
    for (index, (&byte, _)) in chosen() {
        mmu::write_u8(cpu, bus, seg, at(index), byte)?;
    }
    Ok(())
}

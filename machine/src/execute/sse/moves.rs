//! Moves between XMM registers, memory and general registers.

use super::lanes::{bytes, dwords, from_dwords, from_words, qwords, words};
use super::{Alignment, read_source};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::decode::{Insn, Kind, Op};
use crate::execute::mmx;
use crate::execute::operand::{check_aligned, offset, read_src, segment_of, store, write_dst};
use crate::fault::Exec;
use crate::mmu;

const LOW: u128 = u64::MAX as u128;

/// Executes a move; false: it is another kind of instruction.
pub fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<bool> {
    match insn.op {
        Op::Movaps | Op::Movapd | Op::Movdqa | Op::Movntps | Op::Movntpd | Op::Movntdq => {
            whole(cpu, bus, insn, Alignment::Needed)?;
        }
        Op::Movntdqa => whole(cpu, bus, insn, Alignment::Needed)?,
        Op::Movups | Op::Movupd | Op::Movdqu | Op::Lddqu => whole(cpu, bus, insn, Alignment::Free)?,
        Op::Movd | Op::Movq => low(cpu, bus, insn)?,
        Op::Movss => scalar(cpu, bus, insn, u128::from(u32::MAX))?,
        Op::Movsd => scalar(cpu, bus, insn, LOW)?,
        Op::Movlps | Op::Movlpd | Op::Movhps | Op::Movhpd | Op::Movhlps | Op::Movlhps => half(cpu, bus, insn)?,
        Op::Movmskps | Op::Movmskpd | Op::Pmovmskb => signs(cpu, bus, insn)?,
        Op::Pextrw => {
            let lane = words(cpu.xmm[usize::from(insn.src.reg & 15)])[(insn.imm & 7) as usize];
            write_dst(cpu, bus, insn, u64::from(lane))?;
        }
        Op::Pinsrw => {
            let value = read_src(cpu, bus, insn)? as u16;
            let target = &mut cpu.xmm[usize::from(insn.dst.reg & 15)];
            let mut lanes = words(*target);
            lanes[(insn.imm & 7) as usize] = value;
            *target = from_words(lanes);
        }
        Op::Pextrb | Op::Pextrd | Op::Pextrq | Op::Extractps => extract(cpu, bus, insn)?,
        Op::Pinsrb | Op::Pinsrd | Op::Pinsrq => insert(cpu, bus, insn)?,
        Op::Insertps => insert_single(cpu, bus, insn)?,
        Op::Maskmovdqu => {
            let value = cpu.xmm[usize::from(insn.src.reg & 15)].to_le_bytes();
            let selected = cpu.xmm[usize::from(insn.third.reg & 15)].to_le_bytes();
            mmx::masked_store(cpu, bus, insn, &value, &selected)?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// PEXTRB, PEXTRD, PEXTRQ, EXTRACTPS: one lane to a general register (zero-extended) or memory.
fn extract(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let value = cpu.xmm[usize::from(insn.src.reg & 15)];
    let index = insn.imm as usize;
    let lane = match insn.op {
        Op::Pextrb => bytes(value)[index & 15].into(),
        Op::Pextrq => qwords(value)[index & 1],
        _ => dwords(value)[index & 3].into(),
    };
    write_dst(cpu, bus, insn, lane)
}

/// PINSRB, PINSRD, PINSRQ.
fn insert(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let value = read_src(cpu, bus, insn)?;
    let (bits, lanes) = match insn.op {
        Op::Pinsrb => (8, 16),
        Op::Pinsrd => (32, 4),
        _ => (64, 2),
    };
    let shift = bits * (insn.imm as u32 & (lanes - 1));
    let mask = u128::from(u64::MAX >> (64 - bits)) << shift;
    let target = &mut cpu.xmm[usize::from(insn.dst.reg & 15)];
    *target = *target & !mask | u128::from(value) << shift & mask;
    Ok(())
}

/// INSERTPS: a single from memory or from the lane in bits 7:6, into the lane in 5:4; the lanes of bits 3:0 become 0.
fn insert_single(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let imm = insn.imm as usize;
    let source = dwords(read_source(cpu, bus, insn, Alignment::Free)?);
    let single = if insn.src.kind == Kind::Mem { source[0] } else { source[imm >> 6 & 3] };
    let target = &mut cpu.xmm[usize::from(insn.dst.reg & 15)];
    let mut lanes = dwords(*target);
    lanes[imm >> 4 & 3] = single;
    *target = from_dwords(std::array::from_fn(|lane| if imm >> lane & 1 != 0 { 0 } else { lanes[lane] }));
    Ok(())
}

/// All 16 bytes.
fn whole(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, alignment: Alignment) -> Exec<()> {
    let value = read_source(cpu, bus, insn, alignment)?;
    if insn.dst.kind == Kind::Xmm {
        cpu.xmm[usize::from(insn.dst.reg & 15)] = value;
        return Ok(());
    }
    let (seg, offset) = (segment_of(insn), offset(cpu, insn));
    if alignment == Alignment::Needed {
        check_aligned(cpu, seg, offset, 16)?;
    }
    mmu::write_u128(cpu, bus, seg, offset, value)
}

/// MOVD, MOVQ: the rest of an XMM destination becomes 0.
fn low(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let value = read_source(cpu, bus, insn, Alignment::Free)?;
    let is_quad = insn.op == Op::Movq;
    if insn.dst.kind == Kind::Xmm {
        cpu.xmm[usize::from(insn.dst.reg & 15)] = value & if is_quad { LOW } else { u128::from(u32::MAX) };
        return Ok(());
    }
    write_dst(cpu, bus, insn, value as u64)
}

/// MOVSS, MOVSD: a load clears the rest of the register, a move between registers leaves it.
fn scalar(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, mask: u128) -> Exec<()> {
    if insn.dst.kind == Kind::Mem {
        let value = cpu.xmm[usize::from(insn.src.reg & 15)] as u64;
        let offset = offset(cpu, insn);
        return store(cpu, bus, segment_of(insn), offset, insn.size, value);
    }
    let value = read_source(cpu, bus, insn, Alignment::Free)? & mask;
    let target = &mut cpu.xmm[usize::from(insn.dst.reg & 15)];
    *target = if insn.src.kind == Kind::Mem { value } else { *target & !mask | value };
    Ok(())
}

/// MOVLPS, MOVHPS and their kin: one half, the other stays.
fn half(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let is_high = matches!(insn.op, Op::Movhps | Op::Movhpd | Op::Movlhps);
    if insn.dst.kind == Kind::Mem {
        let value = qwords(cpu.xmm[usize::from(insn.src.reg & 15)])[usize::from(is_high)];
        let offset = offset(cpu, insn);
        return store(cpu, bus, segment_of(insn), offset, 8, value);
    }
    let source = read_source(cpu, bus, insn, Alignment::Free)?;
    let source = if insn.op == Op::Movhlps { source >> 64 } else { source & LOW };
    let target = &mut cpu.xmm[usize::from(insn.dst.reg & 15)];
    *target = if is_high { *target & LOW | source << 64 } else { *target & !LOW | source };
    Ok(())
}

/// MOVMSKPS, MOVMSKPD, PMOVMSKB: the lanes' sign bits in a general register.
fn signs(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    fn collect(signs: impl DoubleEndedIterator<Item = bool>) -> u64 {
        signs.rev().fold(0, |mask, sign| mask << 1 | u64::from(sign))
    }
    let source = cpu.xmm[usize::from(insn.src.reg & 15)];
    let mask = match insn.op {
        Op::Movmskps => collect(dwords(source).into_iter().map(|lane| lane >> 31 != 0)),
        Op::Movmskpd => collect(qwords(source).into_iter().map(|lane| lane >> 63 != 0)),
        _ => collect(bytes(source).into_iter().map(|lane| lane >> 7 != 0)),
    };
    write_dst(cpu, bus, insn, mask)
}

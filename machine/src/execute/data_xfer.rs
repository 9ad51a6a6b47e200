//! Moving data: MOV in all its forms, MOVZX, MOVSX, LEA, XCHG, CMOVcc, SETcc, XLAT, LAHF, SAHF, far pointers. No flags
//! but SAHF's.

use super::operand::{
    gpr, load, mask, modify, offset, read_dst, read_src, segment_of, set_gpr, sign_extend, write, write_dst,
};
use super::{control_reg, debug_reg, segment_load, status};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::flags::{AF, CF, PF, RESERVED_ONE, SF, ZF};
use crate::cpu::gpr::{RAX, RBX};
use crate::cpu::segment::{CS, SS};
use crate::decode::{Insn, Kind};
use crate::fault::{Exec, Fault};

/// MOV between general registers, memory, segment, control and debug registers.
#[inline]
pub fn mov(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    match (insn.dst.kind, insn.src.kind) {
        (Kind::Seg, _) => to_segment(cpu, bus, insn),
        (Kind::Cr, _) => {
            let value = read_src(cpu, bus, insn)?;
            control_reg::write(cpu, bus, insn.dst.reg, value)
        }
        (_, Kind::Cr) => {
            let value = control_reg::read(cpu, bus, insn.src.reg)?;
            write_dst(cpu, bus, insn, value)
        }
        (Kind::Dr, _) => {
            let value = read_src(cpu, bus, insn)?;
            debug_reg::write(cpu, bus, insn.dst.reg, value)
        }
        (_, Kind::Dr) => {
            let value = debug_reg::read(cpu, bus, insn.src.reg)?;
            write_dst(cpu, bus, insn, value)
        }
        (_, Kind::Imm) => write_dst(cpu, bus, insn, insn.imm),
        _ => {
            let value = read_src(cpu, bus, insn)?;
            write_dst(cpu, bus, insn, value)
        }
    }
}

fn to_segment(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let seg = usize::from(insn.dst.reg);
    if seg == CS {
        return Err(Fault::ud("mov cannot load CS").into());
    }
    let selector = super::operand::read(cpu, bus, insn, insn.src, 2)? as u16;
    segment_load::load(cpu, bus, seg, selector)?;
    if seg == SS {
        // The next instruction loads SP and must not be parted from this one (SDM 3A 6.8.3).
        cpu.interrupt_shadow = true;
    }
    Ok(())
}

/// MOVZX.
#[inline]
pub fn movzx(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let value = read_src(cpu, bus, insn)?;
    write_dst(cpu, bus, insn, value)
}

/// MOVSX, MOVSXD.
#[inline]
pub fn movsx(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let value = read_src(cpu, bus, insn)?;
    write_dst(cpu, bus, insn, sign_extend(value, insn.src_size))
}

/// LEA: the offset, not the linear address.
#[inline]
pub fn lea(cpu: &mut Cpu, insn: &Insn) {
    let value = offset(cpu, insn);
    set_gpr(cpu, usize::from(insn.dst.reg), insn.size, value);
}

/// XCHG.
pub fn xchg(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    // Whichever operand is memory goes first: it can fault.
    let mut insn = *insn;
    if insn.src.kind == Kind::Mem {
        std::mem::swap(&mut insn.dst, &mut insn.src);
    }
    let other = super::operand::read(cpu, bus, &insn, insn.src, insn.size)?;
    if insn.dst.kind == Kind::Mem {
        let mut old = 0;
        modify(cpu, bus, &insn, |value, flags| {
            old = value;
            (other, flags)
        })?;
        return write(cpu, bus, &insn, insn.src, insn.size, old);
    }
    let old = read_dst(cpu, bus, &insn)?;
    write_dst(cpu, bus, &insn, other)?;
    write(cpu, bus, &insn, insn.src, insn.size, old)
}

/// CMOVcc. The source is read and a 32-bit destination's upper half cleared also where the condition is false.
pub fn cmov(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let source = read_src(cpu, bus, insn)?;
    let value = if status::holds(cpu.rflags, insn.cond) { source } else { read_dst(cpu, bus, insn)? };
    write_dst(cpu, bus, insn, value)
}

/// SETcc.
pub fn setcc(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    write_dst(cpu, bus, insn, u64::from(status::holds(cpu.rflags, insn.cond)))
}

/// XLAT: AL = byte at rBX + AL.
pub fn xlat(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let offset = cpu.gpr[RBX].wrapping_add(gpr(cpu, RAX, 1)) & mask(insn.addr_size);
    let value = load(cpu, bus, segment_of(insn), offset, 1)?;
    set_gpr(cpu, RAX, 1, value);
    Ok(())
}

/// LAHF: AH = SF ZF 0 AF 0 PF 1 CF.
pub fn lahf(cpu: &mut Cpu) {
    let flags = cpu.rflags & (SF | ZF | AF | PF | CF) | RESERVED_ONE;
    cpu.gpr[RAX] = cpu.gpr[RAX] & !0xff00 | flags << 8;
}

/// SAHF: SF ZF AF PF CF from AH.
pub fn sahf(cpu: &mut Cpu) {
    let mask = SF | ZF | AF | PF | CF;
    cpu.rflags = cpu.rflags & !mask | cpu.gpr[RAX] >> 8 & mask;
}

/// LDS, LES, LFS, LGS, LSS: offset first, selector after it. `segment` is the register that the name says.
pub fn load_far_pointer(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let (seg, offset) = (segment_of(insn), offset(cpu, insn));
    let value = load(cpu, bus, seg, offset, insn.size)?;
    let after = offset.wrapping_add(u64::from(insn.size)) & mask(insn.addr_size);
    let selector = load(cpu, bus, seg, after, 2)? as u16;
    segment_load::load(cpu, bus, usize::from(insn.third.reg), selector)?;
    set_gpr(cpu, usize::from(insn.dst.reg), insn.size, value);
    Ok(())
}

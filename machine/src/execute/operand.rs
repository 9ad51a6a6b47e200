//! Operands: where they are in memory, reading, writing and modifying them, in any size and mode.
//!
//! Whatever can fault comes first; registers and flags change only after it.

use crate::bus::Bus;
use crate::cpu::{Cpu, segment};
use crate::decode::{Insn, Kind, NO_REG, Operand, RIP_BASE};
use crate::fault::{Exec, Fault};
use crate::mmu;
use protocol::Mode;

/// All ones in an operand of `size` bytes (1 to 8).
#[inline]
pub fn mask(size: u8) -> u64 {
    u64::MAX >> (64u32.wrapping_sub(8 * u32::from(size)) & 63)
}

/// The sign bit of an operand of `size` bytes.
#[inline]
pub fn sign_bit(size: u8) -> u64 {
    mask(size) ^ mask(size) >> 1
}

/// The value of an operand of `size` bytes, sign-extended.
#[inline]
pub fn sign_extend(value: u64, size: u8) -> u64 {
    let shift = 64u32.wrapping_sub(8 * u32::from(size)) & 63;
    ((value << shift) as i64 >> shift) as u64
}

/// Offset of the memory operand in its segment (SDM 1 3.7.5).
#[inline]
pub fn offset(cpu: &Cpu, insn: &Insn) -> u64 {
    let mem = insn.mem;
    let mut offset = insn.disp;
    if mem.base < RIP_BASE {
        offset = offset.wrapping_add(cpu.gpr[usize::from(mem.base)]);
    } else if mem.base == RIP_BASE {
        offset = offset.wrapping_add(cpu.rip);
    }
    if mem.index != NO_REG {
        offset = offset.wrapping_add(cpu.gpr[usize::from(mem.index & 15)] << (mem.shift & 3));
    }
    offset & mask(insn.addr_size)
}

/// The segment register of the memory operand.
#[inline]
pub fn segment_of(insn: &Insn) -> usize {
    usize::from(insn.mem.segment)
}

/// Linear address of an offset in a segment, before any check.
pub fn linear(cpu: &Cpu, seg: usize, offset: u64) -> u64 {
    if cpu.mode() != Mode::Long {
        cpu.segments[seg].base.wrapping_add(offset) & 0xffff_ffff
    } else if seg >= segment::FS {
        cpu.segments[seg].base.wrapping_add(offset)
    } else {
        offset
    }
}

/// A general register's low `size` bytes.
#[inline]
pub fn gpr(cpu: &Cpu, reg: usize, size: u8) -> u64 {
    cpu.gpr[reg & 15] & mask(size)
}

/// Writes a general register: 32-bit results clear the upper half, smaller ones leave the rest (SDM 1 3.4.1.1).
#[inline]
pub fn set_gpr(cpu: &mut Cpu, reg: usize, size: u8, value: u64) {
    let old = &mut cpu.gpr[reg & 15];
    *old = match size {
        8 => value,
        4 => value & 0xffff_ffff,
        _ => *old & !mask(size) | value & mask(size),
    };
}

/// Reads 1, 2, 4 or 8 bytes through a segment.
#[inline]
pub fn load(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, size: u8) -> Exec<u64> {
    Ok(match size {
        1 => u64::from(mmu::read_u8(cpu, bus, seg, offset)?),
        2 => u64::from(mmu::read_u16(cpu, bus, seg, offset)?),
        4 => u64::from(mmu::read_u32(cpu, bus, seg, offset)?),
        _ => mmu::read_u64(cpu, bus, seg, offset)?,
    })
}

/// Writes 1, 2, 4 or 8 bytes through a segment.
#[inline]
pub fn store(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, size: u8, value: u64) -> Exec<()> {
    match size {
        1 => mmu::write_u8(cpu, bus, seg, offset, value as u8),
        2 => mmu::write_u16(cpu, bus, seg, offset, value as u16),
        4 => mmu::write_u32(cpu, bus, seg, offset, value as u32),
        _ => mmu::write_u64(cpu, bus, seg, offset, value),
    }
}

/// The value of an integer operand of `size` bytes.
#[inline]
pub fn read(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, operand: Operand, size: u8) -> Exec<u64> {
    Ok(match operand.kind {
        Kind::Gpr => gpr(cpu, usize::from(operand.reg), size),
        Kind::Imm => insn.imm & mask(size),
        Kind::Mem => {
            let offset = offset(cpu, insn);
            load(cpu, bus, segment_of(insn), offset, size)?
        }
        Kind::GprHigh => cpu.gpr[usize::from(operand.reg & 3)] >> 8 & 0xff,
        Kind::Seg => u64::from(cpu.segments[usize::from(operand.reg)].selector),
        Kind::None | Kind::Cr | Kind::Dr | Kind::Xmm | Kind::Mmx | Kind::St => 0,
    })
}

/// The value of the first operand.
#[inline]
pub fn read_dst(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<u64> {
    read(cpu, bus, insn, insn.dst, insn.size)
}

/// The value of the second operand.
#[inline]
pub fn read_src(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<u64> {
    read(cpu, bus, insn, insn.src, insn.src_size)
}

/// Writes an operand of `size` bytes: a general register or memory.
#[inline]
pub fn write(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, operand: Operand, size: u8, value: u64) -> Exec<()> {
    match operand.kind {
        Kind::Gpr => set_gpr(cpu, usize::from(operand.reg), size, value),
        Kind::Mem => {
            let offset = offset(cpu, insn);
            return store(cpu, bus, segment_of(insn), offset, size, value);
        }
        Kind::GprHigh => {
            let old = &mut cpu.gpr[usize::from(operand.reg & 3)];
            *old = *old & !0xff00 | (value & 0xff) << 8;
        }
        Kind::None | Kind::Imm | Kind::Seg | Kind::Cr | Kind::Dr | Kind::Xmm | Kind::Mmx | Kind::St => {}
    }
    Ok(())
}

/// Writes the first operand.
#[inline]
pub fn write_dst(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, value: u64) -> Exec<()> {
    write(cpu, bus, insn, insn.dst, insn.size, value)
}

/// Reads the first operand, computes the new value and flags from it and the flags, and writes both. Memory is checked
/// for the write before it is read, as a read-modify-write does.
#[inline]
pub fn modify(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, f: impl FnOnce(u64, u64) -> (u64, u64)) -> Exec<()> {
    if insn.dst.kind == Kind::Mem {
        let (seg, offset, size) = (segment_of(insn), offset(cpu, insn), insn.size);
        mmu::check_write(cpu, bus, seg, offset, u64::from(size))?;
        let old = load(cpu, bus, seg, offset, size)?;
        let (value, flags) = f(old, cpu.rflags);
        store(cpu, bus, seg, offset, size, value)?;
        cpu.rflags = flags;
        return Ok(());
    }
    let old = read_dst(cpu, bus, insn)?;
    let (value, flags) = f(old, cpu.rflags);
    cpu.rflags = flags;
    write_dst(cpu, bus, insn, value)
}

/// #GP(0) where a memory operand that must be aligned is not.
pub fn check_aligned(cpu: &Cpu, seg: usize, offset: u64, align: u64) -> Exec<()> {
    if linear(cpu, seg, offset) & (align - 1) != 0 {
        return Err(Fault::gp(0, "the memory operand is not aligned as this instruction needs it").into());
    }
    Ok(())
}

//! Near control transfer: JMP, Jcc, CALL, RET, LOOP, JCXZ; where a far one begins (its work is in [`super::far_xfer`]);
//! BOUND. No flags.

use super::operand::{load, mask, offset, read, segment_of, set_gpr};
use super::{far_xfer, stack, status};
use crate::bus::Bus;
use crate::cpu::flags::{OF, ZF};
use crate::cpu::gpr::RCX;
use crate::cpu::segment::CS;
use crate::cpu::{Cpu, cr4};
use crate::decode::{Insn, Kind, Op};
use crate::fault::{Exec, Fault, vector};
use protocol::Mode;

/// The target of a near branch cut to the operand size, if CS reaches that far: #GP(0) for a non-canonical one or one
/// beyond the limit, before anything has changed.
#[inline]
fn checked(cpu: &Cpu, target: u64, size: u8) -> Exec<u64> {
    let target = target & mask(size);
    if cpu.mode() == Mode::Long {
        let unused = if cpu.cr4 & cr4::LA57 != 0 { 7 } else { 16 };
        if (target << unused) as i64 >> unused != target as i64 {
            return Err(Fault::gp(0, "the branch target is not a canonical address").into());
        }
    } else if target > u64::from(cpu.segments[CS].limit) {
        return Err(Fault::gp(0, "the branch target is beyond CS's limit").into());
    }
    Ok(target)
}

/// Target of a direct (relative) or indirect (absolute) near branch.
#[inline]
fn target(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, size: u8) -> Exec<u64> {
    let target =
        if insn.dst.kind == Kind::Imm { cpu.rip.wrapping_add(insn.imm) } else { read(cpu, bus, insn, insn.dst, size)? };
    checked(cpu, target, size)
}

/// Near JMP.
#[inline]
pub fn jmp(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    cpu.rip = target(cpu, bus, insn, insn.size)?;
    Ok(())
}

/// Near JMP to a displacement.
#[inline]
pub fn jmp_direct(cpu: &mut Cpu, insn: &Insn) -> Exec<()> {
    cpu.rip = checked(cpu, cpu.rip.wrapping_add(insn.imm), insn.size)?;
    Ok(())
}

/// Jcc.
#[inline]
pub fn jcc(cpu: &mut Cpu, insn: &Insn) -> Exec<()> {
    if status::holds(cpu.rflags, insn.cond) {
        cpu.rip = checked(cpu, cpu.rip.wrapping_add(insn.imm), insn.size)?;
    }
    Ok(())
}

/// Near CALL: pushes the offset of the next instruction.
#[inline]
pub fn call(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let target = target(cpu, bus, insn, insn.size)?;
    stack::push(cpu, bus, insn.size, cpu.rip & mask(insn.size))?;
    cpu.rip = target;
    Ok(())
}

/// Near RET, dropping `imm` bytes of parameters.
#[inline]
pub fn ret(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let target = stack::peek(cpu, bus, insn.size)?;
    cpu.rip = checked(cpu, target, insn.size)?;
    stack::drop(cpu, u64::from(insn.size) + (insn.imm & 0xffff));
    Ok(())
}

/// LOOP, LOOPE, LOOPNE: counts rCX down by the address size.
pub fn loop_(cpu: &mut Cpu, insn: &Insn) -> Exec<()> {
    let count = cpu.gpr[RCX].wrapping_sub(1) & mask(insn.addr_size);
    let zero = cpu.rflags & ZF != 0;
    let taken = count != 0
        && match insn.op {
            Op::Loope => zero,
            Op::Loopne => !zero,
            _ => true,
        };
    if taken {
        cpu.rip = checked(cpu, cpu.rip.wrapping_add(insn.imm), insn.size)?;
    }
    set_gpr(cpu, RCX, insn.addr_size, count);
    Ok(())
}

/// JCXZ, JECXZ, JRCXZ.
pub fn jcxz(cpu: &mut Cpu, insn: &Insn) -> Exec<()> {
    if cpu.gpr[RCX] & mask(insn.addr_size) == 0 {
        cpu.rip = checked(cpu, cpu.rip.wrapping_add(insn.imm), insn.size)?;
    }
    Ok(())
}

/// Far JMP and CALL: the pointer is in the instruction, or in memory: offset first, selector after it.
pub fn far(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let size = insn.size;
    let (selector, target) = if insn.dst.kind == Kind::Mem {
        let (seg, offset) = (segment_of(insn), offset(cpu, insn));
        let target = load(cpu, bus, seg, offset, size)?;
        let after = offset.wrapping_add(u64::from(size)) & mask(insn.addr_size);
        (load(cpu, bus, seg, after, 2)? as u16, target)
    } else {
        ((insn.imm >> 32) as u16, insn.imm & 0xffff_ffff)
    };
    if insn.op == Op::JmpFar {
        far_xfer::jump(cpu, bus, selector, target, size)
    } else {
        far_xfer::call(cpu, bus, selector, target, size)
    }
}

/// INTO: whether it traps.
pub fn overflows(cpu: &Cpu) -> bool {
    cpu.rflags & OF != 0
}

/// BOUND: #BR unless the signed index lies between the two bounds in memory.
pub fn bound(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let bytes = insn.size;
    let (seg, offset) = (segment_of(insn), offset(cpu, insn));
    let signed = |value: u64| super::operand::sign_extend(value, bytes) as i64;
    let lower = signed(load(cpu, bus, seg, offset, bytes)?);
    let upper = signed(load(cpu, bus, seg, offset.wrapping_add(u64::from(bytes)) & mask(insn.addr_size), bytes)?);
    let index = signed(read(cpu, bus, insn, insn.dst, bytes)?);
    if index < lower || index > upper {
        return Err(Fault::plain(vector::BOUND_RANGE, "the index is outside the bounds").into());
    }
    Ok(())
}

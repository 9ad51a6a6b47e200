//! The stack: PUSH and POP in all forms, PUSHF and POPF, ENTER and LEAVE, and the implicit pushes of other instructions.
//!
//! The stack pointer is RSP in 64-bit mode, else ESP or SP as SS.B says. It changes after the access that can fault.

use super::operand::{self, gpr, mask, read, set_gpr};
use super::{segment_load, vme};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::flags::{AC, AF, CF, DF, ID, IF, IOPL, NT, OF, PF, RESERVED_ONE, RF, SF, TF, VIF, VIP, VM, ZF};
use crate::cpu::gpr::{RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP};
use crate::cpu::segment::SS;
use crate::decode::{Insn, Kind};
use crate::fault::Exec;
use crate::mmu;
use protocol::Mode;

/// Width of the stack pointer in bytes (SDM 1 6.2.3).
#[inline]
pub fn width(cpu: &Cpu) -> u8 {
    match cpu.mode() {
        Mode::Long => 8,
        _ if cpu.segments[SS].is_big() => 4,
        _ => 2,
    }
}

/// Pushes `size` bytes.
#[inline]
pub fn push(cpu: &mut Cpu, bus: &mut Bus, size: u8, value: u64) -> Exec<()> {
    let width = width(cpu);
    let top = cpu.gpr[RSP].wrapping_sub(u64::from(size)) & mask(width);
    operand::store(cpu, bus, SS, top, size, value)?;
    set_gpr(cpu, RSP, width, top);
    Ok(())
}

/// What POP of `size` bytes would get.
#[inline]
pub fn peek(cpu: &mut Cpu, bus: &mut Bus, size: u8) -> Exec<u64> {
    let top = cpu.gpr[RSP] & mask(width(cpu));
    operand::load(cpu, bus, SS, top, size)
}

/// Adds to the stack pointer.
#[inline]
pub fn drop(cpu: &mut Cpu, bytes: u64) {
    let width = width(cpu);
    set_gpr(cpu, RSP, width, cpu.gpr[RSP].wrapping_add(bytes));
}

/// Pops `size` bytes.
#[inline]
pub fn pop(cpu: &mut Cpu, bus: &mut Bus, size: u8) -> Exec<u64> {
    let value = peek(cpu, bus, size)?;
    drop(cpu, u64::from(size));
    Ok(value)
}

/// PUSH of a register, immediate, memory or segment register. PUSH rSP pushes the value before the push. A selector with an
/// operand size of 4 bytes makes room for 4 and writes 2, as "all recent Intel Core and Intel Atom processors" do (SDM 2B, PUSH).
#[inline]
pub fn push_insn(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let value = read(cpu, bus, insn, insn.dst, insn.size)?;
    if insn.dst.kind == Kind::Seg && insn.size == 4 {
        let width = width(cpu);
        let top = cpu.gpr[RSP].wrapping_sub(4) & mask(width);
        operand::store(cpu, bus, SS, top, 2, value)?;
        set_gpr(cpu, RSP, width, top);
        return Ok(());
    }
    push(cpu, bus, insn.size, value)
}

/// POP. POP rSP leaves the popped value; a memory operand based on rSP is computed after the increment (SDM 2B, POP).
pub fn pop_insn(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let size = insn.size;
    let value = peek(cpu, bus, size)?;
    match insn.dst.kind {
        Kind::Seg => {
            // The pointer moves as wide as the stack was that is read, not the one that POP SS loads.
            let before = cpu.gpr[RSP];
            drop(cpu, u64::from(size));
            if let Err(trap) = segment_load::load(cpu, bus, usize::from(insn.dst.reg), value as u16) {
                cpu.gpr[RSP] = before;
                return Err(trap);
            }
            if usize::from(insn.dst.reg) == SS {
                cpu.interrupt_shadow = true;
            }
            Ok(())
        }
        Kind::Mem => {
            let before = cpu.gpr[RSP];
            drop(cpu, u64::from(size));
            let written = operand::write(cpu, bus, insn, insn.dst, size, value);
            if written.is_err() {
                cpu.gpr[RSP] = before;
            }
            written
        }
        _ => {
            drop(cpu, u64::from(size));
            operand::write(cpu, bus, insn, insn.dst, size, value)
        }
    }
}

/// PUSHA, PUSHAD: AX CX DX BX SP BP SI DI, SP as it was before.
pub fn push_all(cpu: &mut Cpu, bus: &mut Bus, size: u8) -> Exec<()> {
    let width = width(cpu);
    let bytes = u64::from(size);
    let slot = |index: u64| cpu.gpr[RSP].wrapping_sub(bytes * (index + 1)) & mask(width);
    let slots: [u64; 8] = std::array::from_fn(|index| slot(index as u64));
    for offset in slots {
        mmu::check_write(cpu, bus, SS, offset, bytes)?;
    }
    for (reg, offset) in slots.into_iter().enumerate() {
        let value = gpr(cpu, reg, size);
        operand::store(cpu, bus, SS, offset, size, value)?;
    }
    set_gpr(cpu, RSP, width, slots[7]);
    Ok(())
}

/// POPA, POPAD: the reverse; the value for SP is skipped.
pub fn pop_all(cpu: &mut Cpu, bus: &mut Bus, size: u8) -> Exec<()> {
    const ORDER: [usize; 8] = [RDI, RSI, RBP, RSP, RBX, RDX, RCX, RAX];
    let width = width(cpu);
    let mut values = [0; 8];
    for (index, value) in values.iter_mut().enumerate() {
        let offset = cpu.gpr[RSP].wrapping_add(u64::from(size) * index as u64) & mask(width);
        *value = operand::load(cpu, bus, SS, offset, size)?;
    }
    for (reg, value) in ORDER.into_iter().zip(values).filter(|&(reg, _)| reg != RSP) {
        set_gpr(cpu, reg, size, value);
    }
    drop(cpu, 8 * u64::from(size));
    Ok(())
}

/// PUSHF, PUSHFD, PUSHFQ: VM and RF read as 0.
pub fn push_flags(cpu: &mut Cpu, bus: &mut Bus, size: u8) -> Exec<()> {
    let image = if vme::is_restricted(cpu) { vme::pushed(cpu, size)? } else { cpu.rflags };
    push(cpu, bus, size, image & !(VM | RF))
}

/// POPF, POPFD, POPFQ: IOPL changes in ring 0 only, IF where CPL <= IOPL; VM, VIF and VIP stay; RF becomes 0.
pub fn pop_flags(cpu: &mut Cpu, bus: &mut Bus, size: u8) -> Exec<()> {
    if vme::is_restricted(cpu) {
        vme::check_size(cpu, "POPF", size)?;
        let image = peek(cpu, bus, size)?;
        cpu.rflags = vme::popped(cpu, "POPF", image)?;
        drop(cpu, u64::from(size));
        return Ok(());
    }
    let value = pop(cpu, bus, size)?;
    let mut writable = CF | PF | AF | ZF | SF | TF | DF | OF | NT;
    if size > 2 {
        writable |= RF | AC | ID;
    }
    if cpu.cpl() == 0 {
        writable |= IOPL;
    }
    if may_change_if(cpu) {
        writable |= IF;
    }
    debug_assert_eq!(writable & (VM | VIF | VIP), 0);
    cpu.rflags = (cpu.rflags & !writable | value & writable & !RF) | RESERVED_ONE;
    Ok(())
}

/// CPL <= IOPL; always in real mode.
pub fn may_change_if(cpu: &Cpu) -> bool {
    u64::from(cpu.cpl()) <= (cpu.rflags & IOPL) >> IOPL.trailing_zeros()
}

/// ENTER: pushes rBP, copies `level - 1` frame pointers, makes room.
pub fn enter(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let (size, width, level) = (insn.size, width(cpu), insn.disp & 31);
    let bytes = u64::from(size);
    let (old_sp, old_bp) = (cpu.gpr[RSP], cpu.gpr[RBP]);
    let mut work = || -> Exec<u64> {
        push(cpu, bus, size, gpr(cpu, RBP, size))?;
        let frame = cpu.gpr[RSP];
        for index in 1..level {
            let offset = old_bp.wrapping_sub(bytes * index) & mask(width);
            let pointer = operand::load(cpu, bus, SS, offset, size)?;
            push(cpu, bus, size, pointer)?;
        }
        if level > 0 {
            push(cpu, bus, size, frame & mask(size))?;
        }
        let top = cpu.gpr[RSP].wrapping_sub(insn.imm & 0xffff) & mask(width);
        // The new top must be writable, so that a frame that cannot be used faults here (SDM 2A, ENTER).
        mmu::check_write(cpu, bus, SS, top, bytes)?;
        set_gpr(cpu, RSP, width, top);
        Ok(frame)
    };
    match work() {
        Ok(frame) => {
            set_gpr(cpu, RBP, size, frame);
            Ok(())
        }
        Err(trap) => {
            cpu.gpr[RSP] = old_sp;
            Err(trap)
        }
    }
}

/// LEAVE: rSP = rBP, pop rBP.
pub fn leave(cpu: &mut Cpu, bus: &mut Bus, size: u8) -> Exec<()> {
    let width = width(cpu);
    let frame = cpu.gpr[RBP] & mask(width);
    let value = operand::load(cpu, bus, SS, frame, size)?;
    set_gpr(cpu, RSP, width, frame.wrapping_add(u64::from(size)) & mask(width));
    set_gpr(cpu, RBP, size, value);
    Ok(())
}

//! String instructions: one element, or with REP one iteration, a step (an interrupt can come in between: then IP is
//! still at the instruction and the registers tell how far it is).
//!
//! The source is DS (or the overriding segment):rSI, the destination always ES:rDI; both move by the element size, down
//! if DF is set. REP counts rCX down in the address size.

use super::operand::{gpr, load, mask, set_gpr, store};
use super::{port_io, status};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::flags::{DF, ZF};
use crate::cpu::gpr::{RAX, RCX, RDI, RDX, RSI};
use crate::cpu::segment::ES;
use crate::decode::{Insn, Op, prefix};
use crate::fault::Exec;
use crate::mmu::{self, Access};

/// Executes one element; with a repeat prefix, one iteration of it.
pub fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    if insn.prefixes & (prefix::REPE | prefix::REPNE) == 0 {
        return element(cpu, bus, insn);
    }
    let count = gpr(cpu, RCX, insn.addr_size);
    if count == 0 {
        return Ok(());
    }
    element(cpu, bus, insn)?;
    set_gpr(cpu, RCX, insn.addr_size, count - 1);
    let compares = matches!(insn.op, Op::Cmps | Op::Scas);
    let goes_on = !compares || (cpu.rflags & ZF != 0) == (insn.prefixes & prefix::REPE != 0);
    if count > 1 && goes_on {
        cpu.rip = super::start_of(cpu, insn);
    }
    Ok(())
}

/// After an iteration of REP MOVS or REP STOS that is to be repeated: as many more as can be done at once, at most `most`.
/// Each of them is a step as always; how many were made.
pub fn go_on(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, most: u32) -> u32 {
    let is_move = insn.op == Op::Movs;
    if !is_move && insn.op != Op::Stos || cpu.rflags & DF != 0 || bus.watch.active {
        return 0;
    }
    let (size, width) = (u64::from(insn.size), insn.addr_size);
    let (left, source, target) = (gpr(cpu, RCX, width), gpr(cpu, RSI, width), gpr(cpu, RDI, width));
    // Not around the end of the address size.
    let before_wrap = |offset: u64| (mask(width) - offset) / size;
    let most = left.min(u64::from(most)).min(before_wrap(target));
    let most = if is_move { most.min(before_wrap(source)) } else { most };
    let Some((to, mut count)) = mmu::row_of_elements(cpu, ES, target, size, most, Access::Write) else { return 0 };
    if is_move {
        let segment = usize::from(insn.mem.segment);
        let Some((from, there)) = mmu::row_of_elements(cpu, segment, source, size, count, Access::Read) else {
            return 0;
        };
        count = there;
        // What was just written is read again where the target lies close behind the source.
        let runs_after_itself = from < to && to < from + count * size;
        if runs_after_itself || !bus.ram.copy_plain(from, to, (count * size) as usize) {
            return 0;
        }
        set_gpr(cpu, RSI, width, source + count * size);
    } else {
        let Some(bytes) = bus.ram.plain_mut(to, (count * size) as usize) else { return 0 };
        let value = cpu.gpr[RAX].to_le_bytes();
        bytes.chunks_exact_mut(size as usize).for_each(|element| element.copy_from_slice(&value[..size as usize]));
    }
    set_gpr(cpu, RDI, width, target + count * size);
    set_gpr(cpu, RCX, width, left - count);
    if left == count {
        cpu.rip = super::next_ip(cpu, cpu.rip.wrapping_add(u64::from(insn.len)));
    }
    count as u32
}

fn element(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let (size, width) = (insn.size, insn.addr_size);
    let (source, target) = (gpr(cpu, RSI, width), gpr(cpu, RDI, width));
    let segment = usize::from(insn.mem.segment);
    let (mut moves_source, mut moves_target) = (true, true);
    match insn.op {
        Op::Movs => {
            let value = load(cpu, bus, segment, source, size)?;
            store(cpu, bus, ES, target, size, value)?;
        }
        Op::Stos => {
            moves_source = false;
            store(cpu, bus, ES, target, size, cpu.gpr[RAX])?;
        }
        Op::Lods => {
            moves_target = false;
            let value = load(cpu, bus, segment, source, size)?;
            set_gpr(cpu, RAX, size, value);
        }
        Op::Cmps => {
            let a = load(cpu, bus, segment, source, size)?;
            let b = load(cpu, bus, ES, target, size)?;
            cpu.rflags = status::sub(cpu.rflags, a, b, 0, size).1;
        }
        Op::Scas => {
            moves_source = false;
            let b = load(cpu, bus, ES, target, size)?;
            cpu.rflags = status::sub(cpu.rflags, gpr(cpu, RAX, size), b, 0, size).1;
        }
        Op::Ins => {
            moves_source = false;
            let port = cpu.gpr[RDX] as u16;
            port_io::check(cpu, bus, port, size)?;
            // A port read has effects of its own: nothing may fault after it.
            mmu::check_write(cpu, bus, ES, target, u64::from(size))?;
            let value = port_io::read_port(cpu, bus, port, size);
            store(cpu, bus, ES, target, size, u64::from(value))?;
        }
        _ => {
            moves_target = false;
            let port = cpu.gpr[RDX] as u16;
            port_io::check(cpu, bus, port, size)?;
            let value = load(cpu, bus, segment, source, size)?;
            port_io::write_port(cpu, bus, port, value as u32, size);
        }
    }
    let step = if cpu.rflags & DF != 0 { u64::from(size).wrapping_neg() } else { u64::from(size) };
    if moves_source {
        set_gpr(cpu, RSI, width, source.wrapping_add(step) & mask(width));
    }
    if moves_target {
        set_gpr(cpu, RDI, width, target.wrapping_add(step) & mask(width));
    }
    Ok(())
}

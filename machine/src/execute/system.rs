//! Operands of the system instructions; what they do is in [`super::descriptor_table`] and [`super::control_reg`].

use super::operand::{modify, offset, read, read_dst, segment_of, write_dst};
use super::{control_reg, descriptor_table};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::flags::ZF;
use crate::decode::{Insn, Kind, Op};
use crate::fault::{Exec, Fault};
use crate::mmu;
use protocol::Mode;

/// LGDT, LIDT, SGDT, SIDT, LLDT, SLDT, LTR, STR.
pub fn table(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    match insn.op {
        Op::Lldt | Op::Sldt | Op::Ltr | Op::Str => {
            outside_real(cpu)?;
            match insn.op {
                Op::Sldt => store(cpu, bus, insn, descriptor_table::sldt),
                Op::Str => store(cpu, bus, insn, descriptor_table::str),
                op => {
                    let selector = read(cpu, bus, insn, insn.dst, 2)? as u16;
                    let load = if op == Op::Lldt { descriptor_table::lldt } else { descriptor_table::ltr };
                    load(cpu, bus, selector)
                }
            }
        }
        op => {
            let (seg, offset) = (segment_of(insn), offset(cpu, insn));
            let work = match op {
                Op::Lgdt => descriptor_table::lgdt,
                Op::Lidt => descriptor_table::lidt,
                Op::Sgdt => descriptor_table::sgdt,
                _ => descriptor_table::sidt,
            };
            work(cpu, bus, seg, offset, insn.size)
        }
    }
}

/// These are not recognised in real and virtual-8086 mode.
fn outside_real(cpu: &Cpu) -> Exec<()> {
    if matches!(cpu.mode(), Mode::Real | Mode::V86) {
        return Err(Fault::ud("this instruction needs protected mode").into());
    }
    Ok(())
}

/// Stores a selector: a register in the operand size, memory in 16 bits.
fn store(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, value: fn(&Cpu) -> Exec<u16>) -> Exec<()> {
    let value = value(cpu)?;
    write_dst(cpu, bus, insn, u64::from(value))
}

/// LAR, LSL, VERR, VERW: ZF says whether the selector can be used.
pub fn inspect_selector(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    outside_real(cpu)?;
    let operand = if matches!(insn.op, Op::Lar | Op::Lsl) { insn.src } else { insn.dst };
    let selector = read(cpu, bus, insn, operand, 2)? as u16;
    let usable = match insn.op {
        Op::Verr => descriptor_table::verr(cpu, bus, selector)?,
        Op::Verw => descriptor_table::verw(cpu, bus, selector)?,
        op => {
            let look = if op == Op::Lar { descriptor_table::lar } else { descriptor_table::lsl };
            let found = look(cpu, bus, selector)?;
            if let Some(value) = found {
                write_dst(cpu, bus, insn, u64::from(value))?;
            }
            found.is_some()
        }
    };
    cpu.rflags = cpu.rflags & !ZF | super::status::when(usable, ZF);
    Ok(())
}

/// ARPL: raises the first selector's RPL to the second's; ZF says that it did.
pub fn arpl(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    outside_real(cpu)?;
    let rpl = read(cpu, bus, insn, insn.src, 2)? & 3;
    let selector = read_dst(cpu, bus, insn)?;
    if selector & 3 < rpl {
        modify(cpu, bus, insn, |selector, flags| (selector & !3 | rpl, flags | ZF))
    } else {
        cpu.rflags &= !ZF;
        Ok(())
    }
}

/// LMSW, SMSW, CLTS.
pub fn machine_status(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    match insn.op {
        Op::Lmsw => {
            let value = read(cpu, bus, insn, insn.dst, 2)? as u16;
            control_reg::lmsw(cpu, bus, value)
        }
        Op::Smsw => {
            let value = control_reg::smsw(cpu)?;
            // Memory gets 16 bits whatever the operand size (SDM 2B, SMSW).
            let size = if insn.dst.kind == Kind::Mem { 2 } else { insn.size };
            super::operand::write(cpu, bus, insn, insn.dst, size, value)
        }
        _ => control_reg::clts(cpu, bus),
    }
}

/// INVLPG.
pub fn invlpg(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let offset = offset(cpu, insn);
    mmu::invlpg(cpu, bus, segment_of(insn), offset)
}

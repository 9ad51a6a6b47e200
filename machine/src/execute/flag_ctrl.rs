//! Instructions that set one flag: CLC, STC, CMC, CLD, STD, CLI, STI, CLAC, STAC, SALC.

use super::operand::set_gpr;
use crate::cpu::Cpu;
use crate::cpu::flags::{AC, CF, DF, IF, VIF, VIP};
use crate::cpu::gpr::RAX;
use crate::decode::Op;
use crate::fault::{Exec, Fault};

/// Executes one of them.
pub fn execute(cpu: &mut Cpu, op: Op) -> Exec<()> {
    match op {
        Op::Clc => cpu.rflags &= !CF,
        Op::Stc => cpu.rflags |= CF,
        Op::Cmc => cpu.rflags ^= CF,
        Op::Cld => cpu.rflags &= !DF,
        Op::Std => cpu.rflags |= DF,
        Op::Cli => cpu.rflags &= !interrupt_flag(cpu)?,
        Op::Sti if interrupt_flag(cpu)? == VIF => {
            if cpu.rflags & VIP != 0 {
                return Err(Fault::gp(0, "STI sets VIF while RFLAGS.VIP says that an interrupt waits").into());
            }
            cpu.rflags |= VIF;
        }
        Op::Sti => {
            // Interrupts come only after the next instruction, where they were off (SDM 2B, STI).
            if cpu.rflags & IF == 0 {
                cpu.interrupt_shadow = true;
            }
            cpu.rflags |= IF;
        }
        Op::Clac | Op::Stac => {
            if cpu.cpl() != 0 {
                return Err(Fault::ud("CLAC and STAC need ring 0").into());
            }
            cpu.rflags = cpu.rflags & !AC | super::status::when(op == Op::Stac, AC);
        }
        // SALC: AL = CF ? FFh : 0.
        _ => set_gpr(cpu, RAX, 1, if cpu.rflags & CF != 0 { 0xff } else { 0 }),
    }
    Ok(())
}

/// IF, or VIF where the virtual-interrupt extensions stand in for it.
fn interrupt_flag(cpu: &Cpu) -> Exec<u64> {
    super::vme::interrupt_flag(cpu).ok_or_else(|| Fault::gp(0, "CLI and STI need CPL <= IOPL").into())
}

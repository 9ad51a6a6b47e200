//! Breakpoints that a guest sets in DR0 to DR3: a step of a CPU where DR7 enables one.
//!
//! Instruction breakpoints are faults before the instruction, unless RFLAGS.RF is set; breakpoints on data and ports are
//! traps after it, together with the single step of TF. MOV SS and POP SS hold both back for one instruction. Sources: SDM
//! 3B, "Debug Registers", "Debug Exceptions"; SDM 3A, "Masking Exceptions and Interrupts When Switching Stacks".

use super::execute;
use crate::bus::{Bus, GuestWatch, overlap};
use crate::cpu::flags::RF;
use crate::cpu::{Cpu, cr4};
use crate::decode::{self, Insn, Op, prefix};
use crate::fault::{Exec, Fault, Trap, vector};

/// Index of DR6 in `Cpu::dr`.
const DR6: usize = 4;
/// Index of DR7 in `Cpu::dr`.
const DR7: usize = 5;
/// DR7: L0 to G3.
const DR7_ENABLES: u64 = 0xff;
/// In `Cpu::debug_held`: the instruction before was MOV SS or POP SS.
const AFTER_SS: u8 = 1 << 7;
/// B0 to B3, in DR6 and in sets of hits.
const HITS: u8 = 0xf;

/// What a breakpoint waits for: R/W0 to R/W3 in DR7.
mod kind {
    pub const EXECUTE: u64 = 0;
    pub const WRITE: u64 = 1;
    pub const PORT: u64 = 2;
}

/// Some breakpoint is enabled.
#[inline]
pub fn is_active(cpu: &Cpu) -> bool {
    cpu.dr[DR7] & DR7_ENABLES != 0
}

/// The breakpoints that are enabled: number, R/W, first address, bytes.
fn enabled(cpu: &Cpu) -> impl Iterator<Item = (usize, u64, u64, u64)> {
    let (dr, dr7) = (cpu.dr, cpu.dr[DR7]);
    (0..4).filter(move |number| dr7 >> (2 * number) & 3 != 0).map(move |number| {
        let bytes = [1, 2, 8, 4][(dr7 >> (18 + 4 * number) & 3) as usize];
        (number, dr7 >> (16 + 4 * number) & 3, dr[number] & !(bytes - 1), bytes)
    })
}

/// One step, as [`super::step_instructions`] makes it, where [`is_active`].
#[cold]
pub fn step(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    let held = std::mem::take(&mut cpu.debug_held);
    if cpu.rflags & RF == 0 && held & AFTER_SS == 0 {
        let (at, dr) = (cpu.linear_pc(), cpu.dr);
        let hits = enabled(cpu).filter(|&(number, kind, ..)| kind == kind::EXECUTE && dr[number] == at);
        let hits = hits.fold(0, |hits, (number, ..)| hits | 1 << number);
        if hits != 0 {
            told(cpu, hits);
            return Err(Fault::plain(vector::DEBUG, "an instruction breakpoint in DR0 to DR3").into());
        }
    }
    let place = decode::fetch(cpu, bus)?;
    let Some(&insn) = bus.code.insn(place) else { unreachable!("fetch has just found it") };
    let start = cpu.rip;
    let others = std::mem::replace(&mut bus.watch.active, true);
    let on_data = enabled(cpu).filter(|&(_, kind, ..)| kind & kind::WRITE != 0);
    let watches =
        on_data.map(|(number, kind, start, bytes)| GuestWatch { number, start, bytes, reads: kind != kind::WRITE });
    bus.watch.guest.extend(watches);
    let result = execute(cpu, bus, place);
    bus.watch.active = others;
    bus.watch.guest.clear();
    let hits = std::mem::take(&mut bus.watch.guest_hits) | held & HITS;
    if is_repeated(&insn) && cpu.rip == start {
        // The next iteration is not a new instruction.
        cpu.rflags |= RF;
    }
    match result {
        // INT1 is a #DB already, which takes along what waited for it.
        Ok(()) if insn.op == Op::Int1 => {
            if hits != 0 {
                told(cpu, hits);
            }
        }
        Ok(()) if cpu.interrupt_shadow && insn.op != Op::Sti => cpu.debug_held = hits | AFTER_SS,
        Ok(()) if hits != 0 => {
            told(cpu, hits);
            let cause = "a breakpoint in DR0 to DR3 on data or a port";
            return Err(Fault { is_trap: true, ..Fault::plain(vector::DEBUG, cause) }.into());
        }
        Ok(()) => {}
        Err(Trap::Fault(fault)) if fault.is_trap && fault.vector == vector::DEBUG => {
            if hits != 0 {
                told(cpu, hits);
            }
            return Err(Trap::Fault(fault));
        }
        Err(trap) => return Err(trap),
    }
    Ok(())
}

fn is_repeated(insn: &Insn) -> bool {
    matches!(insn.op, Op::Movs | Op::Cmps | Op::Scas | Op::Lods | Op::Stos | Op::Ins | Op::Outs)
        && insn.prefixes & (prefix::REPE | prefix::REPNE) != 0
}

/// DR6 tells which breakpoints were hit, instead of those before.
fn told(cpu: &mut Cpu, hits: u8) {
    cpu.dr[DR6] = cpu.dr[DR6] & !u64::from(HITS) | u64::from(hits & HITS);
}

/// A port was used: breakpoints on it count if CR4.DE is set.
#[cold]
pub fn note_port(cpu: &Cpu, bus: &mut Bus, port: u16, size: u8) {
    if cpu.cr4 & cr4::DE == 0 {
        return;
    }
    for (number, kind, start, bytes) in enabled(cpu) {
        if kind == kind::PORT && overlap(start, bytes, port.into(), size.into()) {
            bus.watch.guest_hits |= 1 << number;
        }
    }
}

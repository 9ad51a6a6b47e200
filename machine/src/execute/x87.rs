//! The x87: who may use it, when an exception that waits is reported, and which family an instruction is of.
//!
//! An instruction works on a copy of the registers ([`X87`]), which becomes the CPU's once memory has been accessed without
//! a fault. Sources: SDM 1, "Programming with the x87 FPU"; SDM 3A, "x87 FPU Exception Handling in MS-DOS Compatible
//! Operation".

mod arith;
mod compare;
mod environment;
mod register;
mod transcendental;
mod transfer;

use super::operand::{offset, segment_of};
use crate::bus::Bus;
use crate::cpu::segment::CS;
use crate::cpu::x87::{X87, fsw};
use crate::cpu::{Cpu, cr0};
use crate::decode::{Insn, Kind, Op};
use crate::fault::{Exec, Fault, vector};
use protocol::{Activity, Mode};

/// The interrupt line that FERR# leads to on a PC.
const FERR_PIN: u8 = 13;
/// The port that makes a PC assert IGNNE#.
pub const IGNNE_PORT: u16 = 0xf0;

/// Executes an x87 instruction or WAIT.
pub fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    check_available(cpu, insn.op)?;
    let waits = !matches!(
        insn.op,
        Op::Fninit
            | Op::Fnclex
            | Op::Fnstcw
            | Op::Fnstsw
            | Op::Fnstenv
            | Op::Fnsave
            | Op::Fneni
            | Op::Fndisi
            | Op::Fnsetpm
            | Op::Frstpm
    );
    if waits && !report_pending(cpu, bus, insn)? {
        return Ok(());
    }
    match insn.op {
        Op::Wait | Op::Fneni | Op::Fndisi | Op::Fnsetpm | Op::Frstpm => return Ok(()),
        Op::Fninit
        | Op::Fnclex
        | Op::Fldcw
        | Op::Fnstcw
        | Op::Fnstsw
        | Op::Fldenv
        | Op::Fnstenv
        | Op::Fnsave
        | Op::Frstor => {
            environment::execute(cpu, bus, insn)?;
        }
        _ => {
            let mut x87 = cpu.x87.clone();
            point(cpu, &mut x87, insn);
            compute(cpu, bus, insn, &mut x87)?;
            cpu.x87 = x87;
        }
    }
    signal(cpu, bus);
    Ok(())
}

/// The families that are not control instructions.
fn compute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, x87: &mut X87) -> Exec<()> {
    match insn.op {
        Op::Fadd
        | Op::Fsub
        | Op::Fsubr
        | Op::Fmul
        | Op::Fdiv
        | Op::Fdivr
        | Op::Faddp
        | Op::Fsubp
        | Op::Fsubrp
        | Op::Fmulp
        | Op::Fdivp
        | Op::Fdivrp
        | Op::Fiadd
        | Op::Fisub
        | Op::Fisubr
        | Op::Fimul
        | Op::Fidiv
        | Op::Fidivr => {
            let operand = if insn.dst.kind == Kind::Mem { Some(transfer::read(cpu, bus, insn)?) } else { None };
            arith::binary_insn(x87, insn, operand);
        }
        Op::Fcom
        | Op::Fcomp
        | Op::Fcompp
        | Op::Fucom
        | Op::Fucomp
        | Op::Fucompp
        | Op::Ficom
        | Op::Ficomp
        | Op::Ftst
        | Op::Fcomi
        | Op::Fcomip
        | Op::Fucomi
        | Op::Fucomip => {
            let operand = if insn.dst.kind == Kind::Mem { Some(transfer::read(cpu, bus, insn)?) } else { None };
            cpu.rflags = compare::execute(x87, insn, operand, cpu.rflags);
        }
        Op::Fld | Op::Fild | Op::Fbld => transfer::load(cpu, bus, insn, x87)?,
        Op::Fst | Op::Fstp | Op::Fstpnce | Op::Fist | Op::Fistp | Op::Fisttp | Op::Fbstp => {
            transfer::store(cpu, bus, insn, x87)?;
        }
        Op::Fsin | Op::Fcos | Op::Fsincos | Op::Fptan | Op::Fpatan | Op::F2xm1 | Op::Fyl2x | Op::Fyl2xp1 => {
            transcendental::execute(x87, insn.op);
        }
        Op::Fsqrt | Op::Fscale | Op::Fprem | Op::Fprem1 | Op::Frndint | Op::Fxtract => arith::unary_insn(x87, insn.op),
        _ => register::execute(x87, insn, cpu.rflags),
    }
    Ok(())
}

/// #NM by CR0.EM and TS; WAIT asks MP and TS.
fn check_available(cpu: &Cpu, op: Op) -> Exec<()> {
    let bits = cpu.cr0 & (cr0::EM | cr0::TS | cr0::MP);
    let absent = match op {
        Op::Wait => bits & cr0::MP != 0 && bits & cr0::TS != 0,
        _ => bits & (cr0::EM | cr0::TS) != 0,
    };
    if absent {
        return Err(Fault::plain(vector::DEVICE_NOT_AVAILABLE, "CR0 says that the x87 is not available").into());
    }
    Ok(())
}

/// A waiting instruction comes upon an unmasked exception: #MF with CR0.NE set. Else FERR# has asked for IRQ 13, and the
/// CPU waits at this instruction for an interrupt, unless IGNNE# is asserted. False: it waits.
pub fn report_pending(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<bool> {
    if cpu.x87.fsw & fsw::ES == 0 {
        return Ok(true);
    }
    if cpu.cr0 & cr0::NE != 0 {
        let cause = "an x87 instruction before this one raised an exception that FCW does not mask";
        return Err(Fault::plain(vector::X87_FLOATING_POINT, cause).into());
    }
    if cpu.x87.ignne {
        return Ok(true);
    }
    bus.devices.irq.set_line(FERR_PIN, true, &mut bus.out);
    cpu.rip = super::start_of(cpu, insn);
    cpu.activity = Activity::Halted;
    Ok(false)
}

/// FERR# follows ES, and a cleared exception ends IGNNE#.
fn signal(cpu: &mut Cpu, bus: &mut Bus) {
    let waits = cpu.x87.fsw & fsw::ES != 0;
    if cpu.cr0 & cr0::NE == 0 && waits && !cpu.x87.ignne {
        bus.devices.irq.set_line(FERR_PIN, true, &mut bus.out);
    }
    if !waits && cpu.x87.ignne {
        cpu.x87.ignne = false;
    }
}

/// A write to port F0h: IRQ 13 is taken back, and IGNNE# asserted while an exception waits.
pub fn write_ignne_port(cpu: &mut Cpu, bus: &mut Bus) {
    bus.devices.irq.set_line(FERR_PIN, false, &mut bus.out);
    cpu.x87.ignne = cpu.x87.fsw & fsw::ES != 0;
}

/// Notes the last instruction and its memory operand. In real and virtual-8086 mode the pointers are linear addresses.
fn point(cpu: &Cpu, x87: &mut X87, insn: &Insn) {
    let is_real = matches!(cpu.mode(), Mode::Real | Mode::V86);
    let place = |seg: usize, offset: u64| {
        let selector = cpu.segments[seg].selector;
        if is_real { (selector, (u64::from(selector) * 16 + offset) & 0xffff_ffff) } else { (selector, offset) }
    };
    x87.fop = opcode(insn);
    (x87.fcs, x87.fip) = place(CS, super::start_of(cpu, insn));
    if insn.dst.kind == Kind::Mem {
        (x87.fds, x87.fdp) = place(segment_of(insn), offset(cpu, insn));
    }
}

/// ZF, PF and CF of a comparison, as FCOMI and COMISS give them.
pub fn flags_of(order: Option<std::cmp::Ordering>) -> u64 {
    compare::in_rflags(order)
}

/// FOP as [`crate::decode`] left it: x87 instructions have no immediate.
fn opcode(insn: &Insn) -> u16 {
    insn.imm as u16 & 0x7ff
}

//! INT n, INT3, INTO, INT1 and IRET. Delivery itself is [`crate::exception`]'s.
//!
//! Source: SDM 2A, "INT n/INTO/INT3/INT1" and "IRET/IRETD/IRETQ", the operation sections.

#[cfg(test)]
mod tests;

use super::far_xfer::{
    check_offset, commit, drop_inner_segments, is_real_or_v86, return_stack, return_target, simple_code,
};
use super::frame::Frame;
use super::segment_load::v86_segment;
use super::{task, vme};
use crate::bus::Bus;
use crate::cpu::segment;
use crate::cpu::{Cpu, efer, flags, gpr};
use crate::exception::deliver::{Event, Source, deliver};
use crate::fault::{Exec, Fault, vector};
use protocol::Mode;

/// INT n; `cpu.rip` is the next instruction's. Virtual-8086 mode may use it with IOPL 3 only, or where it is redirected.
pub fn int_n(cpu: &mut Cpu, bus: &mut Bus, vector: u8) -> Exec<()> {
    if vme::redirect(cpu, bus, vector)? {
        return Ok(());
    }
    check_v86(cpu, "INT n")?;
    software(cpu, bus, vector)
}

/// INT3, and INTO where it traps: IOPL does not count.
pub fn software(cpu: &mut Cpu, bus: &mut Bus, vector: u8) -> Exec<()> {
    deliver(cpu, bus, &Event { vector, error: None, source: Source::Software })
}

/// INT1: a #DB as hardware raises it, so that the gate's DPL does not count. DR6 tells nothing of it.
pub fn int1(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    deliver(cpu, bus, &Event { vector: vector::DEBUG, error: None, source: Source::Exception { is_trap: true } })
}

fn check_v86(cpu: &Cpu, name: &str) -> Exec<()> {
    if vme::is_restricted(cpu) {
        return Err(Fault::gp(0, format!("virtual-8086 mode may use {name} only with IOPL 3")).into());
    }
    Ok(())
}

/// IRET (2), IRETD (4), IRETQ (8 bytes).
pub fn iret(cpu: &mut Cpu, bus: &mut Bus, op_bytes: u8) -> Exec<()> {
    if vme::is_restricted(cpu) {
        vme::check_size(cpu, "IRET", op_bytes)?;
    }
    if is_real_or_v86(cpu) {
        return iret_simple(cpu, bus, op_bytes);
    }
    if cpu.rflags & flags::NT != 0 {
        if cpu.efer & efer::LMA != 0 {
            return Err(Fault::gp(0, "IRET with RFLAGS.NT set: IA-32e mode has no task to return to").into());
        }
        task::back(cpu, bus)?;
        cpu.nmi_blocked = false;
        return Ok(());
    }
    let mut frame = Frame::current(cpu);
    let rip = frame.pop(cpu, bus, op_bytes)?;
    let selector = frame.pop(cpu, bus, op_bytes)? as u16;
    let image = frame.pop(cpu, bus, op_bytes)?;
    if cpu.efer & efer::LMA == 0 && op_bytes == 4 && image & flags::VM != 0 && cpu.cpl() == 0 {
        return iret_to_v86(cpu, bus, frame, [rip, u64::from(selector), image]);
    }
    let cs = return_target(cpu, bus, selector, rip)?;
    let cpl = cpu.cpl();
    let rpl = selector as u8 & 3;
    // 64-bit mode always pops SS:RSP.
    let rsp = if cpu.mode() == Mode::Long || rpl != cpl {
        let outer_rsp = frame.pop(cpu, bus, op_bytes)?;
        let ss_selector = frame.pop(cpu, bus, op_bytes)? as u16;
        let ss = return_stack(cpu, bus, ss_selector, rpl, cs.is_long() && cpu.efer & efer::LMA != 0)?;
        cpu.segments[segment::SS] = ss;
        outer_rsp
    } else {
        frame.rsp()
    };
    cpu.gpr[gpr::RSP] = rsp;
    cpu.rflags = returned_flags(cpu.rflags, image, op_bytes, cpl);
    cpu.nmi_blocked = false;
    commit(cpu, bus, cs, rip);
    if rpl != cpl {
        drop_inner_segments(cpu);
    }
    Ok(())
}

/// On to virtual-8086 mode: ESP, SS, ES, DS, FS and GS are popped too.
fn iret_to_v86(cpu: &mut Cpu, bus: &mut Bus, mut frame: Frame, [rip, cs, image]: [u64; 3]) -> Exec<()> {
    let mut values = [0; 6];
    for value in &mut values {
        *value = frame.pop(cpu, bus, 4)?;
    }
    let [rsp, ss, es, ds, fs, gs] = values;
    let cs = v86_segment(cs as u16);
    check_offset(cpu, &cs, rip)?;
    let order = [(segment::SS, ss), (segment::ES, es), (segment::DS, ds), (segment::FS, fs), (segment::GS, gs)];
    for (seg, selector) in order {
        cpu.segments[seg] = v86_segment(selector as u16);
    }
    cpu.gpr[gpr::RSP] = rsp;
    cpu.rflags = returned_flags(cpu.rflags, image, 4, 0) | flags::VM;
    cpu.nmi_blocked = false;
    commit(cpu, bus, cs, rip);
    Ok(())
}

/// Real and virtual-8086 mode.
fn iret_simple(cpu: &mut Cpu, bus: &mut Bus, op_bytes: u8) -> Exec<()> {
    let mut frame = Frame::current(cpu);
    let rip = frame.pop(cpu, bus, op_bytes)?;
    let selector = frame.pop(cpu, bus, op_bytes)? as u16;
    let image = frame.pop(cpu, bus, op_bytes)?;
    let cs = simple_code(cpu, selector, rip)?;
    cpu.rflags = if vme::is_restricted(cpu) {
        vme::popped(cpu, "IRET", image)?
    } else {
        returned_flags(cpu.rflags, image, op_bytes, cpu.cpl())
    };
    cpu.gpr[gpr::RSP] = frame.rsp();
    cpu.nmi_blocked = false;
    commit(cpu, bus, cs, rip);
    Ok(())
}

/// RFLAGS after IRET: which bits of the image count depends on operand size and privilege.
fn returned_flags(old: u64, image: u64, op_bytes: u8, cpl: u8) -> u64 {
    let iopl = old >> 12 & 3;
    let mut taken = flags::STATUS | flags::TF | flags::DF | flags::NT;
    if op_bytes > 2 {
        taken |= flags::RF | flags::AC | flags::ID;
    }
    if u64::from(cpl) <= iopl {
        taken |= flags::IF;
    }
    if cpl == 0 {
        taken |= flags::IOPL;
        if op_bytes > 2 {
            taken |= flags::VIF | flags::VIP;
        }
    }
    old & !taken | image & taken | flags::RESERVED_ONE
}

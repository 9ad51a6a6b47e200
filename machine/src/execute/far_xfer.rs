//! Far jumps, calls and returns: the instructions that load CS. [`super::interrupt`] has INT and IRET.
//!
//! All checks come before the first change. Sources: SDM 2A and 2B, "JMP", "CALL", "RET", the operation sections; SDM
//! 3A, "Direct Calls or Jumps to Code Segments". What goes through a gate or to a task is done in [`super::call_gate`] and
//! [`super::task`].

#[cfg(test)]
mod tests;

use super::descriptor::{self, Descriptor, system};
use super::frame::Frame;
use super::task::{self, How, Switch};
use super::{call_gate, segment_load};
use crate::bus::Bus;
use crate::cpu::segment::{self, Segment, attr};
use crate::cpu::{Cpu, cr4, efer, gpr};
use crate::fault::{Exec, Fault, vector};
use crate::mmu::walk;
use protocol::event::EventKind;
use protocol::{LinearAddr, Mode};

pub use super::interrupt::iret;

/// What a selector of a far jump or call names.
enum Target {
    /// Code of the same ring: the new CS and IP, all checks done.
    Code(Segment, u64),
    /// A call gate.
    CallGate(Descriptor),
    /// A task gate.
    TaskGate(Descriptor),
    /// A TSS.
    Tss(Descriptor),
}

/// Far jump.
pub fn jump(cpu: &mut Cpu, bus: &mut Bus, selector: u16, offset: u64, op_bytes: u8) -> Exec<()> {
    match target(cpu, bus, selector, cut(offset, op_bytes))? {
        Target::Code(cs, rip) => {
            commit(cpu, bus, cs, rip);
            Ok(())
        }
        Target::CallGate(gate) => call_gate::jump(cpu, bus, selector, gate),
        Target::TaskGate(gate) => task_gate(cpu, bus, selector, &gate, How::Jump),
        Target::Tss(found) => task::direct(cpu, bus, selector, found, How::Jump),
    }
}

/// Far call. `cpu.rip` is the return address.
pub fn call(cpu: &mut Cpu, bus: &mut Bus, selector: u16, offset: u64, op_bytes: u8) -> Exec<()> {
    let (cs, rip) = match target(cpu, bus, selector, cut(offset, op_bytes))? {
        Target::Code(cs, rip) => (cs, rip),
        Target::CallGate(gate) => return call_gate::call(cpu, bus, selector, gate),
        Target::TaskGate(gate) => return task_gate(cpu, bus, selector, &gate, How::Nest),
        Target::Tss(found) => return task::direct(cpu, bus, selector, found, How::Nest),
    };
    let mut frame = Frame::current(cpu);
    let return_to = [u64::from(cpu.segments[segment::CS].selector), cpu.rip];
    frame.push_all(cpu, bus, op_bytes, &return_to)?;
    cpu.gpr[gpr::RSP] = frame.rsp();
    commit(cpu, bus, cs, rip);
    Ok(())
}

/// A task gate that a far jump or call names.
fn task_gate(cpu: &mut Cpu, bus: &mut Bus, selector: u16, gate: &Descriptor, how: How) -> Exec<()> {
    call_gate::check_gate(cpu, selector, gate)?;
    let switch = Switch::by_instruction(cpu, how);
    task::through_gate(cpu, bus, gate, &switch)
}

/// Far return, dropping `pop_bytes` of parameters.
pub fn ret(cpu: &mut Cpu, bus: &mut Bus, op_bytes: u8, pop_bytes: u16) -> Exec<()> {
    let mut frame = Frame::current(cpu);
    let rip = frame.pop(cpu, bus, op_bytes)?;
    let selector = frame.pop(cpu, bus, op_bytes)? as u16;
    frame.skip(u64::from(pop_bytes));
    if is_real_or_v86(cpu) {
        let cs = simple_code(cpu, selector, rip)?;
        cpu.gpr[gpr::RSP] = frame.rsp();
        commit(cpu, bus, cs, rip);
        return Ok(());
    }
    let cs = return_target(cpu, bus, selector, rip)?;
    let rpl = selector as u8 & 3;
    if rpl == cpu.cpl() {
        cpu.gpr[gpr::RSP] = frame.rsp();
        commit(cpu, bus, cs, rip);
        return Ok(());
    }
    let outer_rsp = frame.pop(cpu, bus, op_bytes)?;
    let ss_selector = frame.pop(cpu, bus, op_bytes)? as u16;
    let to_long = cpu.efer & efer::LMA != 0 && cs.is_long();
    let ss = return_stack(cpu, bus, ss_selector, rpl, to_long)?;
    let outer = if to_long { Frame::long(outer_rsp, rpl) } else { Frame::legacy(ss, outer_rsp, rpl) };
    let mut outer = outer;
    outer.skip(u64::from(pop_bytes));
    cpu.gpr[gpr::RSP] = outer.rsp();
    cpu.segments[segment::SS] = ss;
    commit(cpu, bus, cs, rip);
    drop_inner_segments(cpu);
    Ok(())
}

/// Real and virtual-8086 mode address memory by selector * 16.
pub fn is_real_or_v86(cpu: &Cpu) -> bool {
    matches!(cpu.mode(), Mode::Real | Mode::V86)
}

/// An offset as wide as the operand.
pub fn cut(offset: u64, op_bytes: u8) -> u64 {
    match op_bytes {
        2 => offset & 0xffff,
        4 => offset & 0xffff_ffff,
        _ => offset,
    }
}

/// CS in real and virtual-8086 mode, once the offset is found to be within its limit.
pub fn simple_code(cpu: &Cpu, selector: u16, rip: u64) -> Exec<Segment> {
    let cs = if cpu.mode() == Mode::Real {
        segment_load::real_mode_segment(&cpu.segments[segment::CS], selector)
    } else {
        segment_load::v86_segment(selector)
    };
    check_offset(cpu, &cs, rip)?;
    Ok(cs)
}

/// Where a far jump or call goes.
fn target(cpu: &mut Cpu, bus: &mut Bus, selector: u16, offset: u64) -> Exec<Target> {
    if is_real_or_v86(cpu) {
        return Ok(Target::Code(simple_code(cpu, selector, offset)?, offset));
    }
    if descriptor::is_null(selector) {
        return Err(Fault::gp(0, "a far jump or call through a null selector").into());
    }
    let mut found = descriptor::read(cpu, bus, selector)?;
    if !found.is_segment() {
        return system_target(cpu, selector, found);
    }
    let fault = |why: &str| descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, 0, why);
    if !found.is_code() {
        return Err(fault("CS needs a code segment, and this one is data"));
    }
    let cpl = cpu.cpl();
    if found.is_conforming() {
        if found.dpl() > cpl {
            return Err(fault("a conforming segment's DPL must not be above CPL"));
        }
    } else if selector as u8 & 3 > cpl || found.dpl() != cpl {
        return Err(fault(
            "a far jump or call cannot change the privilege level: DPL must be the CPL, and RPL not above",
        ));
    }
    let cs = code_segment(cpu, bus, &mut found, selector & !3 | u16::from(cpl), 0)?;
    check_offset(cpu, &cs, offset)?;
    Ok(Target::Code(cs, offset))
}

/// The last checks of a code descriptor, and its accessed bit: what CS becomes.
pub fn code_segment(
    cpu: &mut Cpu,
    bus: &mut Bus,
    found: &mut Descriptor,
    selector: u16,
    external: u32,
) -> Exec<Segment> {
    if cpu.efer & efer::LMA != 0 && found.has(attr::L | attr::DB) {
        let why = "a code segment with both L and D set is reserved";
        return Err(descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, external, why));
    }
    if !found.is_present() {
        return Err(descriptor::not_present(selector, external));
    }
    descriptor::mark_accessed(cpu, bus, found)?;
    let mut cs = found.segment(selector);
    // 64-bit code has base 0 and no limit, whatever its descriptor says. Outside IA-32e mode L means nothing yet.
    if cpu.efer & efer::LMA != 0 && cs.is_long() {
        cs.base = 0;
    }
    Ok(cs)
}

/// An instruction pointer that CS can hold: canonical in 64-bit mode, within the limit elsewhere.
pub fn check_offset(cpu: &Cpu, cs: &Segment, rip: u64) -> Exec<()> {
    if cpu.efer & efer::LMA != 0 && cs.is_long() {
        if !walk::is_canonical(rip, cpu.cr4 & cr4::LA57 != 0) {
            return Err(Fault::gp(0, format!("the target {} is not canonical", LinearAddr(rip))).into());
        }
    } else if rip > u64::from(cs.limit) {
        let cause = format!("offset {rip:x} is beyond the limit {:x} of CS = {:04x}", cs.limit, cs.selector);
        return Err(Fault::gp(0, cause).into());
    }
    Ok(())
}

#[cold]
fn system_target(cpu: &Cpu, selector: u16, found: Descriptor) -> Exec<Target> {
    let in_ia32e = cpu.efer & efer::LMA != 0;
    match found.kind() {
        system::CALL_GATE => Ok(Target::CallGate(found)),
        system::CALL_GATE16 if !in_ia32e => Ok(Target::CallGate(found)),
        system::TASK_GATE if !in_ia32e => Ok(Target::TaskGate(found)),
        system::TSS16 | system::TSS16_BUSY | system::TSS | system::TSS_BUSY if !in_ia32e => Ok(Target::Tss(found)),
        _ => {
            let why = if found.raw == 0 {
                "its descriptor is empty, all zeros"
            } else {
                "a far jump or call needs a code segment or a gate"
            };
            Err(descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, 0, why))
        }
    }
}

/// CS as RET and IRET load it: to the same ring or an outer one.
pub fn return_target(cpu: &mut Cpu, bus: &mut Bus, selector: u16, rip: u64) -> Exec<Segment> {
    if descriptor::is_null(selector) {
        return Err(Fault::gp(0, "a return to a null CS").into());
    }
    let mut found = descriptor::read(cpu, bus, selector)?;
    let fault = |why: &str| descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, 0, why);
    let rpl = selector as u8 & 3;
    if !found.is_code() {
        return Err(fault("a return needs a code segment"));
    }
    if rpl < cpu.cpl() {
        return Err(fault("a return cannot go to an inner ring"));
    }
    if found.is_conforming() && found.dpl() > rpl || !found.is_conforming() && found.dpl() != rpl {
        return Err(fault("the DPL does not fit the ring returned to"));
    }
    let cs = code_segment(cpu, bus, &mut found, selector, 0)?;
    check_offset(cpu, &cs, rip)?;
    Ok(cs)
}

/// SS as RET and IRET load it on the way to ring `rpl`. A null SS is allowed on the way to 64-bit code in rings 0 to 2.
pub fn return_stack(cpu: &mut Cpu, bus: &mut Bus, selector: u16, rpl: u8, to_long: bool) -> Exec<Segment> {
    if descriptor::is_null(selector) {
        return if to_long && rpl != 3 && selector as u8 & 3 == rpl {
            Ok(segment_load::null_segment(selector, rpl))
        } else {
            Err(Fault::gp(0, "a return with a null SS").into())
        };
    }
    segment_load::stack_segment(cpu, bus, selector, rpl, vector::GENERAL_PROTECTION, 0)
}

/// After a return to an outer ring: data segments that it may not use become null. Selectors alone are cleared: base and
/// limit stay in the hidden part, and with them what FS and GS add in 64-bit mode (SDM 2B, "RET", operation section).
pub fn drop_inner_segments(cpu: &mut Cpu) {
    let cpl = cpu.cpl();
    for seg in [segment::ES, segment::DS, segment::FS, segment::GS] {
        let held = cpu.segments[seg];
        let conforming = held.attributes & (attr::CODE | attr::EXPAND_DOWN) == attr::CODE | attr::EXPAND_DOWN;
        if !held.is_unusable() && !conforming && held.dpl() < cpl {
            let Segment { base, limit, .. } = held;
            cpu.segments[seg] = Segment { base, limit, ..segment_load::null_segment(0, 0) };
        }
    }
}

/// Loads CS and IP. Nothing can fail any more.
pub fn commit(cpu: &mut Cpu, bus: &mut Bus, cs: Segment, rip: u64) {
    let old = std::mem::replace(&mut cpu.segments[segment::CS], cs);
    cpu.rip = rip;
    cpu.update_mode();
    if old != cs {
        let to = LinearAddr(cpu.linear_pc());
        bus.out.events.push((cpu.id, EventKind::FarTransfer { from_cs: old.selector, to_cs: cs.selector, to }));
    }
}

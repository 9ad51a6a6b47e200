//! Hardware task switches: JMP, CALL and events to a TSS or through a task gate, IRET with NT set.
//!
//! What the switch needs is checked and read before anything changes. From then on the new task is the one that faults:
//! what its segments lack is raised at its first instruction (`Fault::is_trap`, so that the instruction pointer of the new
//! task stays). Sources: SDM 3A, "Task Management": "Task Switching", the tables of checked conditions and of flags.

mod image;
#[cfg(test)]
mod tests;

use super::control_reg;
use super::descriptor::{self, Descriptor, system};
use super::frame::Frame;
use super::segment_load::{null_segment, stack_segment, v86_segment};
use crate::bus::Bus;
use crate::cpu::segment::{self, CS, Segment, attr};
use crate::cpu::{Cpu, cr0, flags, gpr};
use crate::fault::{Exec, Fault, Trap, vector};
use crate::mmu::{self, Access, access};
use image::Image;
use protocol::LinearAddr;
use protocol::event::{ControlRegister, EventKind, TableRegister};

/// The descriptor's type bit that says busy.
const BUSY: u8 = 2;
/// DR6.BT: a task switch to a TSS with T set.
const DR6_BT: u64 = 1 << 15;
/// DR7: L0 to L3 and LE, which a task switch clears.
const DR7_LOCAL: u64 = 0x155;
/// Index of DR6 in `Cpu::dr`.
const DR6: usize = 4;
/// Index of DR7 in `Cpu::dr`.
const DR7: usize = 5;

/// What switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// JMP: the old task is no longer busy.
    Jump,
    /// CALL, exceptions and interrupts: the new task links back to the old one.
    Nest,
    /// IRET: back along the link.
    Return,
}

/// A switch to be made.
#[derive(Clone, Copy, Debug)]
pub struct Switch {
    /// What switches.
    pub how: How,
    /// EFLAGS as the old task's TSS gets them.
    pub saved_flags: u64,
    /// Error code that the new task finds on its stack.
    pub error: Option<u32>,
    /// EXT bit of error codes.
    pub external: u32,
}

impl Switch {
    /// One that an instruction asks for.
    pub fn by_instruction(cpu: &Cpu, how: How) -> Self {
        Self { how, saved_flags: cpu.rflags, error: None, external: 0 }
    }

    /// A selector fault during this switch.
    #[cold]
    fn fault(&self, vector: u8, selector: u16, why: &str) -> Trap {
        descriptor::selector_fault(vector, selector, self.external, why)
    }
}

/// To the task that a task gate names, whose own checks are done.
pub fn through_gate(cpu: &mut Cpu, bus: &mut Bus, gate: &Descriptor, switch: &Switch) -> Exec<()> {
    let selector = gate.gate_selector();
    if selector & 4 != 0 || descriptor::is_null(selector) {
        return Err(switch.fault(vector::GENERAL_PROTECTION, selector, "a task gate must name a TSS of the GDT"));
    }
    let found = descriptor::read_for(cpu, bus, selector, vector::GENERAL_PROTECTION, switch.external)?;
    to_available(cpu, bus, selector, found, switch)
}

/// To a TSS that a far JMP or CALL names.
pub fn direct(cpu: &mut Cpu, bus: &mut Bus, selector: u16, found: Descriptor, how: How) -> Exec<()> {
    let switch = Switch::by_instruction(cpu, how);
    if found.dpl() < cpu.cpl() || found.dpl() < selector as u8 & 3 {
        let why = "the TSS's DPL is more privileged than CPL or RPL";
        return Err(switch.fault(vector::GENERAL_PROTECTION, selector, why));
    }
    if selector & 4 != 0 {
        return Err(switch.fault(vector::GENERAL_PROTECTION, selector, "TSSs are described in the GDT"));
    }
    to_available(cpu, bus, selector, found, &switch)
}

fn to_available(cpu: &mut Cpu, bus: &mut Bus, selector: u16, found: Descriptor, switch: &Switch) -> Exec<()> {
    if found.is_segment() || !matches!(found.kind(), system::TSS | system::TSS16) {
        return Err(switch.fault(vector::GENERAL_PROTECTION, selector, "it is not the descriptor of an available TSS"));
    }
    make(cpu, bus, selector, found, switch)
}

/// IRET with NT set: back to the task that the TSS links to.
pub fn back(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    let mut switch = Switch::by_instruction(cpu, How::Return);
    switch.saved_flags &= !flags::NT;
    let link = u16::from_le_bytes(access::linear_read(cpu, bus, cpu.tr.base & 0xffff_ffff, false)?);
    if link & 4 != 0 || descriptor::is_null(link) {
        return Err(switch.fault(vector::INVALID_TSS, link, "the link of a nested task must name a TSS of the GDT"));
    }
    let found = descriptor::read_for(cpu, bus, link, vector::INVALID_TSS, 0)?;
    if found.is_segment() || !matches!(found.kind(), system::TSS_BUSY | system::TSS16_BUSY) {
        return Err(switch.fault(vector::INVALID_TSS, link, "the link of a nested task does not name a busy TSS"));
    }
    make(cpu, bus, link, found, &switch)
}

/// The switch itself, to a TSS of the right kind.
fn make(cpu: &mut Cpu, bus: &mut Bus, selector: u16, found: Descriptor, switch: &Switch) -> Exec<()> {
    if !found.is_present() {
        return Err(descriptor::not_present(selector, switch.external));
    }
    let (old, is_wide) = (cpu.tr, found.kind() & system::TSS == system::TSS);
    if found.limit() < image::min_limit(is_wide) {
        return Err(switch.fault(vector::INVALID_TSS, selector, "its limit is too small for a TSS"));
    }
    let old_is_wide = old.attributes & system::TSS == system::TSS;
    if old.limit < image::min_limit(old_is_wide) {
        return Err(switch.fault(vector::INVALID_TSS, old.selector, "TR's limit is too small for a task switch"));
    }
    // Everything that will be written can be written.
    let wrap = |linear: u64| linear & 0xffff_ffff;
    let (first, bytes) = image::saved_range(old_is_wide);
    access::linear_check(cpu, bus, wrap(old.base + first), bytes, Access::Write, false)?;
    let old_access_byte = wrap(cpu.gdtr.base + u64::from(old.selector & !7) + 5);
    let frees_old = switch.how != How::Nest && !descriptor::is_null(old.selector);
    if frees_old {
        access::linear_check(cpu, bus, old_access_byte, 1, Access::Write, false)?;
    }
    let access_byte = wrap(found.linear + 5);
    access::linear_check(cpu, bus, access_byte, 1, Access::Write, false)?;
    if switch.how == How::Nest {
        access::linear_check(cpu, bus, wrap(found.base()), 2, Access::Write, false)?;
    }
    let new = Image::read(cpu, bus, found.base(), is_wide)?;
    let cr3 = new.cr3.filter(|_| cpu.cr0 & cr0::PG != 0).unwrap_or(cpu.cr3);
    let pdptes = if cr3 != cpu.cr3 && mmu::uses_pdptes(cpu.cr0, cpu.cr4, cpu.efer) {
        mmu::read_pdptes(bus, cr3)?
    } else {
        cpu.pdptes
    };

    if frees_old {
        let [byte] = access::linear_read(cpu, bus, old_access_byte, false)?;
        access::linear_write(cpu, bus, old_access_byte, false, [byte & !BUSY])?;
    }
    image::save(cpu, bus, &old, old_is_wide, switch.saved_flags)?;
    if switch.how == How::Nest {
        access::linear_write(cpu, bus, wrap(found.base()), false, old.selector.to_le_bytes())?;
    }
    if switch.how != How::Return {
        access::linear_write(cpu, bus, access_byte, false, [(found.raw >> 40) as u8 | BUSY])?;
    }
    cpu.tr = found.segment(selector);
    cpu.tr.attributes |= u32::from(BUSY);
    let (base, limit) = (cpu.tr.base, cpu.tr.limit);
    bus.out.events.push((cpu.id, EventKind::DescriptorTable { register: TableRegister::Tr, base, limit }));
    take_registers(cpu, bus, &new, switch, (cr3, pdptes));
    let from_cs = old_cs(cpu, &new);
    enter(cpu, bus, &new, switch).map_err(in_new_task)?;
    let (to_cs, to) = (cpu.segments[CS].selector, LinearAddr(cpu.linear_pc()));
    bus.out.events.push((cpu.id, EventKind::FarTransfer { from_cs, to_cs, to }));
    if new.traps {
        cpu.dr[DR6] |= DR6_BT;
        return Err(in_new_task(Fault::plain(vector::DEBUG, "a task switch to a TSS whose T flag is set").into()));
    }
    Ok(())
}

/// CS before the switch. The new task's selectors are in place already, with nothing behind them, but for CS.
fn old_cs(cpu: &mut Cpu, new: &Image) -> u16 {
    let from = cpu.segments[CS].selector;
    // CPL is that of the new task from here on, whatever its segments turn out to be.
    let ring = if new.flags & flags::VM != 0 { 3 } else { new.segments[CS] as u8 & 3 };
    for (seg, selector) in new.segments.into_iter().enumerate() {
        cpu.segments[seg] = null_segment(selector, ring);
    }
    cpu.segments[CS].attributes |= attr::S | attr::CODE | if new.is_wide { attr::DB } else { 0 };
    cpu.update_mode();
    from
}

/// What comes out of the TSS and cannot fail.
fn take_registers(cpu: &mut Cpu, bus: &mut Bus, new: &Image, switch: &Switch, (cr3, pdptes): (u64, [u64; 4])) {
    let old_cr0 = cpu.cr0;
    cpu.cr0 |= cr0::TS;
    control_reg::log(cpu, bus, ControlRegister::Cr0, old_cr0, cpu.cr0);
    if cr3 != cpu.cr3 {
        let old = std::mem::replace(&mut cpu.cr3, cr3);
        cpu.pdptes = pdptes;
        let context = mmu::pcid(cpu);
        cpu.tlb.flush_context(context);
        control_reg::log(cpu, bus, ControlRegister::Cr3, old, cr3);
    }
    for (reg, value) in new.gpr.into_iter().enumerate() {
        cpu.gpr[reg] = value;
    }
    cpu.rip = new.rip;
    let nested = if switch.how == How::Nest { flags::NT } else { 0 };
    cpu.rflags = new.flags & image::FLAGS | nested | flags::RESERVED_ONE;
    cpu.dr[DR7] &= !DR7_LOCAL;
}

/// Loads LDTR and the segment registers, with their checks, then pushes the error code.
fn enter(cpu: &mut Cpu, bus: &mut Bus, new: &Image, switch: &Switch) -> Exec<()> {
    cpu.ldtr = null_segment(new.ldt, 0);
    if !descriptor::is_null(new.ldt) {
        cpu.ldtr = local_table(cpu, bus, new.ldt, switch)?;
    }
    if new.flags & flags::VM != 0 {
        cpu.segments = new.segments.map(v86_segment);
    } else {
        let ring = new.segments[CS] as u8 & 3;
        cpu.segments[CS] = code_segment(cpu, bus, new.segments[CS], switch)?;
        let ss = new.segments[segment::SS];
        cpu.segments[segment::SS] = stack_segment(cpu, bus, ss, ring, vector::INVALID_TSS, switch.external)?;
        for seg in [segment::ES, segment::DS, segment::FS, segment::GS] {
            cpu.segments[seg] = data_segment(cpu, bus, new.segments[seg], ring, switch)?;
        }
    }
    cpu.update_mode();
    if cpu.rip > u64::from(cpu.segments[CS].limit) {
        return Err(Fault::gp(switch.external, "EIP in the TSS is beyond the limit of its CS").into());
    }
    if let Some(error) = switch.error {
        let mut frame = Frame::current(cpu).with_error(switch.external);
        frame.push_all(cpu, bus, if new.is_wide { 4 } else { 2 }, &[u64::from(error)])?;
        cpu.gpr[gpr::RSP] = frame.rsp();
    }
    Ok(())
}

fn local_table(cpu: &mut Cpu, bus: &mut Bus, selector: u16, switch: &Switch) -> Exec<Segment> {
    let wrong = |why: &str| switch.fault(vector::INVALID_TSS, selector, why);
    if selector & 4 != 0 {
        return Err(wrong("LDTs are described in the GDT"));
    }
    let found = descriptor::read_for(cpu, bus, selector, vector::INVALID_TSS, switch.external)?;
    if found.is_segment() || found.kind() != system::LDT || !found.is_present() {
        return Err(wrong("the TSS's LDT selector does not name a present LDT"));
    }
    Ok(found.segment(selector))
}

fn code_segment(cpu: &mut Cpu, bus: &mut Bus, selector: u16, switch: &Switch) -> Exec<Segment> {
    let wrong = |why: &str| switch.fault(vector::INVALID_TSS, selector, why);
    if descriptor::is_null(selector) {
        return Err(wrong("CS in the TSS is null"));
    }
    let mut found = descriptor::read_for(cpu, bus, selector, vector::INVALID_TSS, switch.external)?;
    let rpl = selector as u8 & 3;
    if !found.is_code() {
        return Err(wrong("CS in the TSS is not code"));
    }
    if found.dpl() > rpl || !found.is_conforming() && found.dpl() != rpl {
        return Err(wrong("the DPL of CS in the TSS does not fit its RPL"));
    }
    if !found.is_present() {
        return Err(descriptor::not_present(selector, switch.external));
    }
    descriptor::mark_accessed(cpu, bus, &mut found)?;
    Ok(found.segment(selector))
}

fn data_segment(cpu: &mut Cpu, bus: &mut Bus, selector: u16, cpl: u8, switch: &Switch) -> Exec<Segment> {
    if descriptor::is_null(selector) {
        return Ok(null_segment(selector, 0));
    }
    let wrong = |why: &str| switch.fault(vector::INVALID_TSS, selector, why);
    let mut found = descriptor::read_for(cpu, bus, selector, vector::INVALID_TSS, switch.external)?;
    if !found.is_segment() || found.is_code() && !found.has(attr::WRITABLE) {
        return Err(wrong("a data segment in the TSS is not readable"));
    }
    if !found.is_conforming() && (found.dpl() < cpl || found.dpl() < selector as u8 & 3) {
        return Err(wrong("the DPL of a data segment in the TSS is more privileged than CPL or RPL"));
    }
    if !found.is_present() {
        return Err(descriptor::not_present(selector, switch.external));
    }
    descriptor::mark_accessed(cpu, bus, &mut found)?;
    Ok(found.segment(selector))
}

/// The fault belongs to the new task: its instruction pointer stands.
fn in_new_task(trap: Trap) -> Trap {
    match trap {
        Trap::Fault(mut fault) => {
            fault.is_trap = true;
            Trap::Fault(fault)
        }
        other => other,
    }
}

//! Call gates: far jumps and calls to where a gate says, and for calls into an inner ring: the other stack, with the
//! parameters copied to it.
//!
//! All checks come before the first change. Sources: SDM 2A, "CALL", the operation section (CALL-GATE); SDM 3A,
//! "Call Gates", "Stack Switching", "Stack Switching in 64-bit Mode".

#[cfg(test)]
mod tests;

use super::descriptor::{self, Descriptor, system};
use super::far_xfer::{check_offset, code_segment, commit};
use super::frame::{Frame, MAX_VALUES};
use super::segment_load;
use crate::bus::Bus;
use crate::cpu::segment::{self, Segment, attr};
use crate::cpu::{Cpu, efer, gpr};
use crate::exception::deliver;
use crate::fault::{Exec, Fault, Trap, vector};

/// Error codes of what fails here: an instruction asked for it.
const EXT: u32 = 0;

/// Where a gate leads.
struct Target {
    cs: Segment,
    rip: u64,
    /// Bytes of what is pushed.
    op_bytes: u8,
    /// Ring of the code.
    ring: u8,
}

/// #GP where CPL or RPL may not use a gate, #NP where it is not present.
pub fn check_gate(cpu: &Cpu, selector: u16, gate: &Descriptor) -> Exec<()> {
    if gate.dpl() < cpu.cpl() || gate.dpl() < selector as u8 & 3 {
        return Err(gate_fault(selector, "its DPL is more privileged than CPL or RPL"));
    }
    if !gate.is_present() {
        return Err(descriptor::not_present(selector, EXT));
    }
    Ok(())
}

/// Far jump through a call gate: the ring stays.
pub fn jump(cpu: &mut Cpu, bus: &mut Bus, selector: u16, gate: Descriptor) -> Exec<()> {
    let target = target(cpu, bus, selector, gate, false)?;
    commit(cpu, bus, target.cs, target.rip);
    Ok(())
}

/// Far call through a call gate. `cpu.rip` is the return address.
pub fn call(cpu: &mut Cpu, bus: &mut Bus, selector: u16, gate: Descriptor) -> Exec<()> {
    let target = target(cpu, bus, selector, gate, true)?;
    let in_ia32e = cpu.efer & efer::LMA != 0;
    let return_to = [u64::from(cpu.segments[segment::CS].selector), cpu.rip];
    if target.ring >= cpu.cpl() {
        let cpl = cpu.cpl();
        let mut frame = if in_ia32e { Frame::long(cpu.gpr[gpr::RSP], cpl) } else { Frame::current(cpu) };
        frame.push_all(cpu, bus, target.op_bytes, &return_to)?;
        cpu.gpr[gpr::RSP] = frame.rsp();
    } else if in_ia32e {
        let rsp = deliver::inner_rsp(cpu, bus, target.ring, EXT)?;
        let old_stack = [u64::from(cpu.segments[segment::SS].selector), cpu.gpr[gpr::RSP]];
        let mut frame = Frame::long(rsp, target.ring);
        frame.push_all(cpu, bus, 8, &[old_stack[0], old_stack[1], return_to[0], return_to[1]])?;
        cpu.segments[segment::SS] = segment_load::null_segment(u16::from(target.ring), target.ring);
        cpu.gpr[gpr::RSP] = frame.rsp();
    } else {
        call_inner(cpu, bus, &gate, &target, return_to)?;
    }
    commit(cpu, bus, target.cs, target.rip);
    Ok(())
}

/// The stack of the inner ring: old SS:SP, the parameters, old CS:IP.
fn call_inner(cpu: &mut Cpu, bus: &mut Bus, gate: &Descriptor, target: &Target, return_to: [u64; 2]) -> Exec<()> {
    let (ss, rsp) = deliver::tss_stack(cpu, bus, target.ring, EXT)?;
    let count = (gate.raw >> 32 & 0x1f) as usize;
    let mut values = [0; MAX_VALUES];
    values[0] = u64::from(cpu.segments[segment::SS].selector);
    values[1] = cpu.gpr[gpr::RSP];
    let mut old = Frame::current(cpu);
    for index in (0..count).rev() {
        values[2 + index] = old.pop(cpu, bus, target.op_bytes)?;
    }
    values[2 + count..4 + count].copy_from_slice(&return_to);
    let mut frame = Frame::legacy(ss, rsp, target.ring).with_error(descriptor::error_code(ss.selector));
    frame.push_all(cpu, bus, target.op_bytes, &values[..4 + count])?;
    cpu.segments[segment::SS] = ss;
    cpu.gpr[gpr::RSP] = frame.rsp();
    Ok(())
}

/// Checks a gate and the code segment that it names.
fn target(cpu: &mut Cpu, bus: &mut Bus, selector: u16, mut gate: Descriptor, is_call: bool) -> Exec<Target> {
    let in_ia32e = cpu.efer & efer::LMA != 0;
    if in_ia32e {
        gate = descriptor::read_system(cpu, bus, selector)?;
    }
    check_gate(cpu, selector, &gate)?;
    let is_wide = gate.kind() == system::CALL_GATE;
    let code = gate.gate_selector();
    if descriptor::is_null(code) {
        return Err(Fault::gp(0, "the call gate names a null selector").into());
    }
    let mut found = descriptor::read(cpu, bus, code)?;
    let cpl = cpu.cpl();
    let ring = if found.is_conforming() || !is_call { cpl } else { found.dpl() };
    let fits = found.dpl() <= cpl && (is_call || found.is_conforming() || found.dpl() == cpl);
    if !found.is_code() || !fits {
        return Err(gate_fault(code, "the call gate names a segment that is not code, or of the wrong ring"));
    }
    if in_ia32e && found.attributes() & (attr::L | attr::DB) != attr::L {
        return Err(gate_fault(code, "a call gate in IA-32e mode must name 64-bit code"));
    }
    let cs = code_segment(cpu, bus, &mut found, code & !3 | u16::from(ring), EXT)?;
    let rip = if is_wide { gate.gate_offset() } else { gate.gate_offset() & 0xffff };
    check_offset(cpu, &cs, rip)?;
    let op_bytes = match (in_ia32e, is_wide) {
        (true, _) => 8,
        (false, true) => 4,
        (false, false) => 2,
    };
    Ok(Target { cs, rip, op_bytes, ring })
}

#[cold]
fn gate_fault(selector: u16, why: &str) -> Trap {
    descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, EXT, why)
}

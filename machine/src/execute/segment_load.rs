//! Loading a data or stack segment register: MOV, POP, LDS and friends. CS is loaded by [`super::far_xfer`].
//!
//! Real and virtual-8086 mode change selector and base and leave limit and rights as they are, so that a limit loaded in
//! protected mode goes on ("unreal" mode). Source: SDM 2B, "MOV", protected-mode checks; SDM 3A, "Segment Registers".

use super::descriptor::{self, Descriptor};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::segment::{self, Segment, attr};
use crate::fault::{Exec, Trap, vector};
use protocol::Mode;

/// Loads ES, SS, DS, FS or GS.
pub fn load(cpu: &mut Cpu, bus: &mut Bus, seg: usize, selector: u16) -> Exec<()> {
    if seg == segment::CS {
        return Err(crate::fault::Fault::ud("CS cannot be loaded by MOV").into());
    }
    cpu.segments[seg] = match cpu.mode() {
        Mode::Real => real_mode_segment(&cpu.segments[seg], selector),
        Mode::V86 => v86_segment(selector),
        _ if seg == segment::SS => {
            let cpl = cpu.cpl();
            stack_segment(cpu, bus, selector, cpl, vector::GENERAL_PROTECTION, 0)?
        }
        _ => data_segment(cpu, bus, selector)?,
    };
    Ok(())
}

/// What a load in real mode makes of a segment register: a new base; the rest of the hidden part stays.
pub fn real_mode_segment(old: &Segment, selector: u16) -> Segment {
    Segment {
        selector,
        base: u64::from(selector) << 4,
        attributes: old.attributes & !attr::UNUSABLE | attr::P | attr::S,
        limit: old.limit,
    }
}

/// What a load in virtual-8086 mode makes of any segment register.
pub fn v86_segment(selector: u16) -> Segment {
    let attributes = attr::P | attr::S | attr::WRITABLE | attr::ACCESSED | 3 << attr::DPL_SHIFT;
    Segment { selector, base: u64::from(selector) << 4, attributes, limit: 0xffff }
}

/// A null selector in a segment register. The DPL of SS stays the CPL.
pub fn null_segment(selector: u16, dpl: u8) -> Segment {
    let attributes = attr::UNUSABLE | u32::from(dpl) << attr::DPL_SHIFT;
    Segment { selector, attributes, limit: 0, base: 0 }
}

fn data_segment(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<Segment> {
    if descriptor::is_null(selector) {
        return Ok(null_segment(selector, 0));
    }
    let mut descriptor = descriptor::read(cpu, bus, selector)?;
    let fault = |why: &str| descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, 0, why);
    if !descriptor.is_segment() {
        return Err(fault("it is a system descriptor, a data segment register needs a segment"));
    }
    if descriptor.is_code() && !descriptor.has(attr::WRITABLE) {
        return Err(fault("it is execute-only code"));
    }
    let rpl = selector as u8 & 3;
    if !descriptor.is_conforming() && (rpl > descriptor.dpl() || cpu.cpl() > descriptor.dpl()) {
        return Err(fault("its DPL is more privileged than CPL or RPL"));
    }
    if !descriptor.is_present() {
        return Err(descriptor::not_present(selector, 0));
    }
    descriptor::mark_accessed(cpu, bus, &mut descriptor)?;
    Ok(descriptor.segment(selector))
}

/// A stack segment for code at `cpl`, with SS's checks. `vector` is what a bad selector raises: #GP, or #TS where it came
/// out of a TSS; `external` is the EXT bit of the error code.
pub fn stack_segment(cpu: &mut Cpu, bus: &mut Bus, selector: u16, cpl: u8, vector: u8, external: u32) -> Exec<Segment> {
    if descriptor::is_null(selector) {
        // 64-bit mode runs with a null SS in rings 0 to 2.
        if cpu.mode() == Mode::Long && cpl != 3 && selector as u8 & 3 == cpl {
            return Ok(null_segment(selector, cpl));
        }
        return Err(descriptor::selector_fault(vector, selector, external, "SS cannot hold a null selector here"));
    }
    let mut descriptor: Descriptor = descriptor::read_for(cpu, bus, selector, vector, external)?;
    let fault = |why: &str| -> Trap { descriptor::selector_fault(vector, selector, external, why) };
    if selector as u8 & 3 != cpl {
        return Err(fault("a stack selector's RPL must be the CPL"));
    }
    if !descriptor.is_writable_data() {
        return Err(fault("a stack segment must be writable data"));
    }
    if descriptor.dpl() != cpl {
        return Err(fault("a stack segment's DPL must be the CPL"));
    }
    if !descriptor.is_present() {
        let cause = format!("descriptor {:02x} of the stack is not present", selector & !7);
        let error = descriptor::error_code(selector) | external;
        return Err(crate::fault::Fault::with_error(crate::fault::vector::STACK_FAULT, error, cause).into());
    }
    descriptor::mark_accessed(cpu, bus, &mut descriptor)?;
    Ok(descriptor.segment(selector))
}

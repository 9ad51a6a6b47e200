//! INT n, INT3, INTO and IRET. Delivery itself is [`crate::exception`]'s.
//!
//! Source: SDM 2A, "INT n/INTO/INT3/INT1" and "IRET/IRETD/IRETQ", the operation sections.

use super::far_xfer::{commit, drop_inner_segments, return_stack, return_target, simple_code};
use super::frame::Frame;
use crate::bus::Bus;
use crate::cpu::segment;
use crate::cpu::{Cpu, efer, flags, gpr};
use crate::exception::deliver::{Event, Source, deliver};
use crate::fault::{Exec, Fault, Trap};
use protocol::Mode;

/// A software interrupt; `cpu.rip` is the next instruction's.
pub fn software(cpu: &mut Cpu, bus: &mut Bus, vector: u8) -> Exec<()> {
    if cpu.mode() == Mode::V86 {
        return Err(Trap::unsupported("INT in virtual-8086 mode"));
    }
    deliver(cpu, bus, &Event { vector, error: None, source: Source::Software })
}

/// IRET (2), IRETD (4), IRETQ (8 bytes).
pub fn iret(cpu: &mut Cpu, bus: &mut Bus, op_bytes: u8) -> Exec<()> {
    match cpu.mode() {
        Mode::Real => return iret_real(cpu, bus, op_bytes),
        Mode::V86 => return Err(Trap::unsupported("IRET in virtual-8086 mode")),
        _ => {}
    }
    if cpu.rflags & flags::NT != 0 {
        return Err(if cpu.efer & efer::LMA != 0 {
            Fault::gp(0, "IRET with RFLAGS.NT set: IA-32e mode has no task to return to").into()
        } else {
            Trap::unsupported("IRET with EFLAGS.NT set: a hardware task switch")
        });
    }
    let mut frame = Frame::current(cpu);
    let rip = frame.pop(cpu, bus, op_bytes)?;
    let selector = frame.pop(cpu, bus, op_bytes)? as u16;
    let image = frame.pop(cpu, bus, op_bytes)?;
    if cpu.efer & efer::LMA == 0 && op_bytes == 4 && image & flags::VM != 0 && cpu.cpl() == 0 {
        return Err(Trap::unsupported("IRET to virtual-8086 mode"));
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

fn iret_real(cpu: &mut Cpu, bus: &mut Bus, op_bytes: u8) -> Exec<()> {
    let mut frame = Frame::current(cpu);
    let rip = frame.pop(cpu, bus, op_bytes)?;
    let selector = frame.pop(cpu, bus, op_bytes)? as u16;
    let image = frame.pop(cpu, bus, op_bytes)?;
    let cs = simple_code(cpu, selector, rip)?;
    cpu.gpr[gpr::RSP] = frame.rsp();
    cpu.rflags = returned_flags(cpu.rflags, image, op_bytes, 0);
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

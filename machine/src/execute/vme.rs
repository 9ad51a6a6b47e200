//! Virtual-8086 mode extensions (CR4.VME) and protected-mode virtual interrupts (CR4.PVI): code that must not touch IF works on
//! VIF instead, and INT n goes to the program's own handler where the TSS says so.
//!
//! Called by CLI and STI, PUSHF and POPF, INT n and IRET for code with IOPL below its CPL. Source: SDM 3B, "8086 Emulation":
//! "Class 2 - Maskable Hardware Interrupt Handling", "Class 3 - Software Interrupt Handling", "Protected-Mode Virtual
//! Interrupts".

use super::descriptor::{self, system};
use super::far_xfer::simple_code;
use super::frame::Frame;
use super::stack::may_change_if;
use crate::bus::Bus;
use crate::cpu::{Cpu, cr4, flags, gpr, segment};
use crate::fault::{Exec, Fault, Trap};
use crate::mmu::access;
use protocol::Mode;

/// Offset of the I/O map's base in a 32-bit TSS.
const TSS_IO_MAP_BASE: u64 = 0x66;
/// Bytes of the software interrupt redirection bit map, which lies before the I/O map.
const REDIRECTION_BYTES: u64 = 32;

/// What software sets to be interrupted: IF, or VIF where the extensions let it. None: neither.
pub fn interrupt_flag(cpu: &Cpu) -> Option<u64> {
    let virtualizes = match cpu.mode() {
        Mode::Real => false,
        Mode::V86 => cpu.cr4 & cr4::VME != 0,
        _ => cpu.cr4 & cr4::PVI != 0 && cpu.cpl() == 3,
    };
    if may_change_if(cpu) { Some(flags::IF) } else { virtualizes.then_some(flags::VIF) }
}

/// Virtual-8086 code whose IOPL keeps it from PUSHF, POPF, INT n and IRET as they are.
pub fn is_restricted(cpu: &Cpu) -> bool {
    cpu.mode() == Mode::V86 && cpu.rflags & flags::IOPL != flags::IOPL
}

/// In restricted virtual-8086 mode the extensions help with instructions of this operand size.
pub fn check_size(cpu: &Cpu, name: &str, op_bytes: u8) -> Exec<()> {
    if cpu.cr4 & cr4::VME != 0 && op_bytes == 2 {
        return Ok(());
    }
    let cause = format!("virtual-8086 mode may use {name} only with IOPL 3, or in 16 bits with CR4.VME");
    Err(Fault::gp(0, cause).into())
}

/// The flags that PUSHF pushes in restricted virtual-8086 mode, or INT n that is redirected: IF is VIF's, IOPL looks like 3.
pub fn pushed(cpu: &Cpu, op_bytes: u8) -> Exec<u64> {
    check_size(cpu, "PUSHF", op_bytes)?;
    Ok(virtual_image(cpu))
}

fn virtual_image(cpu: &Cpu) -> u64 {
    let virtual_if = if cpu.rflags & flags::VIF != 0 { flags::IF } else { 0 };
    cpu.rflags & !flags::IF | virtual_if | flags::IOPL
}

/// RFLAGS after POPF or IRET (`name`) has popped this image in restricted virtual-8086 mode: its IF becomes VIF.
pub fn popped(cpu: &Cpu, name: &str, image: u64) -> Exec<u64> {
    const TAKEN: u64 = flags::STATUS | flags::DF | flags::NT;
    if image & flags::TF != 0 {
        return Err(refuse(format!("{name} sets TF in virtual-8086 mode with IOPL below 3")));
    }
    if image & flags::IF != 0 && cpu.rflags & flags::VIP != 0 {
        return Err(refuse(format!("{name} sets VIF while RFLAGS.VIP says that an interrupt waits")));
    }
    let vif = if image & flags::IF != 0 { flags::VIF } else { 0 };
    let kept = cpu.rflags & !(TAKEN | flags::TF | flags::VIF | flags::RF);
    Ok(kept | image & TAKEN | vif | flags::RESERVED_ONE)
}

#[cold]
fn refuse(cause: String) -> Trap {
    Fault::gp(0, cause).into()
}

/// INT n in virtual-8086 mode with CR4.VME: goes to the handler in the program's own interrupt vector table where the TSS's
/// bit map has 0 for the vector. False: the map has 1, the IDT is to be used.
pub fn redirect(cpu: &mut Cpu, bus: &mut Bus, vector: u8) -> Exec<bool> {
    if cpu.cr4 & cr4::VME == 0 || cpu.mode() != Mode::V86 || !is_for_program(cpu, bus, vector)? {
        return Ok(false);
    }
    let [ip_low, ip_high, cs_low, cs_high] = access::linear_read(cpu, bus, u64::from(vector) * 4, true)?;
    let rip = u64::from(u16::from_le_bytes([ip_low, ip_high]));
    let cs = simple_code(cpu, u16::from_le_bytes([cs_low, cs_high]), rip)?;
    let (image, interrupt_flag) =
        if is_restricted(cpu) { (virtual_image(cpu), flags::VIF) } else { (cpu.rflags, flags::IF) };
    let mut frame = Frame::current(cpu);
    frame.push_all(cpu, bus, 2, &[image, u64::from(cpu.segments[segment::CS].selector), cpu.rip])?;
    cpu.gpr[gpr::RSP] = frame.rsp();
    cpu.rflags &= !(interrupt_flag | flags::TF);
    cpu.segments[segment::CS] = cs;
    cpu.rip = rip;
    Ok(true)
}

/// A vector's bit in the redirection map, 0: the program handles it.
fn is_for_program(cpu: &mut Cpu, bus: &mut Bus, vector: u8) -> Exec<bool> {
    let limit = u64::from(cpu.tr.limit);
    if cpu.tr.attributes & 0xf != system::TSS_BUSY || limit < TSS_IO_MAP_BASE + 1 {
        return Err(refuse("TR holds no 32-bit TSS with a redirection map for INT n".into()));
    }
    let base_at = descriptor::table_address(cpu, cpu.tr.base, TSS_IO_MAP_BASE);
    let io_map = u64::from(u16::from_le_bytes(access::linear_read(cpu, bus, base_at, false)?));
    let offset = io_map.wrapping_sub(REDIRECTION_BYTES) + u64::from(vector / 8);
    if io_map < REDIRECTION_BYTES || offset > limit {
        return Err(refuse("the redirection map for INT n is not within TR's limit".into()));
    }
    let at = descriptor::table_address(cpu, cpu.tr.base, offset);
    let [byte] = access::linear_read(cpu, bus, at, false)?;
    Ok(byte & 1 << (vector % 8) == 0)
}

#[cfg(test)]
mod tests;

//! IN and OUT, and who may use a port: below IOPL (and in virtual-8086 mode always) the TSS's permission bitmap decides
//! (SDM 1, "I/O Protection").

use super::operand::{gpr, read, set_gpr};
use crate::bus::Bus;
use crate::cpu::gpr::RAX;
use crate::cpu::{Cpu, cr0};
use crate::decode::{Insn, Kind, Operand};
use crate::fault::{Exec, Fault, Trap};
use protocol::Mode;

/// #GP(0) where the running code may not use `size` ports from `port` on.
pub fn check(cpu: &mut Cpu, bus: &mut Bus, port: u16, size: u8) -> Exec<()> {
    if cpu.cr0 & cr0::PE == 0 || cpu.mode() != Mode::V86 && super::stack::may_change_if(cpu) {
        return Ok(());
    }
    let allowed = bitmap_allows(cpu, bus, port, size)?;
    if allowed { Ok(()) } else { Err(Fault::gp(0, "neither IOPL nor the TSS's bitmap allows this port").into()) }
}

fn bitmap_allows(_cpu: &mut Cpu, _bus: &mut Bus, _port: u16, _size: u8) -> Exec<bool> {
    Err(Trap::unsupported("port access above IOPL: the TSS's I/O permission bitmap is not implemented"))
}

fn port(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, operand: Operand) -> Exec<u16> {
    let size = if operand.kind == Kind::Imm { 1 } else { 2 };
    Ok(read(cpu, bus, insn, operand, size)? as u16)
}

/// IN: AL, AX or EAX from a port.
pub fn input(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let port = port(cpu, bus, insn, insn.src)?;
    check(cpu, bus, port, insn.size)?;
    let value = bus.port_read(port, insn.size);
    set_gpr(cpu, RAX, insn.size, u64::from(value));
    Ok(())
}

/// OUT: AL, AX or EAX to a port.
pub fn output(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let port = port(cpu, bus, insn, insn.dst)?;
    check(cpu, bus, port, insn.src_size)?;
    bus.port_write(cpu.id, port, gpr(cpu, RAX, insn.src_size) as u32, insn.src_size);
    Ok(())
}

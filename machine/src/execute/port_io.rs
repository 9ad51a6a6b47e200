//! IN and OUT, and who may use a port: below IOPL (and in virtual-8086 mode always) the TSS's permission bitmap decides
//! (SDM 1, "I/O Protection").

use super::debug;
use super::operand::{gpr, read, set_gpr};
use super::x87;
use crate::bus::Bus;
use crate::cpu::gpr::RAX;
use crate::cpu::{Cpu, cr0, efer};
use crate::decode::{Insn, Kind, Operand};
use crate::fault::{Exec, Fault};
use crate::mmu::access::linear_read;
use protocol::Mode;

/// #GP(0) where the running code may not use `size` ports from `port` on.
pub fn check(cpu: &mut Cpu, bus: &mut Bus, port: u16, size: u8) -> Exec<()> {
    if cpu.cr0 & cr0::PE == 0 || cpu.mode() != Mode::V86 && super::stack::may_change_if(cpu) {
        return Ok(());
    }
    let allowed = bitmap_allows(cpu, bus, port, size)?;
    if allowed { Ok(()) } else { Err(Fault::gp(0, "neither IOPL nor the TSS's bitmap allows this port").into()) }
}

/// The TSS holds the bitmap's offset at 66h; a clear bit allows its port. The processor reads two bytes, so that the
/// ports of one access may lie in both, and both must lie inside the TSS.
fn bitmap_allows(cpu: &mut Cpu, bus: &mut Bus, port: u16, size: u8) -> Exec<bool> {
    const BITMAP_OFFSET_AT: u64 = 0x66;
    /// Descriptor types of a 32- or 64-bit TSS, available and busy; a 16-bit one has no bitmap.
    const TSS_TYPES: [u32; 2] = [0x9, 0xb];
    let tss = cpu.tr;
    let limit = u64::from(tss.limit);
    if tss.is_unusable() || !TSS_TYPES.contains(&(tss.attributes & 0xf)) || limit < BITMAP_OFFSET_AT + 1 {
        return Ok(false);
    }
    let width = if cpu.efer & efer::LMA != 0 { u64::MAX } else { 0xffff_ffff };
    let linear = |offset: u64| tss.base.wrapping_add(offset) & width;
    let bitmap = u16::from_le_bytes(linear_read(cpu, bus, linear(BITMAP_OFFSET_AT), false)?);
    let start = u64::from(bitmap) + u64::from(port) / 8;
    if start + 1 > limit {
        return Ok(false);
    }
    let [low] = linear_read(cpu, bus, linear(start), false)?;
    let [high] = linear_read(cpu, bus, linear(start + 1), false)?;
    let denied = u16::from_le_bytes([low, high]) >> (port % 8) & ((1 << size) - 1);
    Ok(denied == 0)
}

fn port(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, operand: Operand) -> Exec<u16> {
    let size = if operand.kind == Kind::Imm { 1 } else { 2 };
    Ok(read(cpu, bus, insn, operand, size)? as u16)
}

/// Reads a port that [`check`] allows.
pub fn read_port(cpu: &Cpu, bus: &mut Bus, port: u16, size: u8) -> u32 {
    if debug::is_active(cpu) {
        debug::note_port(cpu, bus, port, size);
    }
    bus.port_read(port, size)
}

/// Writes a port that [`check`] allows.
pub fn write_port(cpu: &Cpu, bus: &mut Bus, port: u16, value: u32, size: u8) {
    if debug::is_active(cpu) {
        debug::note_port(cpu, bus, port, size);
    }
    bus.port_write(cpu.id, port, value, size);
}

/// IN: AL, AX or EAX from a port.
pub fn input(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let port = port(cpu, bus, insn, insn.src)?;
    check(cpu, bus, port, insn.size)?;
    let value = read_port(cpu, bus, port, insn.size);
    set_gpr(cpu, RAX, insn.size, u64::from(value));
    Ok(())
}

/// OUT: AL, AX or EAX to a port.
pub fn output(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let port = port(cpu, bus, insn, insn.dst)?;
    check(cpu, bus, port, insn.src_size)?;
    if port == x87::IGNNE_PORT {
        x87::write_ignne_port(cpu, bus);
    }
    write_port(cpu, bus, port, gpr(cpu, RAX, insn.src_size) as u32, insn.src_size);
    Ok(())
}

//! SYSCALL, SYSRET, SYSENTER, SYSEXIT: ring changes whose segments are fixed instead of read from a table.
//!
//! SYSRET exists in 64-bit mode only, as Intel has it; SYSCALL also in compatibility mode, where it goes to IA32_CSTAR, as AMD
//! and Bochs have it (docs/QUIRKS.md). Sources: SDM 2B, the four instructions, operation sections; AMD64 APM 3, "SYSCALL".

use super::far_xfer::commit;
use super::single_step;
use crate::bus::Bus;
use crate::cpu::segment::{self, Segment, attr};
use crate::cpu::{Cpu, cr4, efer, flags, gpr};
use crate::fault::{Exec, Fault};
use crate::mmu::walk;
use protocol::{LinearAddr, Mode};

/// Present, accessed, readable code with 4 GiB limit.
const CODE: u32 = attr::P | attr::S | attr::CODE | attr::WRITABLE | attr::ACCESSED | attr::G;
/// Present, accessed, writable 32-bit data with 4 GiB limit.
const DATA: u32 = attr::P | attr::S | attr::WRITABLE | attr::ACCESSED | attr::G | attr::DB;
/// RFLAGS bits that SYSRET takes from R11.
const SYSRET_FLAGS: u64 = 0x3c_7fd7;
/// R11.
const R11: usize = 11;

fn flat(selector: u16, attributes: u32, ring: u32) -> Segment {
    Segment { selector, attributes: attributes | ring << attr::DPL_SHIFT, limit: u32::MAX, base: 0 }
}

/// SYSCALL. `cpu.rip` is the return address.
pub fn syscall(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    let in_compat = cpu.mode() == Mode::Compat;
    if !in_compat {
        need_syscall(cpu, "SYSCALL")?;
    } else if cpu.efer & efer::SCE == 0 {
        return Err(Fault::ud("SYSCALL while EFER.SCE = 0").into());
    }
    cpu.gpr[gpr::RCX] = cpu.rip;
    cpu.gpr[R11] = cpu.rflags & !flags::RF;
    let selector = (cpu.msr.star >> 32) as u16 & !3;
    cpu.rflags = cpu.rflags & !cpu.msr.sfmask & !flags::RF | flags::RESERVED_ONE;
    cpu.segments[segment::SS] = flat(selector.wrapping_add(8), DATA, 0);
    let target = if in_compat { cpu.msr.cstar } else { cpu.msr.lstar };
    commit(cpu, bus, flat(selector, CODE | attr::L, 0), target);
    trap_if_traced(cpu)
}

/// TF counts as it is after SYSCALL and SYSRET, not as it was before: the kernel's entry is not traced where IA32_FMASK clears
/// TF, and a return to traced code traps at once, before its first instruction. Kernels rely on both.
fn trap_if_traced(cpu: &mut Cpu) -> Exec<()> {
    if cpu.rflags & flags::TF == 0 { Ok(()) } else { Err(single_step(cpu)) }
}

/// SYSRET; `op_bytes` 8 returns to 64-bit mode, 4 to compatibility mode.
pub fn sysret(cpu: &mut Cpu, bus: &mut Bus, op_bytes: u8) -> Exec<()> {
    need_syscall(cpu, "SYSRET")?;
    super::control_reg::need_ring_0(cpu, "SYSRET")?;
    let selector = (cpu.msr.star >> 48) as u16;
    let (cs, rip) = if op_bytes == 8 {
        let rip = canonical(cpu, "SYSRET", cpu.gpr[gpr::RCX])?;
        (flat(selector.wrapping_add(16) | 3, CODE | attr::L, 3), rip)
    } else {
        (flat(selector | 3, CODE | attr::DB, 3), cpu.gpr[gpr::RCX] & 0xffff_ffff)
    };
    cpu.rflags = cpu.gpr[R11] & SYSRET_FLAGS | flags::RESERVED_ONE;
    cpu.segments[segment::SS] = flat(selector.wrapping_add(8) | 3, DATA, 3);
    commit(cpu, bus, cs, rip);
    trap_if_traced(cpu)
}

/// SYSENTER.
pub fn sysenter(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    let selector = cpu.msr.sysenter_cs as u16 & !3;
    if cpu.mode() == Mode::Real || selector == 0 {
        return Err(Fault::gp(0, "SYSENTER in real mode, or with IA32_SYSENTER_CS null").into());
    }
    let in_ia32e = cpu.efer & efer::LMA != 0;
    let (width, mask) = if in_ia32e { (attr::L, u64::MAX) } else { (attr::DB, 0xffff_ffff) };
    cpu.rflags &= !(flags::VM | flags::IF | flags::RF);
    cpu.gpr[gpr::RSP] = cpu.msr.sysenter_esp & mask;
    cpu.segments[segment::SS] = flat(selector.wrapping_add(8), DATA, 0);
    let target = cpu.msr.sysenter_eip & mask;
    commit(cpu, bus, flat(selector, CODE | width, 0), target);
    Ok(())
}

/// SYSEXIT; `op_bytes` 8 returns to 64-bit mode.
pub fn sysexit(cpu: &mut Cpu, bus: &mut Bus, op_bytes: u8) -> Exec<()> {
    let selector = cpu.msr.sysenter_cs as u16 & !3;
    if cpu.mode() == Mode::Real || selector == 0 {
        return Err(Fault::gp(0, "SYSEXIT in real mode, or with IA32_SYSENTER_CS null").into());
    }
    super::control_reg::need_ring_0(cpu, "SYSEXIT")?;
    let (first, width, rip, rsp) = if op_bytes == 8 {
        let rip = canonical(cpu, "SYSEXIT", cpu.gpr[gpr::RDX])?;
        (selector.wrapping_add(32), attr::L, rip, canonical(cpu, "SYSEXIT", cpu.gpr[gpr::RCX])?)
    } else {
        let cut = |value: u64| value & 0xffff_ffff;
        (selector.wrapping_add(16), attr::DB, cut(cpu.gpr[gpr::RDX]), cut(cpu.gpr[gpr::RCX]))
    };
    cpu.gpr[gpr::RSP] = rsp;
    cpu.segments[segment::SS] = flat(first.wrapping_add(8) | 3, DATA, 3);
    commit(cpu, bus, flat(first | 3, CODE | width, 3), rip);
    Ok(())
}

fn need_syscall(cpu: &Cpu, name: &str) -> Exec<()> {
    if cpu.mode() != Mode::Long {
        return Err(Fault::ud(format!("{name} outside 64-bit mode")).into());
    }
    if cpu.efer & efer::SCE == 0 {
        return Err(Fault::ud(format!("{name} while EFER.SCE = 0")).into());
    }
    Ok(())
}

fn canonical(cpu: &Cpu, name: &str, linear: u64) -> Exec<u64> {
    if walk::is_canonical(linear, cpu.cr4 & cr4::LA57 != 0) {
        return Ok(linear);
    }
    Err(Fault::gp(0, format!("{name} to {}, which is not canonical", LinearAddr(linear))).into())
}

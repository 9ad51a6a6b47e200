//! MOV to and from CR0, CR2, CR3, CR4, CR8; LMSW, SMSW, CLTS: the order of mode switches is enforced here.
//!
//! A write that is refused (#GP) has changed nothing. Sources: SDM 2B, "MOV - Move to/from Control Registers"; SDM 3A,
//! "Control Registers", "Initializing IA-32e Mode", "Operations that Invalidate TLBs", "PDPTE Registers".

#[cfg(test)]
mod tests;

use super::descriptor::system;
use crate::bus::Bus;
use crate::cpu::segment;
use crate::cpu::{Cpu, cr0, cr4, efer};
use crate::fault::{Exec, Fault, Trap};
use crate::mmu::{self, walk};
use protocol::Mode;
use protocol::event::{ControlRegister, EventKind};

/// CR0 bits that can be written; the rest reads as 0.
const CR0_WRITABLE: u64 =
    cr0::PE | cr0::MP | cr0::EM | cr0::TS | cr0::NE | cr0::WP | cr0::AM | cr0::NW | cr0::CD | cr0::PG;

/// CR4 bits of features that CPUID tells; setting another one is #GP.
const CR4_KNOWN: u64 = cr4::VME
    | cr4::PVI
    | cr4::TSD
    | cr4::DE
    | cr4::PSE
    | cr4::PAE
    | cr4::MCE
    | cr4::PGE
    | cr4::PCE
    | cr4::OSFXSR
    | cr4::OSXMMEXCPT
    | cr4::UMIP
    | cr4::LA57
    | cr4::FSGSBASE
    | cr4::PCIDE
    | cr4::OSXSAVE
    | cr4::SMEP
    | cr4::SMAP
    | cr4::PKE
    | cr4::PKS;

/// CR3 bit 63 in a MOV with CR4.PCIDE set: keep the TLB.
const CR3_NO_FLUSH: u64 = 1 << 63;

/// MOV from CRn.
pub fn read(cpu: &Cpu, _bus: &mut Bus, n: u8) -> Exec<u64> {
    need_ring_0(cpu, "MOV from a control register")?;
    match n {
        0 => Ok(cpu.cr0),
        2 => Ok(cpu.cr2),
        3 => Ok(cpu.cr3),
        4 => Ok(cpu.cr4),
        8 => Ok(cpu.lapic.cr8()),
        _ => Err(no_such(n)),
    }
}

/// MOV to CRn. Outside 64-bit mode the operand is 32 bits wide.
pub fn write(cpu: &mut Cpu, bus: &mut Bus, n: u8, value: u64) -> Exec<()> {
    need_ring_0(cpu, "MOV to a control register")?;
    let value = if cpu.mode() == Mode::Long { value } else { value & 0xffff_ffff };
    match n {
        0 => write_cr0(cpu, bus, value),
        2 => {
            cpu.cr2 = value;
            Ok(())
        }
        3 => write_cr3(cpu, bus, value),
        4 => write_cr4(cpu, bus, value),
        8 => write_cr8(cpu, bus, value),
        _ => Err(no_such(n)),
    }
}

/// LMSW: PE, MP, EM, TS. It can set PE, and not clear it.
pub fn lmsw(cpu: &mut Cpu, bus: &mut Bus, value: u16) -> Exec<()> {
    need_ring_0(cpu, "LMSW")?;
    let bits = cr0::MP | cr0::EM | cr0::TS;
    let pe = (cpu.cr0 | u64::from(value)) & cr0::PE;
    write_cr0(cpu, bus, cpu.cr0 & !(bits | cr0::PE) | u64::from(value) & bits | pe)
}

/// SMSW: CR0, which the operand size cuts.
pub fn smsw(cpu: &Cpu) -> Exec<u64> {
    check_umip(cpu, "SMSW")?;
    Ok(cpu.cr0)
}

/// CLTS.
pub fn clts(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    need_ring_0(cpu, "CLTS")?;
    write_cr0(cpu, bus, cpu.cr0 & !cr0::TS)
}

/// #GP(0) outside ring 0.
pub fn need_ring_0(cpu: &Cpu, what: &str) -> Exec<()> {
    if cpu.cpl() == 0 { Ok(()) } else { Err(refuse(format!("{what} needs CPL 0"))) }
}

/// CR4.UMIP: the instructions that tell system addresses need ring 0.
pub fn check_umip(cpu: &Cpu, what: &str) -> Exec<()> {
    if cpu.cr4 & cr4::UMIP != 0 && cpu.cpl() != 0 {
        return Err(refuse(format!("{what} outside ring 0, and CR4.UMIP is set")));
    }
    Ok(())
}

#[cold]
fn no_such(n: u8) -> Trap {
    Fault::ud(format!("there is no CR{n}")).into()
}

#[cold]
fn refuse(cause: impl Into<std::borrow::Cow<'static, str>>) -> Trap {
    Fault::gp(0, cause).into()
}

/// Logs a control-register write that changed something.
pub fn log(cpu: &Cpu, bus: &mut Bus, register: ControlRegister, old: u64, new: u64) {
    if old != new {
        bus.out.events.push((cpu.id, EventKind::Cr { register, old, new }));
    }
}

fn write_cr0(cpu: &mut Cpu, bus: &mut Bus, value: u64) -> Exec<()> {
    if value >> 32 != 0 {
        return Err(refuse("CR0 bits 63:32 are reserved"));
    }
    let old = cpu.cr0;
    let new = value & CR0_WRITABLE | cr0::ET;
    if new & cr0::PG != 0 && new & cr0::PE == 0 {
        return Err(refuse("CR0.PG = 1 needs CR0.PE = 1: there is no paging in real mode"));
    }
    if new & cr0::NW != 0 && new & cr0::CD == 0 {
        return Err(refuse("CR0.NW = 1 needs CR0.CD = 1"));
    }
    let old_efer = cpu.efer;
    let mut new_efer = old_efer;
    if new & !old & cr0::PG != 0 {
        check_paging_on(cpu)?;
        if old_efer & efer::LME != 0 {
            new_efer |= efer::LMA;
        }
    } else if old & !new & cr0::PG != 0 {
        if cpu.mode() == Mode::Long {
            return Err(refuse("paging cannot be turned off in 64-bit mode, only in compatibility mode"));
        }
        if cpu.cr4 & cr4::PCIDE != 0 {
            return Err(refuse("paging cannot be turned off while CR4.PCIDE = 1"));
        }
        new_efer &= !efer::LMA;
    }
    let reloads = (old ^ new) & (cr0::PG | cr0::CD | cr0::NW) != 0;
    if reloads && mmu::uses_pdptes(new, cpu.cr4, new_efer) {
        cpu.pdptes = mmu::read_pdptes(bus, cpu.cr3)?;
    }
    cpu.cr0 = new;
    cpu.efer = new_efer;
    if old & !new & cr0::PG != 0 {
        cpu.tlb.flush_all();
    }
    cpu.update_mode();
    cpu.update_keys();
    log(cpu, bus, ControlRegister::Cr0, old, new);
    log(cpu, bus, ControlRegister::Efer, old_efer, new_efer);
    Ok(())
}

/// What turning paging on asks for where EFER.LME makes it the way into IA-32e mode.
fn check_paging_on(cpu: &Cpu) -> Exec<()> {
    if cpu.efer & efer::LME == 0 {
        return Ok(());
    }
    if cpu.cr4 & cr4::PAE == 0 {
        return Err(refuse("CR0.PG = 1 with EFER.LME = 1 needs CR4.PAE = 1: long mode has no other page tables"));
    }
    if cpu.segments[segment::CS].is_long() {
        return Err(refuse("CR0.PG = 1 with EFER.LME = 1 needs CS.L = 0: long mode is entered by compatibility mode"));
    }
    if cpu.tr.attributes & 0xf == system::TSS16_BUSY {
        return Err(refuse("CR0.PG = 1 with EFER.LME = 1 while TR holds a 16-bit TSS"));
    }
    Ok(())
}

fn write_cr3(cpu: &mut Cpu, bus: &mut Bus, value: u64) -> Exec<()> {
    let has_pcid = cpu.cr4 & cr4::PCIDE != 0;
    let new = if has_pcid { value & !CR3_NO_FLUSH } else { value };
    if new >> walk::MAXPHYADDR != 0 {
        return Err(refuse("CR3 has bits above the physical-address width set"));
    }
    if mmu::uses_pdptes(cpu.cr0, cpu.cr4, cpu.efer) {
        cpu.pdptes = mmu::read_pdptes(bus, new)?;
    }
    let old = std::mem::replace(&mut cpu.cr3, new);
    if !has_pcid || value & CR3_NO_FLUSH == 0 {
        let context = mmu::pcid(cpu);
        cpu.tlb.flush_context(context);
    }
    log(cpu, bus, ControlRegister::Cr3, old, new);
    Ok(())
}

fn write_cr4(cpu: &mut Cpu, bus: &mut Bus, new: u64) -> Exec<()> {
    let old = cpu.cr4;
    if new & !CR4_KNOWN != 0 {
        return Err(refuse(format!("CR4 bits {:x} are reserved: CPUID does not tell the features", new & !CR4_KNOWN)));
    }
    let is_active = cpu.efer & efer::LMA != 0;
    if is_active && new & cr4::PAE == 0 {
        return Err(refuse("CR4.PAE cannot be cleared in long mode: its page tables need it"));
    }
    if is_active && (old ^ new) & cr4::LA57 != 0 {
        return Err(refuse("CR4.LA57 cannot be changed in long mode"));
    }
    if new & !old & cr4::PCIDE != 0 {
        if !is_active {
            return Err(refuse("CR4.PCIDE can be set in long mode only"));
        }
        if cpu.cr3 & 0xfff != 0 {
            return Err(refuse("CR4.PCIDE can be set only while CR3 bits 11:0 are 0"));
        }
    }
    let reloads = (old ^ new) & (cr4::PAE | cr4::PGE | cr4::PSE | cr4::SMEP) != 0;
    if reloads && mmu::uses_pdptes(cpu.cr0, new, cpu.efer) {
        cpu.pdptes = mmu::read_pdptes(bus, cpu.cr3)?;
    }
    cpu.cr4 = new;
    let changed = (old ^ new) & (cr4::PGE | cr4::PAE | cr4::PSE | cr4::LA57) != 0;
    if changed || new & !old & cr4::SMEP != 0 || old & !new & cr4::PCIDE != 0 {
        cpu.tlb.flush_all();
    }
    cpu.update_keys();
    log(cpu, bus, ControlRegister::Cr4, old, new);
    Ok(())
}

fn write_cr8(cpu: &mut Cpu, bus: &mut Bus, value: u64) -> Exec<()> {
    if value > 0xf {
        return Err(refuse("CR8 has four bits"));
    }
    let old = cpu.lapic.cr8();
    cpu.lapic.set_cr8(value);
    log(cpu, bus, ControlRegister::Cr8, old, value);
    Ok(())
}

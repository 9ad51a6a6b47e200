//! LGDT, LIDT, LLDT, LTR, their stores, and LAR, LSL, VERR, VERW, which ask about a descriptor without loading it.
//!
//! Sources: SDM 2A and 2B, "LGDT/LIDT", "SGDT", "SIDT", "LLDT", "LTR", "LAR", "LSL", "VERR/VERW".

use super::control_reg::{check_umip, need_ring_0};
use super::descriptor::{self, Descriptor, system};
use super::far_xfer::is_real_or_v86;
use super::segment_load::null_segment;
use crate::bus::Bus;
use crate::cpu::segment::{TableRegister, attr};
use crate::cpu::{Cpu, efer};
use crate::fault::{Exec, Fault, Trap, vector};
use crate::mmu::{self, walk};
use protocol::event::{EventKind, TableRegister as Register};
use protocol::{LinearAddr, Mode};

/// What LAR tells of a descriptor's upper half: access byte and flags. Bits 19:16 are undefined in the SDM, 0 here.
const LAR_MASK: u32 = 0x00f0_ff00;

/// A selector whose descriptor may be asked about: LAR, LSL, VERR and VERW clear ZF instead of faulting.
type Asked = Option<Descriptor>;

/// LGDT.
pub fn lgdt(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, op_bytes: u8) -> Exec<()> {
    cpu.gdtr = load_table(cpu, bus, "LGDT", seg, offset, op_bytes)?;
    let TableRegister { base, limit } = cpu.gdtr;
    log(cpu, bus, Register::Gdtr, base, u32::from(limit));
    Ok(())
}

/// LIDT.
pub fn lidt(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, op_bytes: u8) -> Exec<()> {
    cpu.idtr = load_table(cpu, bus, "LIDT", seg, offset, op_bytes)?;
    let TableRegister { base, limit } = cpu.idtr;
    log(cpu, bus, Register::Idtr, base, u32::from(limit));
    Ok(())
}

/// SGDT.
pub fn sgdt(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, _op_bytes: u8) -> Exec<()> {
    check_umip(cpu, "SGDT")?;
    store_table(cpu, bus, seg, offset, cpu.gdtr)
}

/// SIDT.
pub fn sidt(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, _op_bytes: u8) -> Exec<()> {
    check_umip(cpu, "SIDT")?;
    store_table(cpu, bus, seg, offset, cpu.idtr)
}

/// Limit, then base: 24 bits of it with a 16-bit operand, 32, or 64 in 64-bit mode.
fn load_table(cpu: &mut Cpu, bus: &mut Bus, name: &str, seg: usize, offset: u64, op_bytes: u8) -> Exec<TableRegister> {
    need_ring_0(cpu, name)?;
    let limit = mmu::read_u16(cpu, bus, seg, offset)?;
    let at_base = offset.wrapping_add(2);
    let base = if cpu.mode() == Mode::Long {
        mmu::read_u64(cpu, bus, seg, at_base)?
    } else {
        let base = u64::from(mmu::read_u32(cpu, bus, seg, at_base)?);
        if op_bytes == 2 { base & 0xff_ffff } else { base }
    };
    if !walk::is_canonical_to_the_processor(base) {
        return Err(Fault::gp(0, format!("{name} of the base {}, which is not canonical", LinearAddr(base))).into());
    }
    Ok(TableRegister { base, limit })
}

fn store_table(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, table: TableRegister) -> Exec<()> {
    let is_long = cpu.mode() == Mode::Long;
    mmu::check_write(cpu, bus, seg, offset, if is_long { 10 } else { 6 })?;
    mmu::write_u16(cpu, bus, seg, offset, table.limit)?;
    let at_base = offset.wrapping_add(2);
    if is_long {
        mmu::write_u64(cpu, bus, seg, at_base, table.base)
    } else {
        mmu::write_u32(cpu, bus, seg, at_base, table.base as u32)
    }
}

fn log(cpu: &Cpu, bus: &mut Bus, register: Register, base: u64, limit: u32) {
    bus.out.events.push((cpu.id, EventKind::DescriptorTable { register, base, limit }));
}

/// LLDT.
pub fn lldt(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<()> {
    need_protected_mode(cpu, "LLDT")?;
    need_ring_0(cpu, "LLDT")?;
    cpu.ldtr = if descriptor::is_null(selector) {
        null_segment(selector, 0)
    } else {
        let found = read_from_gdt(cpu, bus, selector)?;
        if found.is_segment() || found.kind() != system::LDT {
            return Err(wrong(selector, "LLDT needs the descriptor of an LDT"));
        }
        if !found.is_present() {
            return Err(descriptor::not_present(selector, 0));
        }
        check_base(selector, &found)?;
        found.segment(selector)
    };
    let (base, limit) = (cpu.ldtr.base, cpu.ldtr.limit);
    log(cpu, bus, Register::Ldtr, base, limit);
    Ok(())
}

/// LTR: the TSS becomes busy.
pub fn ltr(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<()> {
    need_protected_mode(cpu, "LTR")?;
    need_ring_0(cpu, "LTR")?;
    if descriptor::is_null(selector) {
        return Err(Fault::gp(0, "LTR of a null selector").into());
    }
    let mut found = read_from_gdt(cpu, bus, selector)?;
    let is_wide = found.kind() == system::TSS;
    let is_narrow = found.kind() == system::TSS16 && cpu.efer & efer::LMA == 0;
    if found.is_segment() || !(is_wide || is_narrow) {
        return Err(wrong(selector, "LTR needs the descriptor of an available TSS"));
    }
    if !found.is_present() {
        return Err(descriptor::not_present(selector, 0));
    }
    check_base(selector, &found)?;
    descriptor::set_type_bits(cpu, bus, &mut found, system::TSS_BUSY ^ system::TSS)?;
    cpu.tr = found.segment(selector);
    let (base, limit) = (cpu.tr.base, cpu.tr.limit);
    log(cpu, bus, Register::Tr, base, limit);
    Ok(())
}

/// The base of an LDT or TSS, 64 bits wide in IA-32e mode.
fn check_base(selector: u16, found: &Descriptor) -> Exec<()> {
    if walk::is_canonical_to_the_processor(found.base()) {
        return Ok(());
    }
    Err(wrong(selector, "its base is not canonical"))
}

/// SLDT.
pub fn sldt(cpu: &Cpu) -> Exec<u16> {
    need_protected_mode(cpu, "SLDT")?;
    check_umip(cpu, "SLDT")?;
    Ok(cpu.ldtr.selector)
}

/// STR.
pub fn str(cpu: &Cpu) -> Exec<u16> {
    need_protected_mode(cpu, "STR")?;
    check_umip(cpu, "STR")?;
    Ok(cpu.tr.selector)
}

/// LAR: the access rights in bits 23:8, None where ZF becomes 0.
pub fn lar(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<Option<u32>> {
    let Some(found) = ask(cpu, bus, "LAR", selector)? else { return Ok(None) };
    let in_ia32e = cpu.efer & efer::LMA != 0;
    let is_told = found.is_segment()
        || match found.kind() {
            system::LDT | system::TSS | system::TSS_BUSY | system::CALL_GATE => true,
            system::TSS16 | system::TSS16_BUSY | system::CALL_GATE16 | system::TASK_GATE => !in_ia32e,
            _ => false,
        };
    Ok((is_told && may_see(cpu, selector, &found)).then_some((found.raw >> 32) as u32 & LAR_MASK))
}

/// LSL: the limit in bytes, None where ZF becomes 0.
pub fn lsl(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<Option<u32>> {
    let Some(found) = ask(cpu, bus, "LSL", selector)? else { return Ok(None) };
    let in_ia32e = cpu.efer & efer::LMA != 0;
    let has_limit = found.is_segment()
        || match found.kind() {
            system::LDT | system::TSS | system::TSS_BUSY => true,
            system::TSS16 | system::TSS16_BUSY => !in_ia32e,
            _ => false,
        };
    Ok((has_limit && may_see(cpu, selector, &found)).then(|| found.limit()))
}

/// VERR: the new ZF, 1 where the segment could be read.
pub fn verr(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<bool> {
    let Some(found) = ask(cpu, bus, "VERR", selector)? else { return Ok(false) };
    let is_readable = found.is_segment() && (!found.is_code() || found.has(attr::WRITABLE));
    Ok(is_readable && may_see(cpu, selector, &found))
}

/// VERW: the new ZF, 1 where the segment could be written.
pub fn verw(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<bool> {
    let Some(found) = ask(cpu, bus, "VERW", selector)? else { return Ok(false) };
    Ok(found.is_writable_data() && may_see(cpu, selector, &found))
}

/// A descriptor to be asked about; None where the selector is null or beyond its table.
fn ask(cpu: &mut Cpu, bus: &mut Bus, name: &str, selector: u16) -> Exec<Asked> {
    need_protected_mode(cpu, name)?;
    if descriptor::is_null(selector) {
        return Ok(None);
    }
    match descriptor::read(cpu, bus, selector) {
        Ok(found) => Ok(Some(found)),
        Err(Trap::Fault(fault)) if fault.vector == vector::GENERAL_PROTECTION => Ok(None),
        Err(other) => Err(other),
    }
}

/// CPL and RPL let code see the segment.
fn may_see(cpu: &Cpu, selector: u16, found: &Descriptor) -> bool {
    found.is_conforming() || found.dpl() >= cpu.cpl() && found.dpl() >= selector as u8 & 3
}

fn read_from_gdt(cpu: &mut Cpu, bus: &mut Bus, selector: u16) -> Exec<Descriptor> {
    if selector & 4 != 0 {
        return Err(wrong(selector, "LDTs and TSSs are described in the GDT"));
    }
    descriptor::read_system(cpu, bus, selector)
}

fn wrong(selector: u16, why: &str) -> Trap {
    descriptor::selector_fault(vector::GENERAL_PROTECTION, selector, 0, why)
}

fn need_protected_mode(cpu: &Cpu, name: &str) -> Exec<()> {
    if is_real_or_v86(cpu) {
        return Err(Fault::ud(format!("{name} is not recognized in real mode")).into());
    }
    Ok(())
}

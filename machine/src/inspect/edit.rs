//! What a debugger's edits do to the machine. Called by [`crate::timeline`], which journals them.
//!
//! Values are put in as they are, also where no instruction could: to break things on purpose is a way to learn. What
//! keeps the machine meaningful is done as the instruction would do it: the mode is derived again; CR0, CR4 and EFER
//! flush that CPU's TLB, CR3 flushes what is not global, and PAE's PDPTE registers are loaded again. EFER.LMA is not
//! derived: it can be set or cleared like any bit. A selector is its visible part only; the hidden part is `cs_base`,
//! `cs_limit`, `cs_attr`. Memory is written without touching TLB, A or D bits.

use super::memory;
use crate::bus::Bus;
use crate::cpu::{Cpu, flags, segment};
use crate::machine::Machine;
use crate::mmu;
use protocol::cpu::{GPR_NAMES, SEGMENT_NAMES};
use protocol::request::{Edit, Place};
use protocol::{CpuId, Mode};
use std::sync::Arc;

/// Memory edits of at most so many bytes are told with their bytes.
const TOLD_BYTES: usize = 16;

/// Does it. Returns the CPU concerned and what was done, in words. Error in words: nothing was changed.
pub(crate) fn apply(machine: &mut Machine, edit: &Edit) -> Result<(CpuId, String), String> {
    match edit {
        Edit::Register { cpu, name, value } => {
            super::cpu_of(machine, *cpu)?;
            let target = Arc::make_mut(&mut machine.cpus[usize::from(cpu.0)]);
            let old = write_register(target, &machine.bus, name, *value)?;
            machine.look_up_derived();
            Ok((*cpu, format!("{cpu} {name}: {old:08x} -> {value:08x}")))
        }
        Edit::Memory { at, bytes } => {
            if bytes.is_empty() {
                return Err("There are no bytes to write.".into());
            }
            let (old, _) = memory::read(machine, *at, bytes.len());
            memory::write(machine, *at, bytes)?;
            Ok(told(*at, &old, bytes))
        }
    }
}

fn told(at: Place, old: &[u8], new: &[u8]) -> (CpuId, String) {
    let (cpu, place) = match at {
        Place::Phys(phys) => (CpuId(0), format!("physical {phys}")),
        Place::Linear { cpu, linear } => (cpu, format!("linear {linear}")),
    };
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let what = if new.len() <= TOLD_BYTES {
        format!("{place}: {} -> {}", hex(old), hex(new))
    } else {
        format!("{place}: {} bytes", new.len())
    };
    (cpu, what)
}

/// Sets a register by gdb's name for it; returns what it held.
fn write_register(cpu: &mut Cpu, bus: &Bus, name: &str, value: u64) -> Result<u64, String> {
    if let Some(index) = GPR_NAMES.iter().position(|known| *known == name) {
        return Ok(std::mem::replace(&mut cpu.gpr[index], value));
    }
    if let Some(old) = write_segment(cpu, name, value)? {
        return Ok(old);
    }
    if let Some(old) = write_control(cpu, bus, name, value)? {
        return Ok(old);
    }
    if let Some((index, half)) = xmm_half(name) {
        let register = &mut cpu.xmm[index];
        let old = (*register >> half) as u64;
        *register = *register & !(u128::from(u64::MAX) << half) | u128::from(value) << half;
        return Ok(old);
    }
    let long = cpu.mode() == Mode::Long;
    let place: &mut u64 = match name {
        "rip" | "ip" => {
            if !long {
                fits(name, value, 32, "outside 64-bit mode IP has at most 32 bits")?;
            }
            &mut cpu.rip
        }
        "k_gs_base" | "kernel_gs_base" => &mut cpu.msr.kernel_gs_base,
        "star" => &mut cpu.msr.star,
        "lstar" => &mut cpu.msr.lstar,
        "cstar" => &mut cpu.msr.cstar,
        "sfmask" | "fmask" => &mut cpu.msr.sfmask,
        "tsc_aux" => &mut cpu.msr.tsc_aux,
        "sysenter_cs" => &mut cpu.msr.sysenter_cs,
        "sysenter_esp" => &mut cpu.msr.sysenter_esp,
        "sysenter_eip" => &mut cpu.msr.sysenter_eip,
        "pat" => &mut cpu.msr.pat,
        "dr0" | "dr1" | "dr2" | "dr3" => &mut cpu.dr[usize::from(name.as_bytes()[2] - b'0')],
        "dr6" => &mut cpu.dr[4],
        "dr7" => &mut cpu.dr[5],
        "gdtr_base" => &mut cpu.gdtr.base,
        "idtr_base" => &mut cpu.idtr.base,
        "gdtr_limit" | "idtr_limit" => {
            fits(name, value, 16, "the limit of a descriptor table has 16 bits")?;
            let table = if name == "gdtr_limit" { &mut cpu.gdtr } else { &mut cpu.idtr };
            return Ok(std::mem::replace(&mut table.limit, value as u16).into());
        }
        "mxcsr" => {
            fits(name, value, 16, "the upper bits of MXCSR are reserved")?;
            return Ok(std::mem::replace(&mut cpu.mxcsr, value as u32).into());
        }
        _ => {
            return Err(format!(
                "There is no register {name:?} that can be edited. Names are gdb's: rax, rip (the offset in CS), eflags, \
                 cs, cs_base, cs_limit, cs_attr, gdtr_base, gdtr_limit, cr0, cr2, cr3, cr4, cr8, efer, fs_base, gs_base, \
                 k_gs_base, dr0 to dr7, xmm0_low, xmm0_high, mxcsr, star, lstar, ..."
            ));
        }
    };
    Ok(std::mem::replace(place, value))
}

/// `xmm0_low` to `xmm15_high`, since an edit carries 64 bits: the register and the half's first bit.
pub(super) fn xmm_half(name: &str) -> Option<(usize, u32)> {
    let (register, half) = name.strip_prefix("xmm")?.split_once('_')?;
    let index = register.parse().ok().filter(|&index| index < 16)?;
    match half {
        "low" => Some((index, 0)),
        "high" => Some((index, 64)),
        _ => None,
    }
}

/// `cs`, `cs_base`, `cs_limit`, `cs_attr` and those of the other segment registers, LDTR and TR. None: another name.
fn write_segment(cpu: &mut Cpu, name: &str, value: u64) -> Result<Option<u64>, String> {
    let (register, part) = name.split_once('_').unwrap_or((name, ""));
    let segment = match SEGMENT_NAMES.iter().position(|known| *known == register) {
        Some(index @ 0..6) => &mut cpu.segments[index],
        Some(6) => &mut cpu.ldtr,
        Some(_) => &mut cpu.tr,
        None => return Ok(None),
    };
    let old = match part {
        "" => {
            fits(name, value, 16, "a selector has 16 bits")?;
            std::mem::replace(&mut segment.selector, value as u16).into()
        }
        "base" => std::mem::replace(&mut segment.base, value),
        "limit" => {
            fits(name, value, 32, "a limit has 32 bits (in bytes, granularity applied)")?;
            std::mem::replace(&mut segment.limit, value as u32).into()
        }
        "attr" => {
            fits(
                name,
                value,
                17,
                "attributes are type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16",
            )?;
            std::mem::replace(&mut segment.attributes, value as u32).into()
        }
        _ => return Ok(None),
    };
    cpu.update_mode();
    Ok(Some(old))
}

/// Registers whose change means more than their bits. None: another name.
fn write_control(cpu: &mut Cpu, bus: &Bus, name: &str, value: u64) -> Result<Option<u64>, String> {
    let old = match name {
        "eflags" | "rflags" => {
            fits(name, value, 22, "bits 63:22 of RFLAGS are reserved")?;
            std::mem::replace(&mut cpu.rflags, value | flags::RESERVED_ONE)
        }
        "cr0" => std::mem::replace(&mut cpu.cr0, value),
        "cr2" => return Ok(Some(std::mem::replace(&mut cpu.cr2, value))),
        "cr3" => std::mem::replace(&mut cpu.cr3, value),
        "cr4" => std::mem::replace(&mut cpu.cr4, value),
        "efer" => std::mem::replace(&mut cpu.efer, value),
        "cr8" => {
            fits(name, value, 4, "CR8 is a priority from 0 to 15")?;
            let old = cpu.lapic.cr8();
            cpu.lapic.set_cr8(value);
            return Ok(Some(old));
        }
        _ => return Ok(None),
    };
    match name {
        "cr3" => cpu.tlb.flush_context(mmu::pcid(cpu)),
        "cr0" | "cr4" | "efer" => cpu.tlb.flush_all(),
        _ => {}
    }
    if name != "eflags" && mmu::uses_pdptes(cpu.cr0, cpu.cr4, cpu.efer) {
        // Where MOV CR3 would fault, the registers keep what they held.
        cpu.pdptes = mmu::read_pdptes(bus, cpu.cr3).unwrap_or(cpu.pdptes);
    }
    cpu.update_mode();
    cpu.update_keys();
    Ok(Some(old))
}

fn fits(name: &str, value: u64, bits: u32, why: &str) -> Result<(), String> {
    if value >> bits == 0 { Ok(()) } else { Err(format!("{value:#x} does not fit into {name}: {why}.")) }
}

const _: () = assert!(segment::GS == 5, "SEGMENT_NAMES begins with the six of Cpu::segments");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;
    use protocol::PhysAddr;

    fn machine() -> Machine {
        Machine::new(vec![Cpu::power_on(CpuId(0), 0, true)], Bus::new(1 << 20), Schedule::new(64, None))
    }

    #[track_caller]
    fn set(machine: &mut Machine, name: &str, value: u64) -> Result<(CpuId, String), String> {
        apply(machine, &Edit::Register { cpu: CpuId(0), name: name.into(), value })
    }

    /// Goal: a forced PE makes protected mode of real mode at once; method: CR0, then the attributes of CS.
    #[test]
    fn mode_follows() {
        let mut machine = machine();
        assert_eq!(set(&mut machine, "cr0", 0x11).unwrap().1, "CPU 0 cr0: 60000010 -> 00000011");
        assert_eq!(machine.cpus()[0].mode(), Mode::Protected16);
        set(&mut machine, "cs_attr", 0x409b).unwrap();
        assert_eq!(machine.cpus()[0].mode(), Mode::Protected32);
    }

    /// Goal: what makes no sense is refused in words and changes nothing; method: unknown names, wide values, no memory.
    #[test]
    fn refusals() {
        let mut machine = machine();
        let before = crate::hash::of(&machine);
        for (name, value) in [("raxx", 0), ("cs", 0x1_0000), ("cs_size", 1), ("cr8", 16), ("gdtr_limit", 1 << 16)] {
            assert!(set(&mut machine, name, value).is_err(), "{name}");
        }
        let beyond = Edit::Memory { at: Place::Phys(PhysAddr((1 << 20) - 1)), bytes: vec![1, 2] };
        assert!(apply(&mut machine, &beyond).is_err());
        assert_eq!(before, crate::hash::of(&machine));
    }
}

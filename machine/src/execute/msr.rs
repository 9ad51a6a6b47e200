//! RDMSR and WRMSR, and the list of model-specific registers that exist here. All others are #GP(0).
//!
//! Sources: SDM 4, "Architectural MSRs"; SDM 3A, "Extended Feature Enable Register", "Memory Type Range Registers"
//! ([`crate::cpu::mtrr`]), "IA32_PAT MSR", "Local APIC Status and Location". MSRs 800h to 8FFh are the local APIC's, where it is in
//! x2APIC mode: [`crate::device::lapic::x2apic`].

use super::control_reg::{log, need_ring_0};
use crate::bus::Bus;
use crate::cpu::{Cpu, cr0, efer, gpr, segment};
use crate::device::lapic::{self, x2apic};
use crate::fault::{Exec, Fault, Trap};
use crate::mmu::walk;
use protocol::LinearAddr;
use protocol::event::ControlRegister;

/// Numbers of MSRs, by Intel's names.
pub mod number {
    /// IA32_TIME_STAMP_COUNTER.
    pub const TSC: u32 = 0x10;
    /// IA32_PLATFORM_ID.
    pub const PLATFORM_ID: u32 = 0x17;
    /// IA32_APIC_BASE.
    pub const APIC_BASE: u32 = 0x1b;
    /// IA32_TSC_ADJUST.
    pub const TSC_ADJUST: u32 = 0x3b;
    /// IA32_BIOS_SIGN_ID.
    pub const BIOS_SIGN_ID: u32 = 0x8b;
    /// IA32_SYSENTER_CS.
    pub const SYSENTER_CS: u32 = 0x174;
    /// IA32_SYSENTER_ESP.
    pub const SYSENTER_ESP: u32 = 0x175;
    /// IA32_SYSENTER_EIP.
    pub const SYSENTER_EIP: u32 = 0x176;
    /// IA32_MCG_CAP.
    pub const MCG_CAP: u32 = 0x179;
    /// IA32_MCG_STATUS.
    pub const MCG_STATUS: u32 = 0x17a;
    /// IA32_MISC_ENABLE.
    pub const MISC_ENABLE: u32 = 0x1a0;
    /// IA32_PAT.
    pub const PAT: u32 = 0x277;
    /// IA32_TSC_DEADLINE.
    pub const TSC_DEADLINE: u32 = 0x6e0;
    /// IA32_PKRS.
    pub const PKRS: u32 = 0x6e1;
    /// IA32_EFER.
    pub const EFER: u32 = 0xc000_0080;
    /// IA32_STAR.
    pub const STAR: u32 = 0xc000_0081;
    /// IA32_LSTAR.
    pub const LSTAR: u32 = 0xc000_0082;
    /// IA32_CSTAR.
    pub const CSTAR: u32 = 0xc000_0083;
    /// IA32_FMASK.
    pub const FMASK: u32 = 0xc000_0084;
    /// IA32_FS_BASE.
    pub const FS_BASE: u32 = 0xc000_0100;
    /// IA32_GS_BASE.
    pub const GS_BASE: u32 = 0xc000_0101;
    /// IA32_KERNEL_GS_BASE.
    pub const KERNEL_GS_BASE: u32 = 0xc000_0102;
    /// IA32_TSC_AUX.
    pub const TSC_AUX: u32 = 0xc000_0103;
}

/// All that exist, ascending, but for the memory type range registers.
pub const ALL: [u32; 23] = [
    number::TSC,
    number::PLATFORM_ID,
    number::APIC_BASE,
    number::TSC_ADJUST,
    number::BIOS_SIGN_ID,
    number::SYSENTER_CS,
    number::SYSENTER_ESP,
    number::SYSENTER_EIP,
    number::MCG_CAP,
    number::MCG_STATUS,
    number::MISC_ENABLE,
    number::PAT,
    number::TSC_DEADLINE,
    number::PKRS,
    number::EFER,
    number::STAR,
    number::LSTAR,
    number::CSTAR,
    number::FMASK,
    number::FS_BASE,
    number::GS_BASE,
    number::KERNEL_GS_BASE,
    number::TSC_AUX,
];

/// IA32_MCG_STATUS: RIPV, EIPV, MCIP.
const MCG_STATUS_KNOWN: u64 = 7;
/// IA32_MISC_ENABLE: the execute-disable bit is not offered (CPUID hides it, EFER.NXE cannot be set).
pub const MISC_XD_DISABLE: u64 = 1 << 34;
/// IA32_MISC_ENABLE: fast strings.
const MISC_FAST_STRINGS: u64 = 1 << 0;
/// IA32_MISC_ENABLE: bits that are kept and do nothing here: thermal control, SpeedStep, MONITOR, the limit of CPUID, xTPR
/// (docs/QUIRKS.md).
const MISC_STORED: u64 = 1 << 3 | 1 << 16 | 1 << 18 | 1 << 22 | 1 << 23;
/// IA32_MISC_ENABLE: neither branch trace store nor PEBS. Read only.
pub const MISC_NO_BTS_NO_PEBS: u64 = 1 << 11 | 1 << 12;

/// RDMSR: ECX names it, EDX:EAX gets it.
pub fn rdmsr(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    need_ring_0(cpu, "RDMSR")?;
    let index = cpu.gpr[gpr::RCX] as u32;
    let value = match index {
        x2apic::FIRST_MSR..=x2apic::LAST_MSR => {
            cpu.lapic.read_msr(index, bus.clock_ns).map_err(|why| refused(index, why))?
        }
        _ => peek(cpu, bus.clock_ns, index).ok_or_else(|| no_such(index))?,
    };
    cpu.gpr[gpr::RAX] = value & 0xffff_ffff;
    cpu.gpr[gpr::RDX] = value >> 32;
    Ok(())
}

/// WRMSR.
pub fn wrmsr(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    need_ring_0(cpu, "WRMSR")?;
    let value = cpu.gpr[gpr::RAX] & 0xffff_ffff | cpu.gpr[gpr::RDX] << 32;
    write(cpu, bus, cpu.gpr[gpr::RCX] as u32, value)
}

/// The value of an MSR, None: there is none of that number. No side effects.
pub fn peek(cpu: &Cpu, clock_ns: u64, index: u32) -> Option<u64> {
    let msr = &cpu.msr;
    Some(match index {
        number::TSC => clock_ns.wrapping_add(msr.tsc_offset),
        number::APIC_BASE => cpu.lapic.base,
        number::TSC_ADJUST => msr.tsc_adjust,
        number::SYSENTER_CS => msr.sysenter_cs,
        number::SYSENTER_ESP => msr.sysenter_esp,
        number::SYSENTER_EIP => msr.sysenter_eip,
        number::PLATFORM_ID => 0,
        // The signature of the microcode update that is loaded: there is none.
        number::BIOS_SIGN_ID => 0,
        // No banks, no IA32_MCG_CTL: there is nothing that reports errors.
        number::MCG_CAP => 0,
        number::MCG_STATUS => msr.mcg_status,
        number::TSC_DEADLINE => cpu.lapic.tsc_deadline(),
        number::PKRS => msr.pkrs.into(),
        number::MISC_ENABLE => msr.misc_enable,
        number::PAT => msr.pat,
        number::EFER => cpu.efer,
        number::STAR => msr.star,
        number::LSTAR => msr.lstar,
        number::CSTAR => msr.cstar,
        number::FMASK => msr.sfmask,
        number::FS_BASE => cpu.segments[segment::FS].base,
        number::GS_BASE => cpu.segments[segment::GS].base,
        number::KERNEL_GS_BASE => msr.kernel_gs_base,
        number::TSC_AUX => msr.tsc_aux,
        x2apic::FIRST_MSR..=x2apic::LAST_MSR => return cpu.lapic.read_msr(index, clock_ns).ok(),
        _ => return msr.mtrrs.read(index),
    })
}

/// Writes an MSR with all its checks.
pub fn write(cpu: &mut Cpu, bus: &mut Bus, index: u32, value: u64) -> Exec<()> {
    match index {
        number::TSC => set_tsc_offset(cpu, bus, value.wrapping_sub(bus.clock_ns)),
        number::TSC_ADJUST => {
            let moved = value.wrapping_sub(cpu.msr.tsc_adjust);
            set_tsc_offset(cpu, bus, cpu.msr.tsc_offset.wrapping_add(moved));
        }
        number::TSC_DEADLINE => {
            let (offset, now_ns) = (cpu.msr.tsc_offset, bus.clock_ns);
            cpu.lapic.set_tsc_deadline(value, offset, now_ns, &mut bus.out);
        }
        number::PKRS => {
            cpu.msr.pkrs = u32::try_from(value).map_err(|_| reserved("IA32_PKRS"))?;
            cpu.update_keys();
        }
        number::PLATFORM_ID => return Err(read_only("IA32_PLATFORM_ID")),
        // Software clears it before CPUID, which loads it (SDM 3A, "Determining the Signature"): it stays 0.
        number::BIOS_SIGN_ID => {}
        number::MCG_CAP => return Err(read_only("IA32_MCG_CAP")),
        number::MCG_STATUS if value & !MCG_STATUS_KNOWN != 0 => return Err(reserved("IA32_MCG_STATUS")),
        number::MCG_STATUS => cpu.msr.mcg_status = value,
        number::APIC_BASE => return write_apic_base(cpu, bus, value),
        number::SYSENTER_CS => cpu.msr.sysenter_cs = value & 0xffff_ffff,
        number::SYSENTER_ESP => cpu.msr.sysenter_esp = canonical(index, value)?,
        number::SYSENTER_EIP => cpu.msr.sysenter_eip = canonical(index, value)?,
        number::MISC_ENABLE => {
            let xd = if cpu.quirks.no_nx { 0 } else { MISC_XD_DISABLE };
            if value & !(MISC_FAST_STRINGS | xd | MISC_NO_BTS_NO_PEBS | MISC_STORED) != 0 {
                return Err(reserved("IA32_MISC_ENABLE"));
            }
            cpu.msr.misc_enable = value | MISC_NO_BTS_NO_PEBS;
        }
        number::PAT => {
            if value.to_le_bytes().iter().any(|memory_type| !matches!(memory_type, 0 | 1 | 4..=7)) {
                return Err(reserved("IA32_PAT"));
            }
            cpu.msr.pat = value;
        }
        number::EFER => return write_efer(cpu, bus, value),
        number::STAR => cpu.msr.star = value,
        number::LSTAR => cpu.msr.lstar = canonical(index, value)?,
        number::CSTAR => cpu.msr.cstar = canonical(index, value)?,
        number::FMASK => cpu.msr.sfmask = value & 0xffff_ffff,
        number::FS_BASE => cpu.segments[segment::FS].base = canonical(index, value)?,
        number::GS_BASE => cpu.segments[segment::GS].base = canonical(index, value)?,
        number::KERNEL_GS_BASE => cpu.msr.kernel_gs_base = canonical(index, value)?,
        number::TSC_AUX if value >> 32 != 0 => return Err(reserved("IA32_TSC_AUX")),
        number::TSC_AUX => cpu.msr.tsc_aux = value,
        x2apic::FIRST_MSR..=x2apic::LAST_MSR => {
            let (id, now_ns) = (cpu.id, bus.clock_ns);
            cpu.lapic.write_msr(id, index, value, now_ns, &mut bus.out).map_err(|why| refused(index, why))?;
        }
        _ if cpu.msr.mtrrs.read(index).is_some() => {
            cpu.msr.mtrrs.write(index, value).map_err(|why| refused(index, why))?;
        }
        _ => return Err(no_such(index)),
    }
    Ok(())
}

/// The time-stamp counter gets another value. What is added to it counts in IA32_TSC_ADJUST too, and moves an armed deadline
/// (SDM 3B, "IA32_TSC_ADJUST Register").
fn set_tsc_offset(cpu: &mut Cpu, bus: &mut Bus, offset: u64) {
    let moved = offset.wrapping_sub(cpu.msr.tsc_offset);
    cpu.msr.tsc_adjust = cpu.msr.tsc_adjust.wrapping_add(moved);
    cpu.msr.tsc_offset = offset;
    cpu.lapic.tsc_changed(offset, bus.clock_ns, &mut bus.out);
}

#[cold]
fn read_only(name: &str) -> Trap {
    Fault::gp(0, format!("{name} cannot be written")).into()
}

#[cold]
fn no_such(index: u32) -> Trap {
    Fault::gp(0, format!("there is no MSR {index:x}h")).into()
}

#[cold]
fn refused(index: u32, why: &str) -> Trap {
    Fault::gp(0, format!("MSR {index:x}h: {why}")).into()
}

#[cold]
fn reserved(name: &str) -> Trap {
    Fault::gp(0, format!("a reserved bit of {name} was written")).into()
}

fn canonical(index: u32, value: u64) -> Exec<u64> {
    if walk::is_canonical_to_the_processor(value) {
        return Ok(value);
    }
    Err(Fault::gp(0, format!("MSR {index:x}h cannot hold {}: it is not canonical", LinearAddr(value))).into())
}

/// The processor has NX and shows it: it was not built without, and IA32_MISC_ENABLE does not hide it.
pub fn has_nx(cpu: &Cpu) -> bool {
    !cpu.quirks.no_nx && cpu.msr.misc_enable & MISC_XD_DISABLE == 0
}

/// LMA is the processor's: what is written to it is ignored, or refused where the processor is of that kind.
fn write_efer(cpu: &mut Cpu, bus: &mut Bus, value: u64) -> Exec<()> {
    let has_xd = has_nx(cpu);
    let known = efer::SCE | efer::LME | efer::LMA | if has_xd { efer::NXE } else { 0 };
    if value & !known != 0 {
        let why = match value & !known {
            efer::NXE if cpu.quirks.no_nx => "NXE, which this processor does not have,",
            efer::NXE => "NXE, which IA32_MISC_ENABLE hides,",
            _ => "a reserved bit",
        };
        return Err(Fault::gp(0, format!("WRMSR sets {why} of EFER")).into());
    }
    let old = cpu.efer;
    if (old ^ value) & efer::LME != 0 && cpu.cr0 & cr0::PG != 0 {
        return Err(Fault::gp(0, "EFER.LME cannot be changed while CR0.PG = 1").into());
    }
    if cpu.quirks.efer_lma_gp && value & !old & efer::LMA != 0 {
        return Err(Fault::gp(0, "WRMSR sets LMA of EFER, which this processor does not ignore").into());
    }
    cpu.efer = value & !efer::LMA | old & efer::LMA;
    log(cpu, bus, ControlRegister::Efer, old, cpu.efer);
    Ok(())
}

/// Which mode can follow which is the APIC's to say. BSP cannot be changed.
fn write_apic_base(cpu: &mut Cpu, bus: &mut Bus, value: u64) -> Exec<()> {
    let page = value & !0xfff;
    if page >> walk::MAXPHYADDR != 0 || value & 0xfff & !(lapic::BASE_BSP | lapic::BASE_EXTD | lapic::BASE_ENABLE) != 0
    {
        return Err(reserved("IA32_APIC_BASE"));
    }
    if cpu.quirks.no_x2apic && value & lapic::BASE_EXTD != 0 {
        return Err(Fault::gp(0, "WRMSR sets EXTD of IA32_APIC_BASE, and this processor has no x2APIC mode").into());
    }
    let old = cpu.lapic.base;
    let new = value & !lapic::BASE_BSP | old & lapic::BASE_BSP;
    cpu.lapic.set_base(new).map_err(|why| Trap::from(Fault::gp(0, why)))?;
    // Its pins may be the processor's own now, or no longer.
    bus.out.lines_changed = true;
    log(cpu, bus, ControlRegister::ApicBase, old, new);
    Ok(())
}

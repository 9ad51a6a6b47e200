//! Instructions that belong to no family: HLT, PAUSE, caches, time-stamp counter, segment bases.

use super::control_reg::need_ring_0;
use super::operand::{gpr, offset, segment_of, set_gpr, write_dst};
use crate::bus::Bus;
use crate::cpu::flags::{CF, STATUS};
use crate::cpu::gpr::{RAX, RCX, RDX};
use crate::cpu::segment::{FS, GS};
use crate::cpu::{Cpu, cr4};
use crate::decode::{Insn, Op};
use crate::fault::{Exec, Fault};
use crate::mmu::{self, walk};
use protocol::Activity;

/// What PAUSE adds to the 10 ns of a step: it takes 1 us, so that spinning does not make time stand still.
const PAUSE_EXTRA_NS: u64 = 990;

/// HLT: waits for an interrupt.
pub fn hlt(cpu: &mut Cpu) -> Exec<()> {
    need_ring_0(cpu, "HLT")?;
    cpu.activity = Activity::Halted;
    Ok(())
}

/// PAUSE.
pub fn pause(bus: &mut Bus) {
    bus.extra_ns = PAUSE_EXTRA_NS;
}

/// WBINVD, INVD: memory has no caches here.
pub fn flush_caches(cpu: &Cpu) -> Exec<()> {
    need_ring_0(cpu, "WBINVD or INVD")
}

/// CLFLUSH: only the checks of a byte's read.
pub fn clflush(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let offset = offset(cpu, insn);
    mmu::read_u8(cpu, bus, segment_of(insn), offset).map(drop)
}

/// RDTSC, RDTSCP: EDX:EAX = the machine's clock in nanoseconds + this CPU's offset; ECX = IA32_TSC_AUX.
pub fn rdtsc(cpu: &mut Cpu, bus: &Bus, op: Op) -> Exec<()> {
    if cpu.cr4 & cr4::TSD != 0 && cpu.cpl() != 0 {
        return Err(Fault::gp(0, "rdtsc needs ring 0 while CR4.TSD is set").into());
    }
    let now = bus.clock_ns.wrapping_add(cpu.msr.tsc_offset);
    set_gpr(cpu, RAX, 4, now);
    set_gpr(cpu, RDX, 4, now >> 32);
    if op == Op::Rdtscp {
        set_gpr(cpu, RCX, 4, cpu.msr.tsc_aux);
    }
    Ok(())
}

/// RDPMC: CPUID tells no performance counters, so that none of them exists.
pub fn rdpmc(cpu: &Cpu) -> Exec<()> {
    if cpu.cr4 & cr4::PCE == 0 && cpu.cpl() != 0 {
        return Err(Fault::gp(0, "RDPMC needs ring 0 while CR4.PCE is clear").into());
    }
    Err(Fault::gp(0, "there are no performance counters").into())
}

/// MONITOR: the checks of a byte's read at DS:rAX. Which line is watched is not kept, see [`mwait`].
pub fn monitor(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    check_mwait(cpu)?;
    let offset = gpr(cpu, RAX, insn.addr_size);
    mmu::read_u8(cpu, bus, segment_of(insn), offset).map(drop)
}

/// MWAIT: goes on after a microsecond, as a PAUSE does. Software must bear with that: a processor may wake for reasons
/// of its own (docs/QUIRKS.md, "Time").
pub fn mwait(cpu: &mut Cpu, bus: &mut Bus) -> Exec<()> {
    check_mwait(cpu)?;
    pause(bus);
    Ok(())
}

fn check_mwait(cpu: &Cpu) -> Exec<()> {
    if cpu.cpl() != 0 {
        return Err(Fault::ud("MONITOR and MWAIT need ring 0").into());
    }
    if cpu.gpr[RCX] & 0xffff_ffff != 0 {
        return Err(Fault::gp(0, "MONITOR and MWAIT have no extensions: ECX must be 0").into());
    }
    Ok(())
}

/// RDPKRU, WRPKRU: EAX from or to PKRU. ECX must be 0; EDX becomes, or must be, 0.
pub fn pkru(cpu: &mut Cpu, op: Op) -> Exec<()> {
    if cpu.cr4 & cr4::PKE == 0 {
        return Err(Fault::ud("RDPKRU and WRPKRU need CR4.PKE").into());
    }
    let low = |register: usize| cpu.gpr[register] as u32;
    if low(RCX) != 0 || op == Op::Wrpkru && low(RDX) != 0 {
        return Err(Fault::gp(0, "RDPKRU and WRPKRU need ECX = 0, and WRPKRU EDX = 0").into());
    }
    if op == Op::Wrpkru {
        cpu.pkru = low(RAX);
        cpu.update_keys();
    } else {
        set_gpr(cpu, RAX, 4, cpu.pkru.into());
        set_gpr(cpu, RDX, 4, 0);
    }
    Ok(())
}

/// RDRAND, RDSEED: the CPU's own generator, which is never exhausted; CF = 1, the other status flags 0.
pub fn random(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let drawn = cpu.random.draw();
    write_dst(cpu, bus, insn, drawn)?;
    cpu.rflags = cpu.rflags & !STATUS | CF;
    Ok(())
}

/// SWAPGS: exchanges the GS base with IA32_KERNEL_GS_BASE.
pub fn swapgs(cpu: &mut Cpu) -> Exec<()> {
    need_ring_0(cpu, "SWAPGS")?;
    std::mem::swap(&mut cpu.segments[GS].base, &mut cpu.msr.kernel_gs_base);
    Ok(())
}

/// RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE.
pub fn segment_base(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    if cpu.cr4 & cr4::FSGSBASE == 0 {
        return Err(Fault::ud("the FS and GS base instructions need CR4.FSGSBASE").into());
    }
    let seg = if matches!(insn.op, Op::Rdfsbase | Op::Wrfsbase) { FS } else { GS };
    if matches!(insn.op, Op::Rdfsbase | Op::Rdgsbase) {
        return write_dst(cpu, bus, insn, cpu.segments[seg].base);
    }
    let base = gpr(cpu, usize::from(insn.dst.reg), insn.size);
    if !walk::is_canonical_to_the_processor(base) {
        return Err(Fault::gp(0, "the segment base is not canonical").into());
    }
    cpu.segments[seg].base = base;
    Ok(())
}

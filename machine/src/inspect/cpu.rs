//! One CPU as a debugger sees it.

use crate::cpu::segment::Segment;
use crate::cpu::{Cpu, Msrs};
use crate::machine::Machine;
use protocol::CpuState;
use protocol::cpu::{SegmentReg, TableReg};

/// Everything about a CPU of this machine. Never `Held`: that is the timeline's to know.
pub fn state_of(machine: &Machine, cpu: &Cpu) -> CpuState {
    let clock_ns = machine.clock_ns();
    let [es, cs, ss, ds, fs, gs] = cpu.segments.map(segment_reg);
    let table = |table: crate::cpu::segment::TableRegister| TableReg { base: table.base, limit: table.limit };
    CpuState {
        cpu: cpu.id,
        apic_id: cpu.lapic.id(),
        activity: cpu.activity,
        mode: cpu.mode(),
        due: crate::exception::due(cpu),
        steps: cpu.steps,
        gpr: cpu.gpr,
        ip: cpu.rip,
        rflags: cpu.rflags,
        segments: [es, cs, ss, ds, fs, gs, segment_reg(cpu.ldtr), segment_reg(cpu.tr)],
        gdtr: table(cpu.gdtr),
        idtr: table(cpu.idtr),
        cr0: cpu.cr0,
        cr2: cpu.cr2,
        cr3: cpu.cr3,
        cr4: cpu.cr4,
        cr8: cpu.lapic.cr8(),
        efer: cpu.efer,
        apic_base: cpu.lapic.base,
        kernel_gs_base: cpu.msr.kernel_gs_base,
        dr: cpu.dr,
        xmm: cpu.xmm,
        mxcsr: cpu.mxcsr,
        lapic: cpu.lapic.snapshot(clock_ns),
        msrs: msrs(&cpu.msr),
    }
}

fn segment_reg(segment: Segment) -> SegmentReg {
    let Segment { selector, attributes, limit, base } = segment;
    SegmentReg { selector, base, limit, attributes }
}

/// By number, ascending (SDM 4, "Architectural MSRs"). Not the TSC: a CPU that waits must not look as if it changed with each
/// step of another one.
fn msrs(msrs: &Msrs) -> Vec<(u32, u64)> {
    vec![
        (0x3b, msrs.tsc_adjust),
        (0x17a, msrs.mcg_status),
        (0x174, msrs.sysenter_cs),
        (0x175, msrs.sysenter_esp),
        (0x176, msrs.sysenter_eip),
        (0x1a0, msrs.misc_enable),
        (0x277, msrs.pat),
        (0xc000_0081, msrs.star),
        (0xc000_0082, msrs.lstar),
        (0xc000_0083, msrs.cstar),
        (0xc000_0084, msrs.sfmask),
        (0xc000_0103, msrs.tsc_aux),
    ]
}

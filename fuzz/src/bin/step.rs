//! Steps of a CPU in an arbitrary state, with arbitrary memory: it may fault, shut down or stop, but never panic; and a row
//! of steps is the same as single steps.
#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use machine::bus::Bus;
use machine::cpu::segment::{Segment, TableRegister};
use machine::cpu::{Cpu, cr0, efer, flags};
use machine::machine::run::Nobody;
use machine::machine::{Limits, Machine, Ran, Stop};
use machine::schedule::Schedule;
use protocol::{Activity, CpuId};

/// RAM, in bytes.
const MEMORY: u64 = 256 << 10;
/// Steps of a run.
const STEPS: u64 = 200;

/// What is put into the CPU, before what must be so is made so.
#[derive(Arbitrary, Debug)]
struct State {
    gpr: [u64; 16],
    rip: u16,
    rflags: u32,
    segments: [(u16, u32, u32, u64); 6],
    ldtr: (u16, u32, u32, u64),
    tr: (u16, u32, u32, u64),
    gdtr: (u32, u16),
    idtr: (u32, u16),
    cr0: u32,
    cr3: u16,
    cr4: u32,
    lme: bool,
    nxe: bool,
    sce: bool,
    dr: [u64; 4],
    dr7: u32,
    xmm: [u128; 4],
    mxcsr: u16,
}

fn segment((selector, attributes, limit, base): (u16, u32, u32, u64)) -> Segment {
    // Near enough to RAM that something is there.
    Segment { selector, attributes: attributes & 0x1_f0ff, limit, base: base & 0xffff_ffff_0003_ffff }
}

fn build(data: &[u8]) -> arbitrary::Result<Machine> {
    let mut input = Unstructured::new(data);
    let state = State::arbitrary(&mut input)?;
    let mut cpu = Cpu::power_on(CpuId(0), 0, true);
    cpu.activity = Activity::Running;
    cpu.gpr = state.gpr;
    cpu.rip = u64::from(state.rip);
    cpu.rflags = u64::from(state.rflags) & 0x3f_7fd5 | flags::RESERVED_ONE;
    cpu.segments = state.segments.map(segment);
    (cpu.ldtr, cpu.tr) = (segment(state.ldtr), segment(state.tr));
    cpu.gdtr = TableRegister { base: u64::from(state.gdtr.0 & 0x3_ffff), limit: state.gdtr.1 };
    cpu.idtr = TableRegister { base: u64::from(state.idtr.0 & 0x3_ffff), limit: state.idtr.1 };
    cpu.cr0 = u64::from(state.cr0) & 0xe005_003f | cr0::ET;
    cpu.cr3 = u64::from(state.cr3) << 12 & 0x3_f000;
    cpu.cr4 = u64::from(state.cr4) & 0x37_1fff;
    // What no processor lets come about.
    if cpu.cr0 & cr0::PG != 0 {
        cpu.cr0 |= cr0::PE;
    }
    if cpu.cr0 & cr0::PE == 0 {
        cpu.rflags &= !flags::VM;
    }
    let bit = |on: bool, bit: u64| if on { bit } else { 0 };
    cpu.efer = bit(state.lme, efer::LME) | bit(state.nxe, efer::NXE) | bit(state.sce, efer::SCE);
    if state.lme && cpu.cr0 & cr0::PG != 0 {
        cpu.efer |= efer::LMA;
        cpu.cr4 |= machine::cpu::cr4::PAE;
        cpu.rflags &= !flags::VM;
    }
    cpu.dr[..4].copy_from_slice(&state.dr);
    cpu.dr[5] = u64::from(state.dr7) & 0xffff_2bff | 0x400;
    cpu.xmm[..4].copy_from_slice(&state.xmm);
    cpu.mxcsr = u32::from(state.mxcsr) & 0xffbf;
    cpu.update_mode();
    if cpu.mode() != protocol::Mode::Long {
        for segment in &mut cpu.segments {
            segment.base &= 0xffff_ffff;
        }
    }
    let mut bus = Bus::new(MEMORY);
    // The rest of the bytes again and again, so that wherever the CPU looks there is something.
    let rest = input.take_rest();
    if !rest.is_empty() {
        let bytes: Vec<u8> = rest.iter().copied().cycle().take(MEMORY as usize).collect();
        bus.ram.write_slice(0, &bytes);
    }
    Ok(Machine::new(vec![cpu], bus, Schedule::new(64, None)))
}

fuzz_target!(|data: &[u8]| {
    let Ok(mut row) = build(data) else { return };
    let mut single = row.clone();
    let ran = row.run(Limits::to(STEPS), &mut Nobody);
    let end = row.position().0;
    while single.position().0 < end {
        let before = single.position();
        match single.run(Limits::to(before.0 + 1), &mut Nobody) {
            Ran::Limit => assert_eq!(single.position().0, before.0 + 1),
            Ran::Stopped(_) => break,
            other => panic!("{other:?} without an observer"),
        }
    }
    if !matches!(ran, Ran::Stopped(Stop::Unsupported { .. })) {
        assert!(machine::hash::of(&row) == machine::hash::of(&single), "a row of {end} steps is not {end} single steps");
    }
});

//! Each rule that refuses a write, and what a write that is accepted does.

use super::*;
use crate::execute::msr;
use crate::testing::*;

const GP0: (u8, Option<u32>) = (13, Some(0));

/// A write that must raise #GP(0), with a cause that names `why`, and change nothing.
fn refused(cpu: &mut Cpu, bus: &mut Bus, n: u8, value: u64, why: &str) {
    let before = visible(cpu);
    let fault = fault(write(cpu, bus, n, value));
    assert_eq!((fault.vector, fault.error), GP0, "CR{n} = {value:x}");
    assert!(fault.cause.contains(why), "{}", fault.cause);
    assert_eq!(visible(cpu), before);
    assert!(bus.out.events.is_empty());
}

/// Protected mode with everything ready for CR0.PG.
fn ready_for_paging() -> (Cpu, Bus) {
    let (mut cpu, bus) = long();
    cpu.segments[segment::CS].attributes = CODE32;
    cpu.cr0 &= !cr0::PG;
    cpu.efer &= !efer::LMA;
    cpu.cr4 = cr4::PAE;
    cpu.update_mode();
    (cpu, bus)
}

fn compat() -> (Cpu, Bus) {
    let (mut cpu, bus) = long();
    cpu.segments[segment::CS].attributes = CODE32;
    cpu.update_mode();
    (cpu, bus)
}

/// Goal: CR0's own rules; method: one value for each.
#[test]
fn cr0_combinations() {
    let (mut cpu, mut bus) = real();
    let value = cpu.cr0 | cr0::PG;
    refused(&mut cpu, &mut bus, 0, value, "CR0.PE");
    refused(&mut cpu, &mut bus, 0, cr0::NW, "CR0.CD");
    let (mut cpu, mut bus) = long();
    let value = cpu.cr0 | 1 << 32;
    refused(&mut cpu, &mut bus, 0, value, "63:32");
    let without_et = cpu.cr0 & !cr0::ET;
    write(&mut cpu, &mut bus, 0, without_et).unwrap();
    assert_ne!(cpu.cr0 & cr0::ET, 0, "ET is always 1");
}

/// Goal: what turning paging on needs; method: each condition of IA-32e mode missing in turn.
#[test]
fn paging_on() {
    let (mut cpu, mut bus) = ready_for_paging();
    let on = cpu.cr0 | cr0::PG;
    cpu.cr4 = 0;
    refused(&mut cpu, &mut bus, 0, on, "CR4.PAE");
    cpu.cr4 = cr4::PAE;
    cpu.segments[segment::CS].attributes = CODE64;
    refused(&mut cpu, &mut bus, 0, on, "CS.L");
    cpu.segments[segment::CS].attributes = CODE32;
    cpu.tr.attributes = 0x83;
    refused(&mut cpu, &mut bus, 0, on, "16-bit TSS");
    cpu.tr.attributes = 0x8b;
    write(&mut cpu, &mut bus, 0, on).unwrap();
    assert_eq!((cpu.mode(), cpu.efer & efer::LMA), (Mode::Compat, efer::LMA));
    let registers: Vec<_> = bus
        .out
        .events
        .iter()
        .map(|(_, kind)| match kind {
            EventKind::Cr { register, old, new } => (*register, old ^ new),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(registers, [(ControlRegister::Cr0, cr0::PG), (ControlRegister::Efer, efer::LMA)]);
}

/// Goal: paging ends in compatibility mode only, and not with PCIDE; method: the three cases.
#[test]
fn paging_off() {
    let (mut cpu, mut bus) = long();
    let off = cpu.cr0 & !cr0::PG;
    refused(&mut cpu, &mut bus, 0, off, "64-bit mode");
    let (mut cpu, mut bus) = compat();
    cpu.cr4 |= cr4::PCIDE;
    refused(&mut cpu, &mut bus, 0, off, "PCIDE");
    cpu.cr4 &= !cr4::PCIDE;
    write(&mut cpu, &mut bus, 0, off).unwrap();
    assert_eq!((cpu.mode(), cpu.efer & efer::LMA, cpu.efer & efer::LME), (Mode::Protected32, 0, efer::LME));
}

/// Goal: CR4's rules; method: one value for each.
#[test]
fn cr4_rules() {
    let (mut cpu, mut bus) = compat();
    let now = cpu.cr4;
    refused(&mut cpu, &mut bus, 4, now & !cr4::PAE, "PAE");
    refused(&mut cpu, &mut bus, 4, now | cr4::LA57, "LA57");
    refused(&mut cpu, &mut bus, 4, now | 1 << 31, "reserved");
    cpu.cr3 |= 0x18;
    refused(&mut cpu, &mut bus, 4, now | cr4::PCIDE, "11:0");
    cpu.cr3 = ROOT;
    write(&mut cpu, &mut bus, 4, now | cr4::PCIDE).unwrap();
    let (mut cpu, mut bus) = ready_for_paging();
    refused(&mut cpu, &mut bus, 4, cr4::PAE | cr4::PCIDE, "long mode");
    write(&mut cpu, &mut bus, 4, cr4::PAE | cr4::LA57).unwrap();
}

/// Goal: MOV to a control register is 32 bits wide outside 64-bit mode; method: CR3 with bits above.
#[test]
fn operands_are_32_bits_wide_outside_64_bit_mode() {
    let (mut cpu, mut bus) = compat();
    write(&mut cpu, &mut bus, 3, 0xffff_ffff_0012_3000).unwrap();
    assert_eq!(cpu.cr3, 0x12_3000);
    let (mut cpu, mut bus) = long();
    refused(&mut cpu, &mut bus, 3, 1 << 45, "physical-address width");
}

/// Goal: PAE paging takes its PDPTEs at MOV CR3, and refuses malformed ones; method: change the table afterwards.
#[test]
fn pdpte_registers() {
    let (mut cpu, mut bus) = ready_for_paging();
    cpu.efer = 0;
    cpu.cr3 = 0x5000;
    put(&mut bus, 0x5000, 0x6001);
    put(&mut bus, 0x6000, 0x87);
    let on = cpu.cr0 | cr0::PG;
    put(&mut bus, 0x5018, 0x7003);
    refused(&mut cpu, &mut bus, 0, on, "entry 3");
    put(&mut bus, 0x5018, 0);
    write(&mut cpu, &mut bus, 0, on).unwrap();
    put(&mut bus, 0x5000, 0);
    cpu.tlb.flush_all();
    assert_eq!(mmu::fetch_page(&mut cpu, &mut bus, 0x7c00).unwrap(), 0x7000, "the register, not memory");
    bus.out.events.clear();
    put(&mut bus, 0x8000, 0x7003);
    refused(&mut cpu, &mut bus, 3, 0x8000, "entry 0");
    write(&mut cpu, &mut bus, 3, 0x5000).unwrap();
    assert_eq!(code(mmu::fetch_page(&mut cpu, &mut bus, 0x7c00)).0, 14);
}

/// Goal: EFER's rules; method: LME with paging on, unknown bits, NXE hidden, LMA written.
#[test]
fn efer_rules() {
    let (mut cpu, mut bus) = long();
    let now = cpu.efer;
    let set = |cpu: &mut Cpu, bus: &mut Bus, value: u64| msr::write(cpu, bus, msr::number::EFER, value);
    assert_eq!(code(set(&mut cpu, &mut bus, now & !efer::LME)), GP0);
    assert_eq!(code(set(&mut cpu, &mut bus, now | 1 << 14)), GP0);
    set(&mut cpu, &mut bus, now & !efer::LMA).unwrap();
    assert_eq!(cpu.efer, now, "LMA is the processor's");
    cpu.quirks.efer_lma_gp = true;
    set(&mut cpu, &mut bus, now).expect("it is set already");
    cpu.efer &= !efer::LMA;
    assert_eq!(code(set(&mut cpu, &mut bus, now)), GP0, "this one does not ignore it");
    cpu.quirks.efer_lma_gp = false;
    set(&mut cpu, &mut bus, now).expect("the usual one does");
    cpu.efer = now;
    let hide = cpu.msr.misc_enable | msr::MISC_XD_DISABLE;
    msr::write(&mut cpu, &mut bus, msr::number::MISC_ENABLE, hide).unwrap();
    assert_eq!(code(set(&mut cpu, &mut bus, now)), GP0, "no NXE while it is hidden");
}

/// Goal: MSRs keep their rules; method: non-canonical bases, bad memory types, numbers that do not exist, ring 3.
#[test]
fn msr_rules() {
    use crate::cpu::gpr;
    let (mut cpu, mut bus) = long();
    for index in [msr::number::FS_BASE, msr::number::LSTAR, msr::number::KERNEL_GS_BASE] {
        assert_eq!(code(msr::write(&mut cpu, &mut bus, index, 1 << 56)), GP0);
        msr::write(&mut cpu, &mut bus, index, 0xffff_8000_0000_0000).unwrap();
        assert_eq!(msr::peek(&cpu, 0, index), Some(0xffff_8000_0000_0000));
    }
    assert_eq!(code(msr::write(&mut cpu, &mut bus, msr::number::PAT, 2)), GP0);
    assert_eq!(code(msr::write(&mut cpu, &mut bus, msr::number::APIC_BASE, 0xfee0_0a00)), GP0, "bit 9 is reserved");
    bus.clock_ns = 5000;
    msr::write(&mut cpu, &mut bus, msr::number::TSC, 7).unwrap();
    assert_eq!(msr::peek(&cpu, 5010, msr::number::TSC), Some(17));
    cpu.gpr[gpr::RCX] = 0x210;
    assert_eq!(code(msr::rdmsr(&mut cpu, &mut bus)), GP0, "eight variable MTRRs");
    assert_eq!(code(msr::write(&mut cpu, &mut bus, 0x2ff, 0x803)), GP0, "no such memory type");
    msr::write(&mut cpu, &mut bus, 0x2ff, 0x806).unwrap();
    assert_eq!(msr::peek(&cpu, 0, 0x2ff), Some(0x806));
    msr::write(&mut cpu, &mut bus, msr::number::BIOS_SIGN_ID, 1).unwrap();
    assert_eq!(msr::peek(&cpu, 0, msr::number::BIOS_SIGN_ID), Some(0), "no microcode update is loaded");
    assert_eq!(code(msr::write(&mut cpu, &mut bus, msr::number::PLATFORM_ID, 0)), GP0, "read only");
    for index in msr::ALL {
        cpu.gpr[gpr::RCX] = u64::from(index) | 0xffff_ffff_0000_0000;
        msr::rdmsr(&mut cpu, &mut bus).unwrap();
        assert_eq!(cpu.gpr[gpr::RDX] << 32 | cpu.gpr[gpr::RAX], msr::peek(&cpu, 5000, index).unwrap());
    }
    cpu.segments[segment::SS].attributes |= RING3;
    assert_eq!(code(msr::wrmsr(&mut cpu, &mut bus)), GP0);
    assert_eq!(code(read(&cpu, &mut bus, 0)), GP0);
}

/// Goal: LMSW sets PE and cannot clear it; method: both.
#[test]
fn lmsw_is_one_way() {
    let (mut cpu, mut bus) = real();
    lmsw(&mut cpu, &mut bus, 0xffff).unwrap();
    assert_eq!(cpu.cr0 & 0x3f, 0x1f, "PE, MP, EM, TS and ET; NE is not LMSW's");
    assert_eq!(cpu.mode(), Mode::Protected16);
    lmsw(&mut cpu, &mut bus, 0).unwrap();
    assert_eq!((cpu.cr0 & 0xf, cpu.mode()), (1, Mode::Protected16));
}

/// Goal: CR8 is the APIC's task priority; method: write, read, too large.
#[test]
fn cr8() {
    let (mut cpu, mut bus) = long();
    write(&mut cpu, &mut bus, 8, 9).unwrap();
    assert_eq!((read(&cpu, &mut bus, 8).unwrap(), cpu.lapic.snapshot(0).tpr), (9, 0x90));
    bus.out.events.clear();
    refused(&mut cpu, &mut bus, 8, 0x10, "four bits");
}

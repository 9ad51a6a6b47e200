//! The way through the modes and back, and the checks of what CS and other segment registers are loaded with.

use super::*;
use crate::cpu::cr0;
use crate::cpu::segment::{CS, DS, ES, SS};
use crate::execute::{control_reg, descriptor_table, msr, segment_load};
use crate::mmu;
use crate::testing::*;

/// Goal: real -> protected 16 -> 32 -> compatibility -> 64-bit mode and all the way back, with the hidden parts as they
/// go along; method: the instructions that Linux uses, one by one.
#[test]
fn every_mode_and_back() {
    let (_, with_tables) = long();
    let (mut cpu, _) = real();
    let (cpu, bus) = (&mut cpu, &mut with_tables.clone());
    cpu.segments[CS] = segment_load::real_mode_segment(&cpu.segments[CS], 0x9a00);
    bus.ram.write(0x600, [0x57u8, 0]);
    bus.ram.write(0x602, (GDT as u32).to_le_bytes());
    descriptor_table::lgdt(cpu, bus, DS, 0x600, 4).unwrap();
    assert_eq!((cpu.gdtr.base, cpu.gdtr.limit), (GDT, 0x57));

    let with = |cpu: &Cpu, bits: u64| cpu.cr0 | bits;
    let value = with(cpu, cr0::PE);
    control_reg::write(cpu, bus, 0, value).unwrap();
    let cs = cpu.segments[CS];
    assert_eq!((cpu.mode(), cs.base, cs.limit, cs.is_big()), (Mode::Protected16, 0x9_a000, 0xffff, false));

    jump(cpu, bus, 0x08, 0x7c00, 4).unwrap();
    assert_eq!((cpu.mode(), cpu.linear_pc(), cpu.segments[CS].limit), (Mode::Protected32, 0x7c00, u32::MAX));
    segment_load::load(cpu, bus, SS, 0x10).unwrap();
    control_reg::write(cpu, bus, 4, cr4::PAE).unwrap();
    control_reg::write(cpu, bus, 3, ROOT).unwrap();
    msr::write(cpu, bus, msr::number::EFER, efer::LME | efer::NXE).unwrap();
    assert_eq!((cpu.mode(), cpu.efer & efer::LMA), (Mode::Protected32, 0));
    let value = with(cpu, cr0::PG);
    control_reg::write(cpu, bus, 0, value).unwrap();
    assert_eq!((cpu.mode(), cpu.efer & efer::LMA), (Mode::Compat, efer::LMA));
    let before = (cpu.cr3, cpu.efer);
    jump(cpu, bus, 0x18, 0x7000, 4).unwrap();
    assert_eq!((cpu.mode(), cpu.rip, cpu.segments[CS].is_big()), (Mode::Long, 0x7000, false));
    assert_eq!((cpu.cr3, cpu.efer), before, "the far jump changes nothing but CS");

    jump(cpu, bus, 0x08, 0x7100, 4).unwrap();
    assert_eq!((cpu.mode(), cpu.rip), (Mode::Compat, 0x7100));
    let value = cpu.cr0 & !cr0::PG;
    control_reg::write(cpu, bus, 0, value).unwrap();
    assert_eq!((cpu.mode(), cpu.efer & efer::LMA), (Mode::Protected32, 0));
    msr::write(cpu, bus, msr::number::EFER, 0).unwrap();
    for seg in [DS, ES, SS] {
        segment_load::load(cpu, bus, seg, 0x28).unwrap();
    }
    jump(cpu, bus, 0x20, 0x7200, 2).unwrap();
    assert_eq!((cpu.mode(), cpu.segments[CS].limit), (Mode::Protected16, 0xffff));
    let value = cpu.cr0 & !cr0::PE;
    control_reg::write(cpu, bus, 0, value).unwrap();
    assert_eq!((cpu.mode(), cpu.segments[CS].selector, cpu.rip), (Mode::Real, 0x20, 0x7200));
    jump(cpu, bus, 0x7a0, 0x10, 2).unwrap();
    assert_eq!((cpu.segments[CS].base, cpu.linear_pc(), cpu.segments[DS].limit), (0x7a00, 0x7a10, 0xffff));
    let jumps = bus.out.events.iter().filter(|(_, kind)| matches!(kind, EventKind::FarTransfer { .. })).count();
    assert_eq!(jumps, 5);
}

/// Goal: the descriptor cache counts, not the table; method: change the GDT under a loaded segment.
#[test]
fn descriptor_cache() {
    let (mut cpu, mut bus) = protected();
    segment_load::load(&mut cpu, &mut bus, DS, 0x10).unwrap();
    put(&mut bus, GDT + 0x10, descriptor(0x10_0000, 0xf_ffff, DATA32));
    mmu::write_u32(&mut cpu, &mut bus, DS, 0x600, 5).unwrap();
    assert_eq!((word(&bus, 0x600), word(&bus, 0x10_0600)), (5, 0));
    segment_load::load(&mut cpu, &mut bus, DS, 0x10).unwrap();
    mmu::write_u32(&mut cpu, &mut bus, DS, 0x600, 6).unwrap();
    assert_eq!((word(&bus, 0x600), word(&bus, 0x10_0600)), (5, 6));
}

/// Goal: loading a segment sets its accessed bit, and faults where the GDT cannot be written; method: both.
#[test]
fn accessed_bit() {
    let (mut cpu, mut bus) = long();
    let clear = descriptor(0, 0xf_ffff, DATA32 & !attr::ACCESSED);
    put(&mut bus, GDT + 0x10, clear);
    segment_load::load(&mut cpu, &mut bus, DS, 0x10).unwrap();
    assert_eq!(word(&bus, GDT + 0x10), clear | 1 << 40);
    put(&mut bus, GDT + 0x10, clear);
    map(&mut bus, GDT, GDT, walk::pte::P, 1);
    cpu.tlb.flush_all();
    let before = cpu.segments;
    let refused = fault(segment_load::load(&mut cpu, &mut bus, DS, 0x10));
    assert_eq!((refused.vector, refused.error, refused.cr2), (14, Some(3), Some(GDT + 0x15)));
    assert_eq!(cpu.segments, before);
}

/// Goal: each check of a segment load has its vector and error code; method: one bad selector for each.
#[test]
fn segment_load_faults() {
    let (mut cpu, mut bus) = protected();
    let load = |cpu: &mut Cpu, bus: &mut Bus, seg, selector| code(segment_load::load(cpu, bus, seg, selector));
    assert_eq!(load(&mut cpu, &mut bus, DS, 0x58), (13, Some(0x58)), "beyond the GDT");
    assert_eq!(load(&mut cpu, &mut bus, DS, 0x4b), (13, Some(0x48)), "a system descriptor");
    assert_eq!(load(&mut cpu, &mut bus, DS, 0x13), (13, Some(0x10)), "RPL 3, DPL 0");
    assert_eq!(load(&mut cpu, &mut bus, SS, 0), (13, Some(0)), "a null SS");
    assert_eq!(load(&mut cpu, &mut bus, SS, 0x08), (13, Some(0x08)), "code in SS");
    assert_eq!(load(&mut cpu, &mut bus, SS, 0x3b), (13, Some(0x38)), "a stack of ring 3");
    put(&mut bus, GDT + 0x10, descriptor(0, 0xf_ffff, DATA32 & !attr::P));
    assert_eq!(load(&mut cpu, &mut bus, DS, 0x10), (11, Some(0x10)));
    assert_eq!(load(&mut cpu, &mut bus, SS, 0x10), (12, Some(0x10)));
    segment_load::load(&mut cpu, &mut bus, DS, 3).unwrap();
    assert!(cpu.segments[DS].is_unusable());
    assert_eq!(code(mmu::read_u8(&mut cpu, &mut bus, DS, 0)), (13, Some(0)));
}

/// Goal: each check of a far jump has its vector and error code, and changes nothing; method: one bad target for each.
#[test]
fn far_jump_faults() {
    let (mut cpu, mut bus) = long();
    let before = visible(&cpu);
    for (selector, offset, expect) in [
        (0, 0, (13, Some(0))),
        (0x58, 0, (13, Some(0x58))),
        (0x10, 0, (13, Some(0x10))),
        (0x43, 0, (13, Some(0x40))),
        (0x20, 0x1_0000, (13, Some(0))),
        (0x18, 1 << 47, (13, Some(0))),
    ] {
        assert_eq!(code(jump(&mut cpu, &mut bus, selector, offset, 8)), expect, "{selector:x}:{offset:x}");
    }
    let empty = fault(jump(&mut cpu, &mut bus, 0x50, 0, 8));
    assert!(empty.cause.contains("all zeros") && empty.error == Some(0x50), "{empty:?}");
    put(&mut bus, GDT + 8, descriptor(0, 0xf_ffff, CODE32 | attr::L));
    assert_eq!(code(jump(&mut cpu, &mut bus, 0x08, 0, 8)), (13, Some(8)), "L and D");
    put(&mut bus, GDT + 8, descriptor(0, 0xf_ffff, CODE32 & !attr::P));
    assert_eq!(code(jump(&mut cpu, &mut bus, 0x08, 0, 8)), (11, Some(8)));
    cpu.tlb = crate::mmu::tlb::Tlb::default();
    assert_eq!(visible(&cpu), before);
}

/// Goal: far call and return are each other's reverse, also to an outer ring; method: 32 bits, then 64 to ring 3.
#[test]
fn call_and_return() {
    let (mut cpu, mut bus) = protected();
    call(&mut cpu, &mut bus, 0x20, 0x100, 4).unwrap();
    assert_eq!((cpu.mode(), cpu.rip, cpu.gpr[gpr::RSP]), (Mode::Protected16, 0x100, 0x6ff8));
    assert_eq!(word(&bus, 0x6ff8), 0x7c00 | 0x08 << 32);
    ret(&mut cpu, &mut bus, 4, 8).unwrap();
    assert_eq!((cpu.mode(), cpu.rip, cpu.gpr[gpr::RSP]), (Mode::Protected32, 0x7c00, 0x7008));

    let (mut cpu, mut bus) = long();
    for (slot, value) in [0x5000, 0x43, 0x4000, 0x3b].into_iter().enumerate() {
        put(&mut bus, 0x7000 + 8 * slot as u64, value);
    }
    ret(&mut cpu, &mut bus, 8, 0).unwrap();
    assert_eq!((cpu.cpl(), cpu.rip, cpu.gpr[gpr::RSP], cpu.segments[SS].selector), (3, 0x5000, 0x4000, 0x3b));
    assert_eq!(code(jump(&mut cpu, &mut bus, 0x18, 0, 8)), (13, Some(0x18)), "ring 3 cannot jump into ring 0");
}

/// Goal: a far call that cannot push changes nothing; method: a stack of one word.
#[test]
fn call_without_stack() {
    let (mut cpu, mut bus) = protected();
    cpu.segments[SS].limit = 0xfff;
    cpu.segments[SS].base = 0x3000;
    cpu.gpr[gpr::RSP] = 4;
    let before = visible(&cpu);
    assert_eq!(code(call(&mut cpu, &mut bus, 0x20, 0x100, 4)), (12, Some(0)));
    assert_eq!((visible(&cpu), word(&bus, 0x3000)), (before, 0));
}

/// Goal: LTR makes the TSS busy and refuses a busy one; LLDT and LAR and LSL look at types; method: selector 48h.
#[test]
fn system_segments() {
    let (mut cpu, mut bus) = long();
    descriptor_table::ltr(&mut cpu, &mut bus, 0x48).unwrap();
    assert_eq!((cpu.tr.selector, cpu.tr.base, cpu.tr.attributes & 0xf), (0x48, 0x9000, 0xb));
    assert_eq!(word(&bus, GDT + 0x48) >> 40 & 0xf, 0xb);
    assert_eq!(code(descriptor_table::ltr(&mut cpu, &mut bus, 0x48)), (13, Some(0x48)));
    assert_eq!(code(descriptor_table::lldt(&mut cpu, &mut bus, 0x10)), (13, Some(0x10)));
    descriptor_table::lldt(&mut cpu, &mut bus, 0).unwrap();
    assert!(cpu.ldtr.is_unusable());
    assert_eq!(code(segment_load::load(&mut cpu, &mut bus, DS, 0x0c)), (13, Some(0x0c)), "no LDT");
    assert_eq!(descriptor_table::lar(&mut cpu, &mut bus, 0x10).unwrap(), Some(0x00c0_9300));
    assert_eq!(descriptor_table::lsl(&mut cpu, &mut bus, 0x48).unwrap(), Some(0x67));
    assert_eq!(descriptor_table::lsl(&mut cpu, &mut bus, 0x58).unwrap(), None);
    assert!(descriptor_table::verw(&mut cpu, &mut bus, 0x10).unwrap());
    assert!(!descriptor_table::verw(&mut cpu, &mut bus, 0x08).unwrap());
    assert!(descriptor_table::verr(&mut cpu, &mut bus, 0x08).unwrap());
    let (mut cpu, mut bus) = real();
    assert_eq!(code(descriptor_table::ltr(&mut cpu, &mut bus, 0x48)).0, 6);
}

/// Goal: bases of LDT and TSS must be canonical to the processor, whatever CR4.LA57 says; method: the upper half of a
/// descriptor.
#[test]
fn system_segment_bases() {
    for (kind, load) in [(0x9u64, descriptor_table::ltr as fn(&mut _, &mut _, _) -> _), (0x2, descriptor_table::lldt)] {
        for (high, expected) in [(0x00ff_ffff, Ok(())), (0xffff_ffff, Ok(())), (0x0100_0000, Err((13, Some(0x48))))] {
            let (mut cpu, mut bus) = long();
            put(&mut bus, GDT + 0x48, 0x80_0000_9000_0067 | kind << 40 | 0x8000u64 << 32);
            put(&mut bus, GDT + 0x50, high);
            let result = load(&mut cpu, &mut bus, 0x48);
            match expected {
                Ok(()) => assert!(result.is_ok(), "{high:x}"),
                Err(fault) => assert_eq!(code(result), fault, "{high:x}"),
            }
        }
    }
}

/// Goal: a return to an outer ring clears the selectors of inner segments and leaves their bases, which FS and GS go on adding
/// in 64-bit mode; method: far return with GS loaded in ring 0, and read through it.
#[test]
fn nullified_segment_keeps_its_base() {
    let (mut cpu, mut bus) = long();
    for (slot, value) in [0x5000, 0x43, 0x4000, 0x3b].into_iter().enumerate() {
        put(&mut bus, 0x7000 + 8 * slot as u64, value);
    }
    segment_load::load(&mut cpu, &mut bus, segment::GS, 0x10).unwrap();
    cpu.segments[segment::GS].base = 0x6_0000;
    put(&mut bus, 0x6_0008, 0x1234);
    ret(&mut cpu, &mut bus, 8, 0).unwrap();
    let gs = cpu.segments[segment::GS];
    assert_eq!((gs.selector, gs.base, gs.is_unusable()), (0, 0x6_0000, true));
    assert_eq!(crate::mmu::read_u64(&mut cpu, &mut bus, segment::GS, 8).unwrap(), 0x1234);
}

/// Goal: LGDT takes 24, 32 or 64 bits of base by operand and mode; method: the same bytes in each.
#[test]
fn lgdt_widths() {
    let image = [0x27u8, 0x00, 0x78, 0x56, 0x34, 0x12, 0x80, 0xff, 0xff, 0xff];
    for (mut machine, op_bytes, base) in
        [(real(), 2, 0x34_5678), (real(), 4, 0x1234_5678), (long(), 8, 0xffff_ff80_1234_5678)]
    {
        let (cpu, bus) = (&mut machine.0, &mut machine.1);
        assert!(bus.ram.write_slice(0x600, &image));
        descriptor_table::lgdt(cpu, bus, DS, 0x600, op_bytes).unwrap();
        assert_eq!((cpu.gdtr.base, cpu.gdtr.limit), (base, 0x27));
        descriptor_table::sgdt(cpu, bus, DS, 0x700, op_bytes).unwrap();
        assert_eq!(word(bus, 0x702) & base, base);
    }
    let (mut cpu, mut bus) = long();
    // Beyond what the processor has, not beyond what CR4.LA57 = 0 can translate.
    put(&mut bus, 0x602, 1 << 50);
    descriptor_table::lidt(&mut cpu, &mut bus, DS, 0x600, 8).unwrap();
    assert_eq!(cpu.idtr.base, 1 << 50);
    put(&mut bus, 0x602, 1 << 57);
    assert_eq!(code(descriptor_table::lidt(&mut cpu, &mut bus, DS, 0x600, 8)), (13, Some(0)));
}

/// Goal: SYSCALL and SYSRET, SYSENTER and SYSEXIT are each other's reverse; method: there and back.
#[test]
fn fast_system_calls() {
    use crate::execute::syscall::*;
    let (mut cpu, mut bus) = long();
    assert_eq!(code(syscall(&mut cpu, &mut bus)).0, 6, "EFER.SCE is clear");
    cpu.efer |= efer::SCE;
    (cpu.msr.star, cpu.msr.lstar, cpu.msr.sfmask) = (0x30_0018 << 32, 0x6000, 0x200);
    cpu.gpr[gpr::RCX] = 0x5000;
    cpu.gpr[11] = 0x202;
    sysret(&mut cpu, &mut bus, 8).unwrap();
    assert_eq!((cpu.cpl(), cpu.rip, cpu.rflags, cpu.segments[CS].selector), (3, 0x5000, 0x202, 0x43));
    cpu.rip = 0x5002;
    syscall(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.cpl(), cpu.rip, cpu.rflags, cpu.gpr[gpr::RCX], cpu.gpr[11]), (0, 0x6000, 2, 0x5002, 0x202));
    assert_eq!((cpu.segments[CS].selector, cpu.segments[SS].selector), (0x18, 0x20));
    cpu.gpr[gpr::RCX] = 1 << 47;
    assert_eq!(code(sysret(&mut cpu, &mut bus, 8)), (13, Some(0)));
    (cpu.msr.sysenter_cs, cpu.msr.sysenter_eip, cpu.msr.sysenter_esp) = (0x18, 0x6100, 0x6f00);
    (cpu.gpr[gpr::RCX], cpu.gpr[gpr::RDX]) = (0x4000, 0x5100);
    sysexit(&mut cpu, &mut bus, 8).unwrap();
    assert_eq!((cpu.cpl(), cpu.mode(), cpu.rip, cpu.gpr[gpr::RSP]), (3, Mode::Long, 0x5100, 0x4000));
    sysenter(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.cpl(), cpu.rip, cpu.gpr[gpr::RSP], cpu.segments[CS].selector), (0, 0x6100, 0x6f00, 0x18));
}

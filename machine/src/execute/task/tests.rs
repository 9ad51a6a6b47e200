//! Task switches of both widths, in all ways and with what they check. GDT: 58h and 68h are TSSs at A000h and B000h, 60h
//! and 70h gates, 78h an LDT, 80h a TSS of 16 bits at C000h.

use super::*;
use crate::cpu::gpr::{RAX, RSP};
use crate::cpu::segment::{DS, ES, FS, SS};
use crate::exception::deliver::{Event, Source, deliver};
use crate::execute::far_xfer::{call, iret, jump};
use crate::testing::*;
use protocol::Mode;

const OLD: u64 = 0xa000;
const NEW: u64 = 0xb000;
const NARROW: u64 = 0xc000;
const OLD_SELECTOR: u16 = 0x58;
const NEW_SELECTOR: u16 = 0x68;

fn poke(bus: &mut Bus, at: u64, bytes: &[u8]) {
    assert!(bus.ram.write_slice(at, bytes));
}

fn put_word(bus: &mut Bus, at: u64, value: u16) {
    assert!(bus.ram.write(at, value.to_le_bytes()));
}

fn put_dword(bus: &mut Bus, at: u64, value: u32) {
    assert!(bus.ram.write(at, value.to_le_bytes()));
}

fn dword(bus: &Bus, at: u64) -> u32 {
    word(bus, at) as u32
}

fn access_byte(bus: &Bus, selector: u16) -> u8 {
    (word(bus, GDT + u64::from(selector & !7)) >> 40) as u8
}

/// A new task: EIP 1234h, ESP 6000h, EAX 99h, flat segments.
fn put_task(bus: &mut Bus, base: u64) {
    for offset in (0..0x68).step_by(4) {
        put_dword(bus, base + offset, 0);
    }
    for (offset, value) in [(0x20, 0x1234), (0x24, 0x202), (0x28, 0x99), (0x38, 0x6000)] {
        put_dword(bus, base + offset, value);
    }
    for (offset, selector) in [(0x48, 0x10), (0x4c, 0x08), (0x50, 0x10), (0x54, 0x10), (0x58, 0), (0x5c, 0)] {
        put_dword(bus, base + offset, selector);
    }
}

fn tasks() -> (Cpu, Bus) {
    let (mut cpu, mut bus) = protected();
    cpu.gdtr.limit = 0x8f;
    let gate = |selector: u64| selector << 16 | 0x85 << 40;
    let entries = [
        (0x58, descriptor(OLD, 0x67, attr::P | system::TSS)),
        (0x60, gate(u64::from(NEW_SELECTOR))),
        (0x68, descriptor(NEW, 0x67, attr::P | system::TSS)),
        (0x70, gate(0x10)),
        (0x78, descriptor(0x7000, 0xff, attr::P | system::LDT)),
        (0x80, descriptor(NARROW, 0x2b, attr::P | system::TSS16)),
        (0x88, 0),
    ];
    for (offset, entry) in entries {
        put(&mut bus, GDT + offset, entry);
    }
    crate::execute::descriptor_table::ltr(&mut cpu, &mut bus, OLD_SELECTOR).unwrap();
    put_task(&mut bus, NEW);
    cpu.dr[DR7] |= 0x3ff;
    (cpu, bus)
}

/// Goal: what JMP, CALL and IRET do to both TSSs, their descriptors and the flags (SDM 3A, table "Effect of a Task Switch
/// on Busy Flag, NT Flag, Previous Task Link Field, and TS Flag"); method: to a task and back, through TSS and gate.
#[test]
fn there_and_back() {
    for (through, nest) in [(NEW_SELECTOR, false), (NEW_SELECTOR, true), (0x60, true), (0x60, false)] {
        let (mut cpu, mut bus) = tasks();
        (cpu.gpr[RAX], cpu.rip, cpu.rflags) = (0x11, 0x5678, 0x2 | flags::CF);
        let go = if nest { call } else { jump };
        go(&mut cpu, &mut bus, through, 0, 4).unwrap();
        assert_eq!((cpu.rip, cpu.gpr[RAX], cpu.gpr[RSP], cpu.tr.selector), (0x1234, 0x99, 0x6000, NEW_SELECTOR));
        assert_eq!(cpu.rflags, 0x202 | if nest { flags::NT } else { 0 });
        assert_ne!(cpu.cr0 & cr0::TS, 0);
        assert_eq!(cpu.dr[DR7] & 0x3ff, 0x2aa);
        assert_eq!((dword(&bus, OLD + 0x20), dword(&bus, OLD + 0x24), dword(&bus, OLD + 0x28)), (0x5678, 3, 0x11));
        assert_eq!((dword(&bus, OLD + 0x4c), dword(&bus, OLD + 0x50)), (8, 0x10));
        assert_eq!(access_byte(&bus, OLD_SELECTOR), if nest { 0x8b } else { 0x89 });
        assert_eq!(access_byte(&bus, NEW_SELECTOR), 0x8b);
        assert_eq!(dword(&bus, NEW) & 0xffff, if nest { u32::from(OLD_SELECTOR) } else { 0 });
        if nest {
            cpu.rip = 0x1235;
            iret(&mut cpu, &mut bus, 4).unwrap();
            assert_eq!((cpu.rip, cpu.gpr[RAX], cpu.tr.selector, cpu.rflags), (0x5678, 0x11, OLD_SELECTOR, 3));
            assert_eq!((access_byte(&bus, OLD_SELECTOR), access_byte(&bus, NEW_SELECTOR)), (0x8b, 0x89));
            assert_eq!((dword(&bus, NEW + 0x20), dword(&bus, NEW + 0x24)), (0x1235, 0x202));
        }
    }
}

/// Goal: 16-bit TSSs; method: from a 32-bit task to one and back.
#[test]
fn narrow() {
    let (mut cpu, mut bus) = tasks();
    for (offset, value) in [(0x0e, 0x300), (0x10, 2), (0x12, 0x77), (0x1a, 0x6000), (0x22, 0x28), (0x24, 0x20)] {
        put_word(&mut bus, NARROW + offset, value);
    }
    put_word(&mut bus, NARROW + 0x26, 0x28);
    put_word(&mut bus, NARROW + 0x28, 0x28);
    cpu.rip = 0x4444;
    call(&mut cpu, &mut bus, 0x80, 0, 4).unwrap();
    assert_eq!((cpu.mode(), cpu.rip, cpu.gpr[RAX], cpu.gpr[RSP]), (Mode::Protected16, 0x300, 0xffff_0077, 0xffff_6000));
    assert!(cpu.segments[FS].is_unusable());
    iret(&mut cpu, &mut bus, 2).unwrap();
    assert_eq!((cpu.mode(), cpu.rip), (Mode::Protected32, 0x4444));
    assert_eq!(word(&bus, NARROW + 0x0e) & 0xffff_ffff_ffff, 0x77_0002_0300);
}

/// Goal: an exception through a task gate: the error code on the new stack, RF saved, NT and the link; method: #GP.
#[test]
fn event() {
    let (mut cpu, mut bus) = tasks();
    cpu.idtr.base = 0x4000;
    cpu.idtr.limit = 0x7ff;
    put(&mut bus, 0x4000 + 13 * 8, u64::from(NEW_SELECTOR) << 16 | 0x85 << 40);
    cpu.rip = 0x2222;
    let source = Source::Exception { is_trap: false };
    deliver(&mut cpu, &mut bus, &Event { vector: 13, error: Some(0x1234), source }).unwrap();
    assert_eq!((cpu.rip, cpu.gpr[RSP], dword(&bus, 0x5ffc)), (0x1234, 0x5ffc, 0x1234));
    assert_ne!(u64::from(dword(&bus, OLD + 0x24)) & flags::RF, 0);
    assert_eq!((cpu.rflags & flags::NT, dword(&bus, NEW) & 0xffff), (flags::NT, u32::from(OLD_SELECTOR)));
}

/// Goal: what is checked before the switch changes nothing (SDM 3A, table "Exception Conditions Checked During a Task
/// Switch"); method: one mistake each.
#[test]
fn refused() {
    type Spoil = fn(&mut Cpu, &mut Bus);
    let cases: [(u16, Spoil, (u8, Option<u32>)); 9] = [
        (OLD_SELECTOR, |_, _| {}, (13, Some(0x58))),
        (NEW_SELECTOR, |_, bus| poke(bus, GDT + 0x6d, &[0x09]), (11, Some(0x68))),
        (NEW_SELECTOR, |_, bus| poke(bus, GDT + 0x68, &[0x66]), (10, Some(0x68))),
        (NEW_SELECTOR | 3, |_, _| {}, (13, Some(0x68))),
        (0x60, |_, bus| poke(bus, GDT + 0x65, &[0x05]), (11, Some(0x60))),
        (0x63, |_, _| {}, (13, Some(0x60))),
        (0x70, |_, _| {}, (13, Some(0x10))),
        (NEW_SELECTOR, |cpu, _| cpu.tr.limit = 0x5e, (10, Some(0x58))),
        (0x98, |_, _| {}, (13, Some(0x98))),
    ];
    for (index, (selector, spoil, expected)) in cases.into_iter().enumerate() {
        for go in [call, jump] {
            let (mut cpu, mut bus) = tasks();
            spoil(&mut cpu, &mut bus);
            let (before, tables) = (visible(&cpu), word(&bus, GDT + 0x58));
            assert_eq!(code(go(&mut cpu, &mut bus, selector, 0, 4)), expected, "case {index}");
            assert_eq!((visible(&cpu), word(&bus, GDT + 0x58)), (before, tables), "case {index}");
        }
    }
    let (mut cpu, mut bus) = tasks();
    cpu.rflags |= flags::NT;
    put_word(&mut bus, OLD, NEW_SELECTOR);
    assert_eq!(code(iret(&mut cpu, &mut bus, 4)), (10, Some(0x68)), "not busy");
}

/// Goal: what is wrong with the new task's segments is its own fault, in the SDM's order; method: one selector each.
#[test]
fn faults_of_the_new_task() {
    for (offset, selector, expected) in [
        (0x60u64, 0x10u32, (10, Some(0x10))),
        (0x4c, 0x10, (10, Some(0x10))),
        (0x4c, 0, (10, Some(0))),
        (0x4c, 0x30, (10, Some(0x30))),
        (0x50, 0, (10, Some(0))),
        (0x50, 0x38, (10, Some(0x38))),
        (0x54, 0x58, (10, Some(0x58))),
        (0x20, 0, (0, None)),
    ] {
        let (mut cpu, mut bus) = tasks();
        put_dword(&mut bus, NEW + offset, selector);
        let result = jump(&mut cpu, &mut bus, NEW_SELECTOR, 0, 4);
        assert_eq!((cpu.tr.selector, cpu.gpr[RAX]), (NEW_SELECTOR, 0x99));
        if offset == 0x20 {
            result.unwrap();
            continue;
        }
        let found = fault(result);
        assert_eq!((found.vector, found.error, found.is_trap, cpu.rip), (expected.0, expected.1, true, 0x1234));
    }
    let (mut cpu, mut bus) = tasks();
    put_dword(&mut bus, NEW + 0x64, 1);
    let found = fault(jump(&mut cpu, &mut bus, NEW_SELECTOR, 0, 4));
    assert_eq!((found.vector, found.is_trap, cpu.dr[DR6] & DR6_BT), (1, true, DR6_BT));
    assert_eq!((cpu.mode(), cpu.segments[SS].selector, cpu.segments[DS].selector), (Mode::Protected32, 0x10, 0x10));
}

/// Goal: a task in virtual-8086 mode; method: EFLAGS.VM in the TSS.
#[test]
fn to_virtual_8086() {
    let (mut cpu, mut bus) = tasks();
    put_dword(&mut bus, NEW + 0x24, 0x2_0202);
    put_dword(&mut bus, NEW + 0x48, 0x1234);
    jump(&mut cpu, &mut bus, NEW_SELECTOR, 0, 4).unwrap();
    assert_eq!((cpu.mode(), cpu.cpl(), cpu.segments[ES].base), (Mode::V86, 3, 0x1_2340));
    assert_eq!(cpu.linear_pc(), 0x80 + 0x1234);
}

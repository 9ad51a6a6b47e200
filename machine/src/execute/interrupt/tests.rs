//! Virtual-8086 mode: in by IRET, out by interrupts and exceptions, what IOPL guards. INT1 and the gate's DPL.

use super::*;
use crate::bus::Bus;
use crate::cpu::segment::{CS, DS, ES, GS, SS, Segment, attr};
use crate::cpu::{Cpu, gpr::RSP};
use crate::exception;
use crate::execute::step_instruction;
use crate::testing::*;

/// Ring 0 with a 32-bit interrupt gate for each vector to 08:1000h + vector * 16 and a ring-0 stack at 10:6000h.
fn with_idt(dpl: u64) -> (Cpu, Bus) {
    let (mut cpu, mut bus) = protected();
    for vector in 0..256u64 {
        put(&mut bus, 0x4000 + vector * 8, (0x1000 + vector * 16) | 8 << 16 | (0x8e | dpl << 5) << 40);
    }
    cpu.idtr.base = 0x4000;
    cpu.idtr.limit = 0x7ff;
    cpu.tr = Segment { selector: 0x48, attributes: attr::P | 0xb, limit: 0x67, base: 0x9000 };
    assert!(bus.ram.write(0x9004, [0u8, 0x60, 0, 0, 0x10, 0, 0, 0]));
    (cpu, bus)
}

/// By IRET to 0700:0100 in virtual-8086 mode, stack 0300:0400, data segments 0101h to 0104h.
fn v86(iopl: u64, code: &[u8]) -> (Cpu, Bus) {
    let (mut cpu, mut bus) = with_idt(3);
    let frame = [0x100, 0x700, 0x2_0202 | iopl << 12, 0x400, 0x300, 0x101, 0x102, 0x103, 0x104u64];
    for (index, value) in frame.into_iter().enumerate() {
        assert!(bus.ram.write(0x5000 + 4 * index as u64, (value as u32).to_le_bytes()));
    }
    cpu.gpr[RSP] = 0x5000;
    iret(&mut cpu, &mut bus, 4).unwrap();
    assert_eq!((cpu.mode(), cpu.cpl(), cpu.linear_pc(), cpu.gpr[RSP]), (Mode::V86, 3, 0x7100, 0x400));
    assert_eq!((cpu.segments[ES].base, cpu.segments[GS].base, cpu.segments[DS].selector), (0x1010, 0x1040, 0x102));
    assert!(bus.ram.write_slice(0x7100, code));
    (cpu, bus)
}

fn dwords<const N: usize>(bus: &Bus, at: u64) -> [u32; N] {
    std::array::from_fn(|index| word(bus, at + 4 * index as u64) as u32)
}

/// Goal: INT in virtual-8086 mode goes to ring 0 with all segment registers on its stack, and IRET comes back; method:
/// the frame and the state after it.
#[test]
fn out_and_back() {
    let (mut cpu, mut bus) = v86(3, &[0xcd, 0x20]);
    step_instruction(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.mode(), cpu.cpl(), cpu.rip), (Mode::Protected32, 0, 0x1200));
    assert_eq!((cpu.segments[SS].selector, cpu.gpr[RSP]), (0x10, 0x6000 - 36));
    assert!([ES, DS, GS].iter().all(|&seg| cpu.segments[seg].is_unusable()));
    assert_eq!(dwords(&bus, 0x6000 - 36), [0x102, 0x700, 0x2_3202, 0x400, 0x300, 0x101, 0x102, 0x103, 0x104]);
    iret(&mut cpu, &mut bus, 4).unwrap();
    assert_eq!((cpu.mode(), cpu.linear_pc(), cpu.segments[CS].selector), (Mode::V86, 0x7102, 0x700));
    // An exception has an error code below that.
    let (mut cpu, mut bus) = v86(0, &[0xf4]);
    let trap = fault(step_instruction(&mut cpu, &mut bus));
    exception::raise(&mut cpu, &mut bus, trap).unwrap();
    assert_eq!((cpu.rip, cpu.gpr[RSP]), (0x10d0, 0x6000 - 40));
    assert_eq!(dwords(&bus, 0x6000 - 40), [0, 0x100, 0x700, 0x3_0202, 0x400]);
}

/// Goal: what IOPL guards in virtual-8086 mode, and what it does not; method: each instruction with IOPL 0 and 3.
#[test]
fn iopl() {
    for bytes in [&[0xfa][..], &[0xfb], &[0x9c], &[0x9d], &[0xcf], &[0xcd, 0x20]] {
        let (mut cpu, mut bus) = v86(0, bytes);
        assert_eq!(code(step_instruction(&mut cpu, &mut bus)), (13, Some(0)), "{bytes:x?}");
        let (mut cpu, mut bus) = v86(3, bytes);
        step_instruction(&mut cpu, &mut bus).unwrap();
    }
    for bytes in [&[0xcc][..], &[0xf1]] {
        let (mut cpu, mut bus) = v86(0, bytes);
        step_instruction(&mut cpu, &mut bus).unwrap();
        assert_eq!(cpu.mode(), Mode::Protected32, "{bytes:x?}");
    }
    // IN asks the bitmap whatever IOPL says, and the TSS has none.
    let (mut cpu, mut bus) = v86(3, &[0xe4, 0x60]);
    assert!(bus.ram.write(0x9066, [0x68u8, 0]));
    assert_eq!(code(step_instruction(&mut cpu, &mut bus)), (13, Some(0)));
    // IRET keeps IOPL and VM.
    let (mut cpu, mut bus) = v86(3, &[0xcf]);
    assert!(bus.ram.write(0x3400, [0x34u8, 0x12, 0, 8, 0x01, 0]));
    step_instruction(&mut cpu, &mut bus).unwrap();
    assert_eq!((cpu.linear_pc(), cpu.rflags), (0x9234, 0x2_3003));
}

/// Goal: a handler for virtual-8086 mode must run in ring 0; method: a gate to ring 3, an error code that names it.
#[test]
fn handler_in_ring_3() {
    let (mut cpu, mut bus) = v86(3, &[0xcd, 0x20]);
    put(&mut bus, 0x4000 + 0x20 * 8, 0x1000 | 0x30 << 16 | 0xee << 40);
    assert_eq!(code(step_instruction(&mut cpu, &mut bus)), (13, Some(0x30)));
}

/// Goal: INT n, INT3 and INTO from ring 3 need the gate's DPL, INT1 does not; method: gates of DPL 0.
#[test]
fn gate_dpl() {
    let ring3 = |bytes: &[u8]| {
        let (mut cpu, mut bus) = with_idt(0);
        cpu.segments[CS] = Segment { selector: 0x33, attributes: CODE32 | RING3, limit: u32::MAX, base: 0 };
        cpu.segments[SS] = Segment { selector: 0x3b, attributes: DATA32 | RING3, limit: u32::MAX, base: 0 };
        cpu.rflags |= flags::OF;
        assert!(bus.ram.write_slice(0x7c00, bytes));
        let result = step_instruction(&mut cpu, &mut bus);
        (cpu, result)
    };
    for (bytes, vector) in [(&[0xcd, 1][..], 1), (&[0xcc], 3), (&[0xce], 4), (&[0xcd, 0x80], 0x80)] {
        assert_eq!(code(ring3(bytes).1), (13, Some(vector << 3 | 2)), "{bytes:x?}");
    }
    let (cpu, result) = ring3(&[0xf1]);
    result.unwrap();
    assert_eq!((cpu.rip, cpu.cpl()), (0x1010, 0));
}

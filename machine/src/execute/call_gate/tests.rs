//! Calls and jumps through gates of 16, 32 and 64 bits, with and without another stack. The gate is at 58h (60h has its
//! upper half).

use crate::bus::Bus;
use crate::cpu::segment::{CS, DS, ES, SS, Segment, attr};
use crate::cpu::{Cpu, gpr::RSP};
use crate::execute::descriptor::system;
use crate::execute::far_xfer::{call, jump, ret};
use crate::testing::*;

const GATE: u16 = 0x58;

/// In ring 3, with a gate for all rings and a TSS whose ring-0 stack is 10h:6000h.
fn ring3(long: bool, kind: u32, target: u64, count: u64) -> (Cpu, Bus) {
    let (mut cpu, mut bus) = if long { crate::testing::long() } else { protected() };
    put(&mut bus, GDT + 0x58, 0x3456 | target << 16 | count << 32 | u64::from(0xe0 | kind) << 40 | 0xabcd << 48);
    put(&mut bus, GDT + 0x60, 0);
    cpu.gdtr.limit = 0x67;
    cpu.tr = Segment { selector: 0x48, attributes: attr::P | 0xb, limit: 0x67, base: 0x9000 };
    assert!(bus.ram.write(0x9004, 0x6000u32.to_le_bytes()));
    assert!(bus.ram.write(0x9008, if long { [0u8; 4] } else { [0x10, 0, 0, 0] }));
    let (code, width) = if long { (0x43, CODE64) } else { (0x33, CODE32) };
    cpu.segments[CS] = Segment { selector: code, attributes: width | RING3, limit: u32::MAX, base: 0 };
    for seg in [SS, DS, ES] {
        cpu.segments[seg] = Segment { selector: 0x3b, attributes: DATA32 | RING3, limit: u32::MAX, base: 0 };
    }
    cpu.update_mode();
    (cpu.rip, cpu.gpr[RSP]) = (0x1111, 0x5000);
    (cpu, bus)
}

fn poke(bus: &mut Bus, at: u64, bytes: &[u8]) {
    assert!(bus.ram.write_slice(at, bytes));
}

fn dwords<const N: usize>(bus: &Bus, at: u64) -> [u32; N] {
    std::array::from_fn(|index| word(bus, at + 4 * index as u64) as u32)
}

/// Goal: a 32-bit gate into ring 0 copies its parameters, and RET goes back and drops them on both stacks.
#[test]
fn into_the_kernel_and_back() {
    let (mut cpu, mut bus) = ring3(false, system::CALL_GATE, 0x08, 2);
    put(&mut bus, 0x5000, 0x2222_2222_1111_1111);
    call(&mut cpu, &mut bus, GATE | 3, 0, 4).unwrap();
    assert_eq!((cpu.segments[CS].selector, cpu.rip, cpu.cpl()), (0x08, 0xabcd_3456, 0));
    assert_eq!((cpu.segments[SS].selector, cpu.gpr[RSP]), (0x10, 0x6000 - 24));
    assert_eq!(dwords(&bus, 0x6000 - 24), [0x1111, 0x33, 0x1111_1111, 0x2222_2222, 0x5000, 0x3b]);
    ret(&mut cpu, &mut bus, 4, 8).unwrap();
    assert_eq!((cpu.segments[CS].selector, cpu.rip, cpu.cpl()), (0x33, 0x1111, 3));
    assert_eq!((cpu.segments[SS].selector, cpu.gpr[RSP]), (0x3b, 0x5008));
}

/// Goal: a 16-bit gate cuts the offset and pushes words; method: the frame.
#[test]
fn sixteen_bits() {
    let (mut cpu, mut bus) = ring3(false, system::CALL_GATE16, 0x08, 1);
    put(&mut bus, 0x5000, 0x7777);
    call(&mut cpu, &mut bus, GATE | 3, 0, 4).unwrap();
    assert_eq!((cpu.rip, cpu.gpr[RSP]), (0x3456, 0x6000 - 10));
    assert_eq!(word(&bus, 0x6000 - 10), 0x5000_7777_0033_1111);
}

/// Goal: in 64-bit mode the stack comes from RSP0, SS becomes null, no parameters are copied; method: the frame.
#[test]
fn sixty_four_bits() {
    let (mut cpu, mut bus) = ring3(true, system::CALL_GATE, 0x18, 3);
    call(&mut cpu, &mut bus, GATE | 3, 0, 4).unwrap();
    assert_eq!((cpu.segments[CS].selector, cpu.rip, cpu.cpl()), (0x18, 0xabcd_3456, 0));
    assert!(cpu.segments[SS].is_unusable());
    let frame: [u64; 4] = std::array::from_fn(|index| word(&bus, 0x6000 - 32 + 8 * index as u64));
    assert_eq!((cpu.gpr[RSP], frame), (0x6000 - 32, [0x1111, 0x43, 0x5000, 0x3b]));
    ret(&mut cpu, &mut bus, 8, 0).unwrap();
    assert_eq!((cpu.segments[CS].selector, cpu.rip, cpu.gpr[RSP]), (0x43, 0x1111, 0x5000));
    // The upper half must be there, and its type 0; the code must be of 64 bits.
    let (mut cpu, mut bus) = ring3(true, system::CALL_GATE, 0x18, 0);
    put(&mut bus, GDT + 0x60, 1 << 40);
    assert_eq!(code(call(&mut cpu, &mut bus, GATE | 3, 0, 4)), (13, Some(0x58)));
    let (mut cpu, mut bus) = ring3(true, system::CALL_GATE, 0x08, 0);
    assert_eq!(code(call(&mut cpu, &mut bus, GATE | 3, 0, 4)), (13, Some(8)));
}

/// Goal: a jump keeps the ring, so that ring 3 cannot jump into ring 0; method: both rings of the target.
#[test]
fn jumps() {
    let (mut cpu, mut bus) = ring3(false, system::CALL_GATE, 0x30, 0);
    jump(&mut cpu, &mut bus, GATE | 3, 0, 4).unwrap();
    assert_eq!((cpu.segments[CS].selector, cpu.rip, cpu.gpr[RSP]), (0x33, 0xabcd_3456, 0x5000));
    let (mut cpu, mut bus) = ring3(false, system::CALL_GATE, 0x08, 0);
    assert_eq!(code(jump(&mut cpu, &mut bus, GATE | 3, 0, 4)), (13, Some(8)));
}

/// Goal: checks of gate, code segment and new stack in order, and nothing changes; method: one mistake each.
#[test]
fn refused() {
    type Spoil = fn(&mut Cpu, &mut Bus);
    let cases: [(Spoil, (u8, Option<u32>)); 8] = [
        (|_, bus| poke(bus, GDT + 0x5d, &[0x8c]), (13, Some(0x58))),
        (|_, bus| poke(bus, GDT + 0x5d, &[0x6c]), (11, Some(0x58))),
        (|_, bus| poke(bus, GDT + 0x5a, &[0, 0]), (13, Some(0))),
        (|_, bus| poke(bus, GDT + 0x5a, &[0x10, 0]), (13, Some(0x10))),
        (|_, bus| poke(bus, GDT + 0x0d, &[0x1b]), (11, Some(8))),
        (|cpu, _| cpu.tr.limit = 8, (10, Some(0x48))),
        (|_, bus| poke(bus, 0x9008, &[0x38, 0]), (10, Some(0x38))),
        (|_, bus| poke(bus, GDT + 0x15, &[0x13]), (12, Some(0x10))),
    ];
    for (index, (spoil, expected)) in cases.into_iter().enumerate() {
        let (mut cpu, mut bus) = ring3(false, system::CALL_GATE, 0x08, 0);
        spoil(&mut cpu, &mut bus);
        let before = visible(&cpu);
        assert_eq!(code(call(&mut cpu, &mut bus, GATE | 3, 0, 4)), expected, "case {index}");
        assert_eq!(visible(&cpu), before, "case {index}");
    }
}

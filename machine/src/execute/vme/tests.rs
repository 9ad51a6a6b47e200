//! Tests of VME and PVI.

use crate::bus::Bus;
use crate::cpu::segment::{self, Segment, attr};
use crate::cpu::{Cpu, cr4, flags, gpr};
use crate::decode::{Op, translate};
use crate::execute::segment_load::v86_segment;
use crate::execute::{far_xfer, flag_ctrl, interrupt, stack};
use crate::testing::{DATA32, RING3, code, protected, put};

const GP0: (u8, Option<u32>) = (13, Some(0));
/// Linear address of the TSS.
const TSS: u64 = 0x9000;
/// The I/O map's base; the redirection map is before it.
const IO_MAP: u64 = 0x88;

/// Virtual-8086 code with this IOPL, CR4.VME set, and a TSS that redirects vector 21h and not 22h.
fn v86(iopl: u64) -> (Cpu, Bus) {
    let (mut cpu, mut bus) = protected();
    cpu.cr4 |= cr4::VME;
    cpu.rflags = flags::VM | flags::RESERVED_ONE | iopl << 12;
    cpu.segments = [v86_segment(0); 6];
    cpu.tr = Segment { selector: 0x48, attributes: attr::P | 0xb, limit: 0x188, base: TSS };
    put(&mut bus, TSS + 0x60, IO_MAP << 48);
    put(&mut bus, TSS + IO_MAP - 32, 0);
    assert!(bus.ram.write(TSS + IO_MAP - 32 + 4, [1u8 << 2]));
    assert!(bus.ram.write(0x21 * 4, [0x34u8, 0x12, 0x00, 0x01]));
    cpu.update_mode();
    (cpu, bus)
}

fn vif(cpu: &Cpu) -> (bool, bool) {
    (cpu.rflags & flags::VIF != 0, cpu.rflags & flags::IF != 0)
}

/// Goal: CLI and STI work on VIF where IOPL forbids IF, and STI refuses while an interrupt waits; method: VME, PVI, neither.
#[test]
fn cli_and_sti() {
    let (mut cpu, _) = v86(0);
    flag_ctrl::execute(&mut cpu, Op::Sti).unwrap();
    assert_eq!((vif(&cpu), cpu.interrupt_shadow), ((true, false), false));
    flag_ctrl::execute(&mut cpu, Op::Cli).unwrap();
    assert_eq!(vif(&cpu), (false, false));
    cpu.rflags |= flags::VIP;
    assert_eq!(code(flag_ctrl::execute(&mut cpu, Op::Sti)), GP0);
    cpu.cr4 = 0;
    assert_eq!(code(flag_ctrl::execute(&mut cpu, Op::Cli)), GP0);
    let (mut cpu, _) = v86(3);
    flag_ctrl::execute(&mut cpu, Op::Sti).unwrap();
    assert_eq!(vif(&cpu), (false, true));

    let (mut cpu, _) = protected();
    for seg in 0..6 {
        cpu.segments[seg] = Segment { attributes: DATA32 | RING3, ..cpu.segments[seg] };
    }
    assert_eq!(code(flag_ctrl::execute(&mut cpu, Op::Sti)), GP0);
    cpu.cr4 |= cr4::PVI;
    flag_ctrl::execute(&mut cpu, Op::Sti).unwrap();
    assert_eq!(vif(&cpu), (true, false));
}

/// Goal: PUSHF shows VIF as IF and IOPL as 3, POPF and IRET put it back; what could do harm is #GP(0); method: both sizes.
#[test]
fn flags_over_the_stack() {
    let (mut cpu, mut bus) = v86(1);
    cpu.rflags |= flags::VIF | flags::CF;
    stack::push_flags(&mut cpu, &mut bus, 2).unwrap();
    assert_eq!(bus.ram.read(0x6ffe), Some(0x3203u16.to_le_bytes()));
    cpu.rflags &= !(flags::VIF | flags::CF);
    stack::pop_flags(&mut cpu, &mut bus, 2).unwrap();
    assert_eq!((vif(&cpu), cpu.rflags & (flags::IOPL | flags::CF)), ((true, false), 1 << 12 | flags::CF));
    assert_eq!(code(stack::push_flags(&mut cpu, &mut bus, 4)), GP0);
    assert_eq!(code(stack::pop_flags(&mut cpu, &mut bus, 4)), GP0);
    let before = (cpu.gpr, cpu.rflags);
    for (image, pending) in [(flags::TF, 0), (flags::IF, flags::VIP)] {
        put(&mut bus, 0x7000, image << 32 | 0x1234);
        assert!(bus.ram.write(0x7000, (image as u16).to_le_bytes()));
        cpu.rflags |= pending;
        assert_eq!(code(stack::pop_flags(&mut cpu, &mut bus, 2)), GP0, "{image:x}");
        assert_eq!((cpu.gpr, cpu.rflags & !flags::VIP), before);
    }
    // IRET: IP, CS, flags.
    cpu.rflags &= !(flags::VIP | flags::VIF);
    put(&mut bus, 0x7000, 0x5678 | (flags::IF | flags::ZF) << 32);
    far_xfer::iret(&mut cpu, &mut bus, 2).unwrap();
    assert_eq!((cpu.rip, vif(&cpu), cpu.rflags & flags::ZF), (0x5678, (true, false), flags::ZF));
    assert_eq!(code(far_xfer::iret(&mut cpu, &mut bus, 4)), GP0);
}

/// Goal: INT n goes to the program's handler where the map has 0, else by the IDT with IOPL 3 and to #GP(0) without; method:
/// a vector of each kind, with both IOPLs, and a map beyond the TSS.
#[test]
fn redirection() {
    for iopl in [0, 3] {
        let (mut cpu, mut bus) = v86(iopl);
        cpu.rip = 0x7c02;
        cpu.rflags |= if iopl == 3 { flags::IF } else { flags::VIF } | flags::TF;
        interrupt::int_n(&mut cpu, &mut bus, 0x21).unwrap();
        assert_eq!((cpu.rip, cpu.segments[segment::CS].selector, cpu.gpr[gpr::RSP]), (0x1234, 0x100, 0x6ffa));
        assert_eq!(bus.ram.read(0x6ffa), Some([0x02, 0x7c, 0, 0, 0x02, 0x33]));
        assert_eq!((vif(&cpu), cpu.rflags & flags::TF), ((false, false), 0), "IOPL {iopl}");
    }
    let (mut cpu, mut bus) = v86(0);
    assert_eq!(code(interrupt::int_n(&mut cpu, &mut bus, 0x22)), GP0);
    let (mut cpu, mut bus) = v86(3);
    cpu.idtr.limit = 0;
    assert_eq!(code(interrupt::int_n(&mut cpu, &mut bus, 0x22)), (13, Some(0x22 << 3 | 2)), "by the IDT");
    cpu.tr.limit = 0x67;
    assert_eq!(code(interrupt::int_n(&mut cpu, &mut bus, 0x21)), GP0);
    let (mut cpu, mut bus) = v86(0);
    cpu.cr4 = 0;
    assert_eq!(code(interrupt::int_n(&mut cpu, &mut bus, 0x21)), GP0);
}

/// Goal: only the extensions' own instructions change; method: INT3 in restricted code goes by the IDT.
#[test]
fn int3_is_not_redirected() {
    let (mut cpu, mut bus) = v86(0);
    cpu.idtr.limit = 0;
    let insn = translate(&[0xcc], 16).expect("one byte");
    assert_eq!(insn.op, Op::Int3);
    assert_eq!(code(interrupt::software(&mut cpu, &mut bus, 3)), (13, Some(3 << 3 | 2)));
}

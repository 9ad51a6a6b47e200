//! PUSH, POP, PUSHF, POPF, PUSHA, ENTER, LEAVE.

use crate::lab::{DATA, HOLE, Lab, STACK};
use machine::cpu::flags::{AC, CF, IF, IOPL, RESERVED_ONE, RF, TF, VM, ZF};
use machine::cpu::gpr::{RAX, RBP, RBX, RCX, RDI, RSP};
use machine::cpu::segment::{DS, SS, TableRegister, attr};
use machine::fault::vector;

/// Goal: PUSH moves and writes as many bytes as the operand size says; method: each size in each code size.
#[test]
fn push_sizes() {
    for (bits, code, bytes, value) in [
        (16, &[0x50][..], 2, 0x7788u64),
        (16, &[0x66, 0x50], 4, 0x5566_7788),
        (32, &[0x50], 4, 0x5566_7788),
        (32, &[0x66, 0x50], 2, 0x7788),
        (64, &[0x50], 8, 0x1122_3344_5566_7788),
        (64, &[0x66, 0x50], 2, 0x7788),
        (64, &[0x6a, 0xff], 8, u64::MAX),
        (16, &[0x6a, 0xff], 2, 0xffff),
        (64, &[0x68, 0, 0, 0, 0x80], 8, 0xffff_ffff_8000_0000),
        (64, &[0x0f, 0xa0], 8, 0x10),
        (32, &[0x1e], 4, 0x10),
    ] {
        let lab = Lab::new(bits, code).with(RAX, 0x1122_3344_5566_7788).run(1);
        let mut expected = [0; 8];
        expected[..bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
        assert_eq!(lab.reg(RSP), STACK - bytes as u64, "{bits} {code:x?}");
        assert_eq!(lab.memory(lab.reg(RSP)), expected, "{bits} {code:x?}");
    }
}

/// Goal: the stack pointer's width is SS.B's, not the code's; method: 32-bit code on a 16-bit stack that wraps.
#[test]
fn stack_width() {
    let mut lab = Lab::new(32, &[0x50]).with(RAX, 0x42).with(RSP, 0xabcd_0002);
    lab.cpu.segments[SS].attributes &= !attr::DB;
    let lab = lab.run(1);
    assert_eq!((lab.reg(RSP), lab.memory(0xfffe)), (0xabcd_fffe, 0x42u32.to_le_bytes()));
}

/// Goal: a selector that is pushed with 4 bytes leaves the upper two alone; method: ones below the stack, in 16 and 32-bit code.
#[test]
fn selector_of_4_bytes() {
    for (bits, code) in [(32, &[0x1e][..]), (16, &[0x66, 0x1e])] {
        let mut lab = Lab::new(bits, code).with_memory(STACK - 4, &[0xff; 4]);
        lab.cpu.segments[DS].selector = 0x1234;
        let lab = lab.run(1);
        assert_eq!((lab.reg(RSP), lab.memory(STACK - 4)), (STACK - 4, [0x34, 0x12, 0xff, 0xff]));
    }
}

/// Goal: POP SS moves the pointer of the stack that it read; method: from a 16-bit stack, at its end, to a 32-bit one.
#[test]
fn pop_ss_moves_the_old_stack() {
    let gdt = DATA;
    let flat = 0x00cf_9300_0000_ffffu64.to_le_bytes();
    let mut lab = Lab::new(32, &[0x17]).with(RSP, 0x5_fffc).with_memory(gdt + 0x18, &flat).with_memory(0xfffc, &[0x18]);
    lab.cpu.gdtr = TableRegister { base: gdt, limit: 0x1f };
    lab.cpu.segments[SS].attributes &= !attr::DB;
    let lab = lab.run(1);
    assert_eq!((lab.cpu.segments[SS].selector, lab.reg(RSP)), (0x18, 0x5_0000));
    assert!(lab.cpu.segments[SS].is_big());
    // Nothing moves where it faults.
    let mut lab = Lab::new(32, &[0x17]).with_memory(STACK, &[0x38]);
    lab.cpu.gdtr = TableRegister { base: gdt, limit: 0x1f };
    assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION);
}

/// Goal: POP rSP, POP with a memory operand on rSP, and a POP that faults; method: literal state.
#[test]
fn pops() {
    let word = 0x1234u64.to_le_bytes();
    assert_eq!(Lab::new(64, &[0x5c]).with_memory(STACK, &word).run(1).reg(RSP), 0x1234);
    // pop [rsp]: the address is taken after the increment
    let lab = Lab::new(64, &[0x8f, 0x04, 0x24]).with_memory(STACK, &word).run(1);
    assert_eq!((lab.memory(STACK + 8), lab.reg(RSP)), (word, STACK + 8));
    assert_eq!(Lab::new(64, &[0x8f, 0x07]).with(RDI, HOLE).fault().vector, vector::PAGE_FAULT);
    assert_eq!(Lab::new(64, &[0x58]).with(RSP, HOLE).fault().cr2, Some(HOLE));
    assert_eq!(Lab::new(64, &[0x50]).with(RSP, HOLE + 8).fault().error, Some(2));
    // push rsp pushes what it was
    assert_eq!(Lab::new(64, &[0x54]).run(1).memory(STACK - 8), STACK.to_le_bytes());
}

/// Goal: POPF lets each ring change what it may; method: all ones and all zeros in ring 0 and 3.
#[test]
fn flags_on_the_stack() {
    let ones = u64::MAX.to_le_bytes();
    let lab = Lab::new(64, &[0x9d]).with_memory(STACK, &ones).run(1);
    assert_eq!(lab.cpu.rflags, 0x24_7fd7, "ring 0");
    let lab = Lab::ring3(64, &[0x9d]).with_memory(STACK, &ones).run(1);
    assert_eq!(lab.cpu.rflags & (IF | IOPL), 0, "ring 3, IOPL 0");
    let lab = Lab::ring3(64, &[0x9d]).with_flags(IOPL | IF).run(1);
    assert_eq!(lab.cpu.rflags, IOPL | RESERVED_ONE, "ring 3, IOPL 3");
    let lab = Lab::new(64, &[0x66, 0x9d]).with_flags(AC).with_memory(STACK, &ones).run(1);
    assert!(lab.flag(AC) && lab.flag(CF), "16 bits leave the upper half");
    let lab = Lab::new(32, &[0x9c]).with_flags(RF | CF).run(1);
    assert_eq!(lab.memory(STACK - 4), ((CF | RESERVED_ONE) as u32).to_le_bytes());
    // Virtual-8086 mode with IOPL 0.
    for code in [0x9c, 0x9d] {
        let mut lab = Lab::new(16, &[code]).with_flags(VM);
        lab.cpu.cr0 |= machine::cpu::cr0::PE;
        lab.cpu.update_mode();
        assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION);
    }
}

/// Goal: PUSHA and POPA are each other's reverse but for SP; method: distinct values there and back.
#[test]
fn all_registers() {
    let mut lab = Lab::new(32, &[0x60, 0x61]);
    for (reg, value) in [1, 2, 3, 4, STACK, 6, 7, 8].into_iter().enumerate() {
        lab = lab.with(reg, value);
    }
    let lab = lab.run(1);
    let image: Vec<u32> = (0..8).map(|index| u32::from_le_bytes(lab.memory(STACK - 32 + 4 * index))).collect();
    assert_eq!(image, [8, 7, 6, STACK as u32, 4, 3, 2, 1]);
    let mut lab = lab;
    lab.cpu.gpr[..4].fill(0);
    let lab = lab.run(1);
    assert_eq!(lab.cpu.gpr[..8], [1, 2, 3, 4, STACK, 6, 7, 8]);
    assert_eq!(Lab::new(64, &[0x60]).fault().vector, vector::INVALID_OPCODE);
}

/// Goal: ENTER and LEAVE make and drop frames, also nested; method: levels 0 and 2.
#[test]
fn frames() {
    let lab = Lab::new(64, &[0xc8, 0x20, 0, 0, 0xc9]).with(RBP, 0x1111).run(1);
    assert_eq!((lab.reg(RBP), lab.reg(RSP), lab.memory(STACK - 8)), (STACK - 8, STACK - 40, 0x1111u64.to_le_bytes()));
    let lab = lab.run(1);
    assert_eq!((lab.reg(RBP), lab.reg(RSP)), (0x1111, STACK));
    let lab = Lab::new(64, &[0xc8, 0, 0, 2]).with(RBP, DATA).with_memory(DATA - 8, &[0x99]).run(1);
    assert_eq!((lab.reg(RBP), lab.reg(RSP)), (STACK - 8, STACK - 24));
    assert_eq!(lab.memory(STACK - 16), 0x99u64.to_le_bytes());
    assert_eq!(lab.memory(STACK - 24), (STACK - 8).to_le_bytes());
    assert_eq!(Lab::new(64, &[0xc8, 0, 0, 2]).with(RBP, HOLE + 8).fault().cr2, Some(HOLE));
}

/// Goal: TF traps after the instruction, with the next one's address; method: a NOP, and POPF that sets TF.
#[test]
fn single_step() {
    let mut lab = Lab::new(64, &[0x90]).with_flags(TF);
    let trap = lab.step().expect_err("#DB");
    match trap {
        machine::fault::Trap::Fault(fault) => assert_eq!((fault.vector, fault.is_trap), (vector::DEBUG, true)),
        other => panic!("{other:?}"),
    }
    assert_eq!((lab.cpu.rip, lab.cpu.dr[4] >> 14 & 1), (0x8001, 1));
    let mut lab = Lab::new(64, &[0x9d, 0x90]).with_memory(STACK, &(TF | ZF).to_le_bytes());
    lab.step().expect("not after POPF itself");
    lab.step().expect_err("after the next one");
    // RF lasts for one instruction.
    assert!(!Lab::new(64, &[0x90]).with_flags(RF).with(RBX, 0).with(RCX, 0).run(1).flag(RF));
}

//! String instructions and REP.

use crate::lab::{CODE, DATA, HOLE, Lab};
use machine::cpu::flags::{DF, ZF};
use machine::cpu::gpr::{RAX, RCX, RDI, RDX, RSI};
use machine::fault::vector;

/// Goal: REP makes one iteration a step and stays at the instruction until the last; method: REP MOVSB of three bytes.
#[test]
fn one_iteration_a_step() {
    let lab = Lab::new(64, &[0xf3, 0xa4]).with(RSI, DATA).with(RDI, DATA + 0x100).with(RCX, 3);
    let mut lab = lab.with_memory(DATA, &[1, 2, 3]);
    for left in [2, 1, 0] {
        lab = lab.run(1);
        let rip = if left == 0 { CODE + 2 } else { CODE };
        assert_eq!((lab.reg(RCX), lab.cpu.rip, lab.reg(RSI)), (left, rip, DATA + 3 - left));
    }
    assert_eq!(lab.memory(DATA + 0x100), [1u8, 2, 3, 0]);
    // A count of 0 is one step that does nothing.
    let lab = Lab::new(64, &[0xf3, 0xa4]).with(RSI, HOLE).with(RDI, HOLE).run(1);
    assert_eq!((lab.cpu.rip, lab.reg(RSI)), (CODE + 2, HOLE));
}

/// Goal: element and address sizes, direction; method: STOS and LODS in each.
#[test]
fn sizes() {
    for (bits, code, size) in [
        (16, &[0xaa][..], 1),
        (16, &[0xab], 2),
        (16, &[0x66, 0xab], 4),
        (32, &[0xab], 4),
        (32, &[0x67, 0x66, 0xab], 2),
        (64, &[0x48, 0xab], 8),
        (64, &[0x67, 0xab], 4),
    ] {
        for down in [false, true] {
            let flags = if down { DF } else { 0 };
            let lab = Lab::new(bits, code).with(RDI, DATA).with(RAX, u64::MAX).with_flags(flags).run(1);
            let mut expected = [0; 9];
            expected[..size].fill(0xff);
            assert_eq!(lab.memory(DATA), expected, "{bits} {code:x?}");
            assert_eq!(lab.reg(RDI), if down { DATA - size as u64 } else { DATA + size as u64 }, "{bits} {code:x?}");
        }
    }
    let lab = Lab::new(16, &[0xac]).with(RSI, 0xffff).with(RAX, 0x1100).with_memory(0xffff, &[0x22]).run(1);
    assert_eq!((lab.reg(RAX), lab.reg(RSI)), (0x1122, 0));
}

/// Goal: REPE and REPNE end at the first difference or match; method: CMPSB and SCASB run to their ends.
#[test]
fn ends() {
    let code = [0xf3, 0xa6];
    let lab = Lab::new(64, &code).with(RSI, DATA).with(RDI, DATA + 8).with(RCX, 5);
    let lab = lab.with_memory(DATA, b"abcde...abXde").run(3);
    assert_eq!((lab.cpu.rip, lab.reg(RCX), lab.flag(ZF)), (CODE + 2, 2, false));
    let lab = Lab::new(64, &[0xf2, 0xae]).with(RDI, DATA).with(RAX, 0).with(RCX, u64::MAX).with_memory(DATA, b"abc");
    let lab = lab.run(4);
    assert_eq!((lab.cpu.rip, !lab.reg(RCX) - 1, lab.flag(ZF)), (CODE + 2, 3, true));
}

/// Goal: a fault in the middle leaves the registers at the iteration that failed; method: STOSQ into an unmapped page.
#[test]
fn fault_in_the_middle() {
    let mut lab = Lab::new(64, &[0xf3, 0x48, 0xab]).with(RDI, HOLE - 8).with(RCX, 2).run(1);
    lab.step().expect_err("the second element is not mapped");
    assert_eq!((lab.reg(RDI), lab.reg(RCX), lab.cpu.rip), (HOLE, 1, CODE));
}

/// Goal: INS and OUTS use the bus, and INS reads no port where it could not store; method: absent ports, no page.
#[test]
fn port_strings() {
    let lab = Lab::new(64, &[0x6c]).with(RDI, DATA).with(RDX, 0xee).run(1);
    assert_eq!(lab.memory(DATA), [0xffu8]);
    assert_eq!(Lab::new(64, &[0x6c]).with(RDI, HOLE).with(RDX, 0xee).fault().vector, vector::PAGE_FAULT);
    let lab = Lab::new(64, &[0x6e]).with(RSI, DATA).with(RDX, 0xe4).with_memory(DATA, &[1]).run(1);
    assert_eq!((lab.bus.out.online.len(), lab.reg(RSI)), (1, DATA + 1));
}

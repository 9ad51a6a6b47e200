//! Near branches, calls, returns, loops.

use crate::lab::{CODE, DATA, HOLE, Lab, STACK};
use machine::cpu::flags::ZF;
use machine::cpu::gpr::{RAX, RCX, RSI, RSP};
use machine::cpu::segment::CS;
use machine::fault::vector;

/// Goal: calls push and returns pop the next instruction's offset; method: there and back in each code size.
#[test]
fn calls_and_returns() {
    for (bits, code, size) in
        [(16, &[0xe8, 0x0d, 0][..], 2), (32, &[0xe8, 0x0b, 0, 0, 0], 4), (64, &[0xe8, 0x0b, 0, 0, 0], 8)]
    {
        let lab = Lab::new(bits, code).with_memory(CODE + 0x10, &[0xc2, 4, 0]).run(1);
        assert_eq!((lab.cpu.rip, lab.reg(RSP)), (CODE + 0x10, STACK - size), "{bits}");
        let lab = lab.run(1);
        assert_eq!((lab.cpu.rip, lab.reg(RSP)), (CODE + code.len() as u64, STACK + 4), "{bits}");
    }
    // call [rsi]; jmp rax; call rsp-relative faults leave all as it was
    let lab = Lab::new(64, &[0xff, 0x16]).with(RSI, DATA).with_memory(DATA, &[0x34, 0x12]).run(1);
    assert_eq!((lab.cpu.rip, lab.memory(STACK - 8)), (0x1234, (CODE + 2).to_le_bytes()));
    assert_eq!(Lab::new(64, &[0xff, 0xe0]).with(RAX, 0x4321).run(1).cpu.rip, 0x4321);
    assert_eq!(Lab::new(64, &[0xe8, 0, 0, 0, 0]).with(RSP, HOLE + 8).fault().vector, vector::PAGE_FAULT);
}

/// Goal: a target that CS does not reach is #GP(0) at the branch, and the stack stays; method: limits, canonical form.
#[test]
fn unreachable_targets() {
    let far = 0x8000_0000_0000u64;
    for (code, lab) in [
        (&[0xff, 0xe0][..], Lab::new(64, &[0xff, 0xe0]).with(RAX, far)),
        (&[0xff, 0xd0], Lab::new(64, &[0xff, 0xd0]).with(RAX, far)),
        (&[0xc3], Lab::new(64, &[0xc3]).with_memory(STACK, &far.to_le_bytes())),
    ] {
        let fault = lab.fault();
        assert_eq!((fault.vector, fault.error), (vector::GENERAL_PROTECTION, Some(0)), "{code:x?}");
    }
    let mut lab = Lab::new(32, &[0xeb, 0x7f]);
    lab.cpu.segments[CS].limit = 0x8010;
    assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION);
    // A 16-bit operand size cuts the target.
    assert_eq!(Lab::new(32, &[0x66, 0xff, 0xe0]).with(RAX, 0xdead_1234).run(1).cpu.rip, 0x1234);
    assert_eq!(Lab::new(16, &[0xe9, 0xfd, 0x8f]).run(1).cpu.rip, 0x1000 & 0xffff);
}

/// Goal: LOOP and its kin count in the address size and look at ZF; JCXZ looks at the count; method: literal counts.
#[test]
fn loops() {
    let taken = |bits, code: &[u8], rcx, flags| {
        let lab = Lab::new(bits, code).with(RCX, rcx).with_flags(flags).run(1);
        (lab.cpu.rip != CODE + code.len() as u64, lab.reg(RCX))
    };
    assert_eq!(taken(64, &[0xe2, 0x10], 1, 0), (false, 0));
    assert_eq!(taken(64, &[0xe2, 0x10], 0, 0), (true, u64::MAX));
    assert_eq!(taken(64, &[0x67, 0xe2, 0x10], 0, 0), (true, 0xffff_ffff));
    assert_eq!(taken(16, &[0xe2, 0x10], 0xabcd_0001, 0), (false, 0xabcd_0000));
    assert_eq!(taken(32, &[0xe1, 0x10], 5, ZF), (true, 4));
    assert_eq!(taken(32, &[0xe1, 0x10], 5, 0), (false, 4));
    assert_eq!(taken(32, &[0xe0, 0x10], 5, ZF), (false, 4));
    assert!(!taken(64, &[0xe3, 0x10], 1 << 32, 0).0);
    assert!(taken(64, &[0x67, 0xe3, 0x10], 1 << 32, 0).0);
    assert!(taken(16, &[0xe3, 0x10], 0x10000, 0).0);
}

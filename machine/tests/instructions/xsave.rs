//! The XSAVE family.

use crate::lab::{DATA, Lab};
use machine::cpu::gpr::{RAX, RCX, RDX, RSI};
use machine::cpu::{X87, cr0, cr4};
use machine::fault::vector;

/// With CR4.OSXSAVE, both components enabled and asked for, RSI at an area of zeros.
fn lab(code: &[u8]) -> Lab {
    let mut lab = Lab::new(64, code).with(RSI, DATA).with(RAX, 3);
    lab.cpu.cr4 |= cr4::OSXSAVE;
    lab.cpu.xcr0 = 3;
    lab.cpu.x87 = X87::initialized([0; 8]);
    lab
}

const XSAVE: [u8; 3] = [0x0f, 0xae, 0x26];
const XRSTOR: [u8; 3] = [0x0f, 0xae, 0x2e];

/// Goal: the header tells what was not in its initial state, and XRSTOR puts that back; method: each component alone and both.
#[test]
fn components() {
    for (x87, sse) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut lab = lab(&[XSAVE, XRSTOR].concat());
        if x87 {
            lab.cpu.x87.push_raw(0x3fff_8000_0000_0000_0000);
        }
        if sse {
            lab.cpu.xmm[15] = 7;
        }
        lab.cpu.mxcsr = 0x1fa0;
        let saved = lab.cpu.clone();
        let mut lab = lab.run(1);
        assert_eq!(lab.memory(DATA + 512), (u64::from(x87) | u64::from(sse) << 1).to_le_bytes());
        assert_eq!(lab.memory(DATA + 24), 0xffff_0000_1fa0u64.to_le_bytes());
        lab.cpu.x87.push_raw(5);
        (lab.cpu.xmm, lab.cpu.mxcsr) = ([9; 16], 0x1f80);
        let lab = lab.run(1);
        assert_eq!((lab.cpu.x87, lab.cpu.xmm, lab.cpu.mxcsr), (saved.x87, saved.xmm, saved.mxcsr));
    }
}

/// Goal: what is not asked for is left alone, in memory and in registers; method: masks 1 and 2.
#[test]
fn mask() {
    let mut lab = lab(&[XSAVE, XRSTOR].concat()).with(RAX, 1);
    lab.bus.ram.write_slice(DATA, &[0xaa; 512]);
    (lab.cpu.xmm[0], lab.cpu.x87.r[0]) = (7, 7);
    let mut lab = lab.run(1);
    assert_eq!(lab.memory::<2>(DATA), 0x37fu16.to_le_bytes());
    assert_eq!((lab.memory::<1>(DATA + 24), lab.memory::<1>(DATA + 160)), ([0xaa], [0xaa]));
    lab.cpu.xmm[0] = 8;
    assert_eq!(lab.run(1).cpu.xmm[0], 8);
}

/// Goal: each check; method: one wrong thing at a time.
#[test]
fn checks() {
    let vector = |code: &[u8], change: fn(&mut Lab)| {
        let mut lab = lab(code);
        change(&mut lab);
        lab.fault().vector
    };
    for code in [&XSAVE[..], &XRSTOR, &[0x0f, 0x01, 0xd0], &[0x0f, 0x01, 0xd1]] {
        assert_eq!(vector(code, |lab| lab.cpu.cr4 &= !cr4::OSXSAVE), vector::INVALID_OPCODE, "{code:x?}");
    }
    for code in [XSAVE, XRSTOR] {
        assert_eq!(vector(&code, |lab| lab.cpu.cr0 |= cr0::TS), vector::DEVICE_NOT_AVAILABLE);
        assert_eq!(vector(&code, |lab| lab.cpu.gpr[RSI] += 32), vector::GENERAL_PROTECTION);
    }
    for (at, byte) in [(512, 4), (527, 0x80), (520, 1), (528, 1), (26, 1)] {
        let lab = lab(&XRSTOR).with_memory(DATA + at, &[byte]);
        assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION, "byte {at}");
    }
}

/// Goal: XCR0 reads as written and takes nothing senseless; method: XGETBV, XSETBV with good and bad values.
#[test]
fn xcr0() {
    let lab = lab(&[0x0f, 0x01, 0xd1, 0x0f, 0x01, 0xd0]).with(RAX, 1).with(RDX, 0).run(1);
    let lab = lab.with(RDX, 5).run(1);
    assert_eq!((lab.reg(RAX), lab.reg(RDX), lab.cpu.xcr0), (1, 0, 1));
    for (rax, rcx) in [(2, 0), (7, 0), (0, 0), (1, 1)] {
        let lab = self::lab(&[0x0f, 0x01, 0xd1]).with(RAX, rax).with(RCX, rcx);
        assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION);
    }
}

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
    for (at, byte) in [(512, 4), (513, 2), (527, 0x40), (520, 1), (528, 1), (26, 1)] {
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
    for (rax, rcx) in [(2, 0), (7, 0), (0, 0), (0x200, 0), (1, 1)] {
        let lab = self::lab(&[0x0f, 0x01, 0xd1]).with(RAX, rax).with(RCX, rcx);
        assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION);
    }
}

/// XSAVEOPT, XSAVEC of the area at RSI.
const XSAVEOPT: [u8; 3] = [0x0f, 0xae, 0x36];
const XSAVEC: [u8; 3] = [0x0f, 0xc7, 0x26];
/// XGETBV.
const XGETBV: [u8; 3] = [0x0f, 0x01, 0xd0];

/// Goal: PKRU is a component of its own, behind the header in both forms; method: saved and restored by each instruction.
#[test]
fn pkru() {
    for save in [XSAVE, XSAVEOPT, XSAVEC] {
        let mut lab = lab(&[save, XRSTOR, XRSTOR].concat()).with(RAX, 0x200);
        (lab.cpu.xcr0, lab.cpu.pkru) = (0x203, 0x1234_5678);
        let mut lab = lab.run(1);
        assert_eq!(
            (lab.memory(DATA + 512), lab.memory(DATA + 576)),
            (0x200u64.to_le_bytes(), 0x1234_5678u64.to_le_bytes())
        );
        lab.cpu.pkru = 7;
        let mut lab = lab.run(1);
        assert_eq!(lab.cpu.pkru, 0x1234_5678);
        lab.bus.ram.write(DATA + 512, 0u64.to_le_bytes());
        assert_eq!(lab.run(1).cpu.pkru, 0, "its initial state");
    }
}

/// Goal: XSAVEOPT leaves what is in its initial state unwritten, but for MXCSR; method: an area of AAh, nothing in use.
#[test]
fn optimized() {
    let mut lab = lab(&XSAVEOPT);
    lab.bus.ram.write_slice(DATA, &[0xaa; 512]);
    let lab = lab.run(1);
    assert_eq!((lab.memory::<1>(DATA), lab.memory::<1>(DATA + 160)), ([0xaa], [0xaa]));
    assert_eq!((lab.memory(DATA + 24), lab.memory(DATA + 512)), (0x1f80u32.to_le_bytes(), [0; 8]));
}

/// Goal: the compacted form: what it names, what it leaves out, and what XRSTOR refuses of it; method: a round trip with one
/// component in use, then one wrong thing at a time.
#[test]
fn compacted() {
    let mut saved = lab(&[XSAVEC, XRSTOR].concat());
    saved.cpu.xmm[3] = 9;
    saved.bus.ram.write_slice(DATA, &[0xaa; 32]);
    let mut saved = saved.run(1);
    let header = [2u64.to_le_bytes(), (1 << 63 | 3u64).to_le_bytes()].concat();
    assert_eq!((saved.memory::<16>(DATA + 512).to_vec(), saved.memory::<1>(DATA)), (header, [0xaa]));
    (saved.cpu.xmm[3], saved.cpu.mxcsr) = (1, 0x1fa0);
    saved.cpu.x87.push_raw(5);
    let back = saved.clone().run(1);
    assert_eq!((back.cpu.xmm[3], back.cpu.mxcsr), (9, 0x1f80));
    assert_eq!(back.cpu.x87, X87::initialized([0; 8]), "not in the area: its initial state");
    // A component that XCR0 has not, one that XCOMP_BV has not, and bytes that must be 0.
    for (at, byte) in [(520, 7), (520, 1), (528, 1), (575, 1)] {
        let lab = saved.clone().with_memory(DATA + at, &[byte]);
        assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION, "byte {at}");
    }
    // MXCSR alone counts as the component in use.
    let mut lab = lab(&XSAVEC);
    lab.cpu.mxcsr = 0x1fa0;
    let lab = lab.run(1);
    assert_eq!((lab.memory(DATA + 512), lab.memory(DATA + 24)), (2u64.to_le_bytes(), 0x1fa0u32.to_le_bytes()));
}

/// Goal: XCR1 tells what is in use, and PKRU's instructions keep their rules; method: one component after the other, each check.
#[test]
fn in_use_and_pkru() {
    let mut used = lab(&XGETBV).with(RCX, 1);
    (used.cpu.xcr0, used.cpu.pkru) = (0x203, 4);
    used.cpu.xmm[0] = 1;
    assert_eq!(used.run(1).reg(RAX), 0x202);
    const RDPKRU: [u8; 3] = [0x0f, 0x01, 0xee];
    const WRPKRU: [u8; 3] = [0x0f, 0x01, 0xef];
    let keyed = |code: &[u8]| {
        let mut lab = Lab::ring3(64, code).with(RAX, 0x1_0000_0005).with(RCX, 1 << 32).with(RDX, 1 << 32);
        lab.cpu.cr4 |= cr4::PKE;
        lab
    };
    let lab = keyed(&[WRPKRU, RDPKRU].concat()).run(1).with(RAX, u64::MAX).with(RDX, u64::MAX).run(1);
    assert_eq!((lab.cpu.pkru, lab.reg(RAX), lab.reg(RDX)), (5, 5, 0));
    assert_eq!(keyed(&WRPKRU).with(RDX, 1).fault().vector, vector::GENERAL_PROTECTION);
    for code in [RDPKRU, WRPKRU] {
        assert_eq!(keyed(&code).with(RCX, 1).fault().vector, vector::GENERAL_PROTECTION);
        let mut lab = keyed(&code);
        lab.cpu.cr4 &= !cr4::PKE;
        assert_eq!(lab.fault().vector, vector::INVALID_OPCODE);
    }
}

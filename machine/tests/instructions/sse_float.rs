//! Floating point in XMM registers and MMX, on any host; `tests/native` asks the host's processor about all of it.

use crate::lab::{DATA, HOLE, Lab};
use machine::cpu::flags::{CF, OF, PF, SF, ZF};
use machine::cpu::gpr::{RAX, RCX, RDI, RDX, RSI};
use machine::cpu::{cr0, cr4};
use machine::fault::vector;

/// All masked.
const MASKED: u32 = 0x1f80;

fn lab(code: &[u8], xmm0: u128, xmm1: u128, mxcsr: u32) -> Lab {
    let mut lab = Lab::new(64, code).with(RSI, DATA);
    lab.cpu.cr0 |= cr0::NE | cr0::MP;
    lab.cpu.cr4 |= cr4::OSXMMEXCPT;
    (lab.cpu.xmm[0], lab.cpu.xmm[1], lab.cpu.mxcsr) = (xmm0, xmm1, mxcsr);
    lab
}

/// Goal: rounding, DAZ, FTZ and each flag; method: literal doubles and singles.
#[test]
fn arithmetic() {
    const ONE: u128 = 0x3ff0_0000_0000_0000;
    const TINY: u128 = 0x0010_0000_0000_0000;
    const DENORMAL: u128 = 1;
    let (addsd, mulsd, divsd, sqrtsd) = (0x58, 0x59, 0x5e, 0x51);
    for (op, a, b, mode, expected, flags) in [
        (addsd, ONE, ONE, 0, 0x4000_0000_0000_0000, 0),
        // 1 / 3 in the four directions: nearest, down, up, to zero.
        (divsd, ONE, 0x4008_0000_0000_0000, 0, 0x3fd5_5555_5555_5555, 0x20),
        (divsd, ONE, 0x4008_0000_0000_0000, 0x2000, 0x3fd5_5555_5555_5555, 0x20),
        (divsd, ONE, 0x4008_0000_0000_0000, 0x4000, 0x3fd5_5555_5555_5556, 0x20),
        (divsd, ONE, 0x4008_0000_0000_0000, 0x6000, 0x3fd5_5555_5555_5555, 0x20),
        (divsd, ONE, 0, 0, 0x7ff0_0000_0000_0000, 4),
        (divsd, 0, 0, 0, 0xfff8_0000_0000_0000, 1),
        (mulsd, 0x7fe0_0000_0000_0000, 0x7fe0_0000_0000_0000, 0, 0x7ff0_0000_0000_0000, 0x28),
        (mulsd, 0x7fe0_0000_0000_0000, 0x7fe0_0000_0000_0000, 0x6000, 0x7fef_ffff_ffff_ffff, 0x28),
        (mulsd, TINY, 0x3fe0_0000_0000_0000, 0, 0x0008_0000_0000_0000, 0),
        (mulsd, TINY | 1, 0x3fe0_0000_0000_0000, 0, 0x0008_0000_0000_0000, 0x30),
        (mulsd, TINY | 1, 0x3fe0_0000_0000_0000, 0x8000, 0, 0x30),
        (addsd, DENORMAL, ONE, 0, ONE, 0x22),
        (addsd, DENORMAL, ONE, 0x40, ONE, 0),
        (sqrtsd, 0, 0x4000_0000_0000_0000, 0, 0x3ff6_a09e_667f_3bcd, 0x20),
        (sqrtsd, 0, 0xbff0_0000_0000_0000, 0, 0xfff8_0000_0000_0000, 1),
        // A signaling NaN is made quiet; of two NaNs the first counts.
        (addsd, 0x7ff0_0000_0000_0001, 0x7ff8_0000_0000_0002, 0, 0x7ff8_0000_0000_0001, 1),
    ] {
        let lab = lab(&[0xf2, 0x0f, op, 0xc1], a, b, MASKED | mode).run(1);
        assert_eq!((lab.cpu.xmm[0], lab.cpu.mxcsr & 0x3f), (expected, flags), "{op:x} {a:x} {b:x} {mode:x}");
    }
}

/// Goal: an unmasked exception is #XM, or #UD without CR4.OSXMMEXCPT, sets its flag and leaves the register; method: 1 / 0.
#[test]
fn unmasked() {
    let divide = || lab(&[0x0f, 0x5e, 0xc1], u128::MAX >> 1, 0x3f80_0000, MASKED & !0x200);
    let mut lab = divide();
    lab.cpu.xmm[0] = 0x3f80_0000_3f80_0000_3f80_0000_3f80_0000;
    assert!(lab.step().is_err());
    // The other three lanes divide by zero; the lowest one is exact.
    assert_eq!((lab.cpu.mxcsr & 0x3f, lab.cpu.xmm[0]), (4, 0x3f80_0000_3f80_0000_3f80_0000_3f80_0000));
    let fault = |change: fn(&mut Lab)| {
        let mut lab = divide();
        lab.cpu.xmm[0] = 1 << 120;
        change(&mut lab);
        lab.fault().vector
    };
    assert_eq!(fault(|_| {}), vector::SIMD_FLOATING_POINT);
    assert_eq!(fault(|lab| lab.cpu.cr4 &= !cr4::OSXMMEXCPT), vector::INVALID_OPCODE);
}

/// Goal: approximations are as close as the SDM asks; method: 1000 operands, error below 1.5 * 2^-12 of the result.
#[test]
fn approximations() {
    for step in 0..1000u32 {
        let bits = 0x3f80_0000 + step * 0x2_0813;
        let x = f32::from_bits(bits);
        for (op, exact) in [(0x53, 1.0 / f64::from(x)), (0x52, 1.0 / f64::from(x).sqrt())] {
            let result = lab(&[0xf3, 0x0f, op, 0xc1], 0, bits.into(), MASKED).run(1);
            let got = f64::from(f32::from_bits(result.cpu.xmm[0] as u32));
            assert!((got / exact - 1.0).abs() < 1.5 / 4096.0, "{op:x} {x}: {got}");
            assert_eq!(result.cpu.mxcsr, MASKED);
        }
    }
}

/// Goal: COMISD's flags and conversions that do not fit; method: literal values.
#[test]
fn compare_and_convert() {
    let one = 0x3ff0_0000_0000_0000;
    let nan = 0x7ff8_0000_0000_0000;
    for (a, b, flags) in [(one, 0, 0), (0, one, CF), (one, one, ZF), (nan, one, ZF | PF | CF)] {
        let lab = lab(&[0x66, 0x0f, 0x2f, 0xc1], a, b, MASKED).with_flags(OF | SF).run(1);
        assert_eq!(lab.cpu.rflags & (CF | PF | ZF | OF | SF), flags);
        assert_eq!(lab.cpu.mxcsr & 1 != 0, a == nan);
    }
    // cvtsd2si eax, xmm1 and cvttsd2si rax, xmm1 of 2.5, -2.5, 1e300
    for (value, nearest, cut, flags) in [
        (0x4004_0000_0000_0000, 2, 2, 0x20),
        (0xc004_0000_0000_0000, 0xffff_fffe, 0xffff_ffff_ffff_fffe, 0x20),
        (0x7e37_e43c_8800_759c, 0x8000_0000, 1 << 63, 1),
    ] {
        let lab1 = lab(&[0xf2, 0x0f, 0x2d, 0xc1], 0, value, MASKED).run(1);
        assert_eq!((lab1.reg(RAX), lab1.cpu.mxcsr & 0x3f), (nearest, flags));
        let lab2 = lab(&[0xf2, 0x48, 0x0f, 0x2c, 0xc1], 0, value, MASKED).run(1);
        assert_eq!((lab2.reg(RAX), lab2.cpu.mxcsr & 0x3f), (cut, flags));
    }
}

/// Goal: MASKMOVDQU writes the chosen bytes and asks for no others; method: bytes beyond a page that is not there.
#[test]
fn masked_store() {
    let select = |mask: u128, at: u64| {
        let mut lab = lab(&[0x66, 0x0f, 0xf7, 0xc1], 0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100, mask, MASKED);
        lab.cpu.gpr[RDI] = at;
        lab
    };
    let lab = select(0x80 << 8 | 0xff << 120, DATA).with_memory(DATA, &[0xaa; 16]).run(1);
    let mut expected = [0xaa; 16];
    (expected[1], expected[15]) = (1, 15);
    assert_eq!(lab.memory(DATA), expected);
    assert_eq!(select(0x80 << 120, HOLE - 8).fault().vector, vector::PAGE_FAULT);
    select(0x80, HOLE - 8).with(RSI, 0);
    let mut lab = select(0x80, HOLE - 8);
    assert!(lab.step().is_ok());
}

/// Goal: MMX instructions take the x87 over, and EMMS gives it back; #MF and #NM come first; method: PADDW, EMMS.
#[test]
fn mmx() {
    // paddw mm1, mm2; emms
    let code = [0x0f, 0xfd, 0xca, 0x0f, 0x77];
    let mut lab = lab(&code, 0, 0, MASKED);
    (lab.cpu.x87.r[1], lab.cpu.x87.r[2]) = (0xffff_0001, 0x1_0001);
    lab.cpu.x87.fcw = 0x37f;
    lab.cpu.x87.set_top(5);
    lab.cpu.x87.ftw = 0;
    let before = lab.clone();
    let lab = lab.run(1);
    assert_eq!(lab.cpu.x87.r[1], 0xffff << 64 | 2);
    assert_eq!((lab.cpu.x87.top(), lab.cpu.x87.ftw), (0, 0xff));
    assert_eq!(lab.run(1).cpu.x87.ftw, 0);
    let fault = |change: fn(&mut Lab)| {
        let mut lab = before.clone();
        change(&mut lab);
        lab.fault().vector
    };
    assert_eq!(fault(|lab| lab.cpu.cr0 |= cr0::EM), vector::INVALID_OPCODE);
    assert_eq!(fault(|lab| lab.cpu.cr0 |= cr0::TS), vector::DEVICE_NOT_AVAILABLE);
    assert_eq!(fault(|lab| (lab.cpu.x87.fcw, lab.cpu.x87.fsw) = (0x37e, 0x8081)), vector::X87_FLOATING_POINT);
}

/// Goal: string comparison; method: find "lo" in "hello", a byte in a range, lengths by register.
#[test]
fn text() {
    let word = |text: &str| text.bytes().rev().fold(0u128, |value, byte| value << 8 | u128::from(byte));
    // pcmpistri xmm0, xmm1, 0ch: substring
    let lab1 = lab(&[0x66, 0x0f, 0x3a, 0x63, 0xc1, 0x0c], word("lo"), word("hello"), MASKED).run(1);
    assert_eq!((lab1.reg(RCX), lab1.flag(CF), lab1.flag(ZF), lab1.flag(SF)), (3, true, true, true));
    // pcmpestrm xmm0, xmm1, 44h: ranges, as a mask of bytes
    let lab2 = lab(&[0x66, 0x0f, 0x3a, 0x60, 0xc1, 0x44], word("az09"), word("A-b-7-z"), MASKED);
    let lab2 = lab2.with(RAX, 4).with(RDX, 7).run(1);
    assert_eq!(lab2.cpu.xmm[0], 0xff_00_ff_00_ff_00_00);
}

/// Goal: a misaligned operand of 16 bytes is #GP(0) but for those that allow it; method: ADDPS, LDDQU, PCMPISTRI, ADDSD.
#[test]
fn alignment() {
    let at = |code: &[u8]| lab(code, 0, 0, MASKED).with(RSI, DATA + 4);
    assert_eq!(at(&[0x0f, 0x58, 0x06]).fault().vector, vector::GENERAL_PROTECTION);
    assert_eq!(at(&[0x66, 0x0f, 0x38, 0x2a, 0x06]).fault().vector, vector::GENERAL_PROTECTION);
    for free in [&[0xf2, 0x0f, 0xf0, 0x06][..], &[0x66, 0x0f, 0x3a, 0x63, 0x06, 0], &[0xf2, 0x0f, 0x58, 0x06]] {
        at(free).run(1);
    }
}

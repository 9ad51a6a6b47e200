//! POPCNT, LZCNT, TZCNT, BMI1, BMI2, ADX, CRC32, MOVBE: the examples and bit-by-bit models; and what tells of them.

use crate::lab::{DATA, Lab};
use crate::model::edges;
use machine::cpu::flags::{AF, CF, OF, PF, SF, STATUS, ZF};
use machine::cpu::gpr::{RAX, RBX, RCX, RDX};
use machine::fault::vector;

/// A VEX instruction on RAX or EAX, RBX (ModRM.rm), RCX (vvvv) and so on; `map` 2 or 3, `pp` the prefix.
fn vex(map: u8, pp: u8, opcode: u8, modrm: u8, vvvv: u8, wide: bool) -> Vec<u8> {
    vec![0xc4, 0xe0 | map, u8::from(wide) << 7 | (15 - vvvv) << 3 | pp, opcode, modrm]
}

fn cut(value: u64, bits: u32) -> u64 {
    if bits == 64 { value } else { value & 0xffff_ffff }
}

/// Goal: counts and their flags; method: edge values against a count bit by bit, in three widths.
#[test]
fn counts() {
    for (prefix, bits) in [(&[0x66u8][..], 16u32), (&[], 32), (&[0x48], 64)] {
        for value in edges(bits / 8) {
            let ones: Vec<bool> = (0..bits).map(|bit| value >> bit & 1 != 0).collect();
            let leading = ones.iter().rev().take_while(|&&one| !one).count() as u64;
            let trailing = ones.iter().take_while(|&&one| !one).count() as u64;
            let total = ones.iter().filter(|&&one| one).count() as u64;
            for (opcode, expected) in [(0xb8, total), (0xbd, leading), (0xbc, trailing)] {
                let (before, after) = prefix.split_at(usize::from(bits == 16));
                let code = [before, &[0xf3], after, &[0x0f, opcode, 0xc1]].concat();
                let lab = Lab::new(64, &code).with(RCX, value).with_flags(STATUS).run(1);
                assert_eq!(lab.reg(RAX), expected, "{code:x?} of {value:x}");
                if opcode == 0xb8 {
                    assert_eq!(lab.cpu.rflags & STATUS, if value == 0 { ZF } else { 0 });
                } else {
                    assert_eq!((lab.flag(CF), lab.flag(ZF)), (value == 0, expected == 0), "{code:x?} of {value:x}");
                }
            }
        }
    }
}

/// Goal: BMI1 and BMI2 in both widths; method: edge values against models that go bit by bit, flags included.
#[test]
fn bit_manipulation() {
    for (wide, bits) in [(false, 32u32), (true, 64)] {
        for a in edges(bits / 8) {
            for b in edges(bits / 8) {
                check_pair(wide, bits, a, b);
            }
        }
    }
}

fn check_pair(wide: bool, bits: u32, a: u64, b: u64) {
    // op rax, rbx, rcx with RBX = a as ModRM.rm, RCX = b in vvvv.
    let run = |pp: u8, opcode: u8| {
        let code = vex(2, pp, opcode, 0xc3, 1, wide);
        let lab = Lab::new(64, &code).with(RBX, a).with(RCX, b).with_flags(STATUS).run(1);
        (lab.reg(RAX), lab.cpu.rflags & STATUS)
    };
    let status = |result: u64, carry: bool| {
        let sign = if result >> (bits - 1) & 1 != 0 { SF } else { 0 };
        sign | if result == 0 { ZF } else { 0 } | if carry { CF } else { 0 }
    };
    let bit = |value: u64, index: u32| value >> index & 1;
    let result = cut(!b & a, bits);
    assert_eq!(run(0, 0xf2), (result, status(result, false)), "andn {a:x} {b:x}");
    let index = b as u32 & 0xff;
    let result = (0..bits.min(index)).map(|place| bit(a, place) << place).sum();
    assert_eq!(run(0, 0xf5), (result, status(result, index >= bits)), "bzhi {a:x} {b:x}");
    let (start, len) = (b as u32 & 0xff, b as u32 >> 8 & 0xff);
    let result = (0..len.min(bits)).filter(|n| start + n < bits).map(|n| bit(a, start + n) << n).sum();
    assert_eq!(run(0, 0xf7), (result, if result == 0 { ZF } else { 0 }), "bextr {a:x} {b:x}");
    let count = b as u32 % bits;
    assert_eq!(run(1, 0xf7), (cut(a << count, bits), STATUS), "shlx {a:x} {b:x}");
    assert_eq!(run(3, 0xf7), (a >> count, STATUS), "shrx {a:x} {b:x}");
    let sign = bit(a, bits - 1);
    let result = (0..bits).map(|n| if n + count < bits { bit(a, n + count) } else { sign } << n).sum();
    assert_eq!(run(2, 0xf7), (result, STATUS), "sarx {a:x} {b:x}");
    // The mask is ModRM.rm, the source vvvv.
    let places: Vec<u32> = (0..bits).filter(|&place| bit(a, place) != 0).collect();
    let pushed = places.iter().zip(0..).map(|(&place, n)| bit(b, place) << n).sum();
    assert_eq!(run(2, 0xf5), (pushed, STATUS), "pext {b:x} {a:x}");
    let spread = places.iter().zip(0..).map(|(&place, n)| bit(b, n) << place).sum();
    assert_eq!(run(3, 0xf5), (spread, STATUS), "pdep {b:x} {a:x}");
}

/// Goal: BLSR, BLSMSK, BLSI, RORX, MULX, also with both results to one register; method: small numbers.
#[test]
fn single_bits() {
    let run = |reg: u8, value: u64| {
        let code = vex(2, 0, 0xf3, 0xc0 | reg << 3 | 3, 0, true);
        let lab = Lab::new(64, &code).with(RBX, value).with_flags(OF | AF | PF).run(1);
        (lab.reg(RAX), lab.cpu.rflags & STATUS)
    };
    assert_eq!(run(1, 0b1011_0000), (0b1010_0000, 0));
    assert_eq!(run(1, 1 << 63), (0, ZF));
    assert_eq!(run(1, 0), (0, ZF | CF));
    assert_eq!(run(2, 0b1011_0000), (0b1_1111, 0));
    assert_eq!(run(2, 0), (u64::MAX, SF | CF));
    assert_eq!(run(3, 0b1011_0000), (0b1_0000, CF));
    assert_eq!(run(3, 0), (0, ZF));
    let mut rorx = vex(3, 3, 0xf0, 0xc3, 0, true);
    rorx.push(68);
    assert_eq!(Lab::new(64, &rorx).with(RBX, 0x1f).run(1).reg(RAX), 0xf000_0000_0000_0001);
    // mulx rax, rcx, rbx
    let lab = Lab::new(64, &vex(2, 3, 0xf6, 0xc3, 1, true)).with(RDX, u64::MAX).with(RBX, 16).run(1);
    assert_eq!((lab.reg(RAX), lab.reg(RCX)), (15, u64::MAX << 4));
    let lab = Lab::new(64, &vex(2, 3, 0xf6, 0xc3, 0, true)).with(RDX, u64::MAX).with(RBX, 16).run(1);
    assert_eq!(lab.reg(RAX), 15);
    assert_eq!(Lab::new(16, &vex(2, 0, 0xf2, 0xc3, 1, false)).fault().vector, vector::INVALID_OPCODE);
}

/// Goal: ADCX uses CF alone, ADOX OF alone; method: the carry in and out in both.
#[test]
fn two_carries() {
    for (prefix, flag, other) in [(0x66, CF, OF), (0xf3, OF, CF)] {
        let code = [prefix, 0x48, 0x0f, 0x38, 0xf6, 0xc1];
        let lab = Lab::new(64, &code).with(RAX, u64::MAX).with(RCX, 0).with_flags(flag | ZF).run(1);
        assert_eq!((lab.reg(RAX), lab.cpu.rflags & STATUS), (0, flag | ZF), "{code:x?}");
        let lab = Lab::new(64, &code).with(RAX, 1).with(RCX, 2).with_flags(other).run(1);
        assert_eq!((lab.reg(RAX), lab.cpu.rflags & STATUS), (3, other), "{code:x?}");
    }
}

/// Goal: CRC32 and MOVBE; method: the check value of CRC-32C ("123456789" gives E3069283), bytes in reverse.
#[test]
fn bytes_in_order() {
    // crc32 rax, qword [rbx]; crc32 eax, byte [rbx+8]
    let code = [0xf2, 0x48, 0x0f, 0x38, 0xf1, 0x03, 0xf2, 0x0f, 0x38, 0xf0, 0x43, 0x08];
    let lab = Lab::new(64, &code).with(RAX, 0xffff_ffff).with(RBX, DATA).with_memory(DATA, b"123456789").run(2);
    assert_eq!(lab.reg(RAX) ^ 0xffff_ffff, 0xe306_9283);
    for (code, expected) in [
        (&[0x66, 0x0f, 0x38, 0xf0, 0x03][..], 0xffff_ffff_ffff_0102),
        (&[0x0f, 0x38, 0xf0, 0x03], 0x0102_0304),
        (&[0x48, 0x0f, 0x38, 0xf0, 0x03], 0x0102_0304_0506_0708),
    ] {
        let lab = Lab::new(64, code).with(RAX, u64::MAX).with(RBX, DATA).with_memory(DATA, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(lab.run(1).reg(RAX), expected, "{code:x?}");
    }
    let lab = Lab::new(64, &[0x66, 0x0f, 0x38, 0xf1, 0x03]).with(RAX, 0x1234).with(RBX, DATA).run(1);
    assert_eq!(lab.memory(DATA), [0x12u8, 0x34, 0, 0]);
}

/// Goal: what is not there faults as it should, MONITOR and MWAIT check ring and ECX; method: vectors.
#[test]
fn absent_and_privileged() {
    for (code, vector) in [
        (&[0x0f, 0x33][..], vector::GENERAL_PROTECTION),
        (&[0x0f, 0x01, 0xee], vector::INVALID_OPCODE),
        (&[0x0f, 0x01, 0xef], vector::INVALID_OPCODE),
    ] {
        assert_eq!(Lab::new(64, code).fault().vector, vector, "{code:x?}");
    }
    for code in [&[0x0f, 0x01, 0xc8][..], &[0x0f, 0x01, 0xc9]] {
        assert_eq!(Lab::ring3(64, code).fault().vector, vector::INVALID_OPCODE);
        assert_eq!(Lab::new(64, code).with(RCX, 1).fault().vector, vector::GENERAL_PROTECTION);
        assert_eq!(Lab::new(64, code).with(RAX, DATA).run(1).cpu.rip, 0x8003);
    }
}

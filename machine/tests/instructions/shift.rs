//! Shifts, rotates, bit tests and scans, BSWAP.

use crate::lab::{DATA, Lab};
use crate::model::{cut, edges, result_flags, signed, sized};
use machine::cpu::flags::{AF, CF, OF, PF, SF, STATUS, ZF};
use machine::cpu::gpr::{RAX, RCX, RDX, RSI};

/// One bit at a time, as the definition goes: the value, CF, OF after `count` moves.
fn bit_by_bit(operation: u8, mut value: u64, count: u32, size: u32, carry: u64) -> (u64, bool, bool) {
    let top = 8 * size - 1;
    let (mut carry, mut overflow) = (carry != 0, false);
    for _ in 0..count {
        let (high, low, before) = (value >> top & 1, value & 1, value);
        let incoming = u64::from(carry);
        value = match operation {
            0 => value << 1 | high,
            1 => value >> 1 | low << top,
            2 => value << 1 | incoming,
            3 => value >> 1 | incoming << top,
            4 | 6 => value << 1,
            5 => value >> 1,
            _ => value >> 1 | high << top,
        };
        value = cut(value, size);
        carry = if matches!(operation, 0 | 2 | 4 | 6) { high != 0 } else { low != 0 };
        overflow = operation != 7 && (before ^ value) >> top & 1 != 0;
    }
    (value, carry, overflow)
}

/// Goal: the eight shifts and rotates and their flags by each count; method: edge values against moving bit by bit.
#[test]
fn every_count() {
    for size in [1, 2, 4, 8u32] {
        for operation in 0..8u8 {
            let code = sized(0xd3, 0xc0 | operation << 3, size);
            for (value, count) in edges(size).flat_map(|value| (0..=66u32).map(move |count| (value, count))) {
                let carry = u64::from(count) & 1;
                let lab =
                    Lab::new(64, &code).with(RAX, value).with(RCX, u64::from(count)).with_flags(carry | AF).run(1);
                let taken = count % if size == 8 { 64 } else { 32 };
                let (result, cf, of) = bit_by_bit(operation, value, taken, size, carry);
                let what = format!("operation {operation} size {size} {value:x} by {count}");
                assert_eq!(cut(lab.reg(RAX), size), result, "{what}");
                let old = carry | AF;
                let flags = lab.cpu.rflags & STATUS;
                if taken == 0 {
                    assert_eq!(flags, old, "{what}");
                    continue;
                }
                assert_eq!(flags & CF != 0, cf, "{what}");
                // OF is defined for single moves only.
                if taken == 1 {
                    assert_eq!(flags & OF != 0, of, "{what}");
                }
                let rest = if operation < 4 { AF } else { result_flags(result, size) };
                assert_eq!(flags & (SF | ZF | PF | AF), rest, "{what}");
            }
        }
    }
}

/// Goal: SHLD and SHRD within their defined counts; method: against a double-width shift.
#[test]
fn double_shifts() {
    for (size, prefix) in [(2, 0x66), (4, 0x3e), (8, 0x48)] {
        let bits = 8 * size;
        for (a, b) in edges(size).flat_map(|a| edges(size).map(move |b| (a, b))) {
            for count in 1..bits as u8 {
                let left = Lab::new(64, &[prefix, 0x0f, 0xa4, 0xd0, count]).with(RAX, a).with(RDX, b).run(1);
                let wide = (u128::from(a) << bits | u128::from(b)) << count;
                assert_eq!(cut(left.reg(RAX), size), cut((wide >> bits) as u64, size));
                assert_eq!(left.flag(CF), a >> (bits - u32::from(count)) & 1 != 0);
                let right = Lab::new(64, &[prefix, 0x0f, 0xac, 0xd0, count]).with(RAX, a).with(RDX, b).run(1);
                let wide = (u128::from(b) << bits | u128::from(a)) >> count;
                assert_eq!(cut(right.reg(RAX), size), cut(wide as u64, size));
                assert_eq!(right.flag(CF), a >> (count - 1) & 1 != 0);
                assert_eq!(right.flag(SF), signed(right.reg(RAX), size) < 0);
            }
        }
    }
}

/// Goal: bit tests reach beyond a memory operand by a register's index, not by an immediate; method: both signs.
#[test]
fn bit_strings() {
    // bts [rsi], eax
    let bts = [0x0f, 0xab, 0x06];
    let lab = Lab::new(64, &bts).with(RSI, DATA).with(RAX, 100).run(1);
    assert_eq!((lab.memory(DATA + 12), lab.flag(CF)), ([1 << 4], false));
    let lab = Lab::new(64, &bts).with(RSI, DATA).with(RAX, (-1i32) as u32 as u64).run(1);
    assert_eq!(lab.memory(DATA - 1), [0x80u8]);
    // btr dword ptr [rsi], 33
    let lab = Lab::new(64, &[0x0f, 0xba, 0x36, 33]).with(RSI, DATA).with_memory(DATA, &[0xff; 8]).run(1);
    assert_eq!((lab.memory(DATA), lab.flag(CF)), ([0xfd, 0xff, 0xff, 0xff, 0xff], true));
    // btc rax, rcx; bt ax, cx
    let lab = Lab::new(64, &[0x48, 0x0f, 0xbb, 0xc8]).with(RCX, 64 + 63).run(1);
    assert_eq!(lab.reg(RAX), 1 << 63);
    assert!(Lab::new(64, &[0x66, 0x0f, 0xa3, 0xc8]).with(RAX, 2).with(RCX, 17).run(1).flag(CF));
}

/// Goal: scans find the bit, keep the destination for 0, and stand in for TZCNT as compilers expect; BSWAP.
/// Method: literal values.
#[test]
fn scans_and_swap() {
    let run = |code: &[u8], source| {
        let lab = Lab::new(64, code).with(RAX, u64::MAX).with(RCX, source).run(1);
        (lab.reg(RAX), lab.flag(ZF))
    };
    assert_eq!(run(&[0x48, 0x0f, 0xbc, 0xc1], 1 << 40 | 1 << 50), (40, false));
    assert_eq!(run(&[0x48, 0x0f, 0xbd, 0xc1], 1 << 40 | 1 << 50), (50, false));
    assert_eq!(run(&[0xf3, 0x48, 0x0f, 0xbc, 0xc1], 1 << 7), (7, false));
    assert_eq!(run(&[0x48, 0x0f, 0xbc, 0xc1], 0), (u64::MAX, true));
    // bswap rax, bswap r9d
    assert_eq!(
        Lab::new(64, &[0x48, 0x0f, 0xc8]).with(RAX, 0x0102_0304_0506_0708).run(1).reg(RAX),
        0x0807_0605_0403_0201
    );
    assert_eq!(Lab::new(64, &[0x41, 0x0f, 0xc9]).with(9, u64::MAX << 8).run(1).reg(9), 0x00ff_ffff);
}

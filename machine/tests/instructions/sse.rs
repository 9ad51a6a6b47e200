//! SSE and SSE2.

use crate::lab::{DATA, Lab};
use machine::cpu::gpr::{RAX, RCX, RSI};
use machine::cpu::{cr0, cr4};
use machine::fault::vector;

const A: u128 = 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff;
const B: u128 = 0xf0e0_d0c0_b0a0_9080_7060_5040_3020_1001;

/// Executes `code` with A in XMM0 and B in XMM1; what XMM0 is then.
#[track_caller]
fn run(code: &[u8]) -> u128 {
    let mut lab = Lab::new(64, code);
    (lab.cpu.xmm[0], lab.cpu.xmm[1]) = (A, B);
    lab.run(1).cpu.xmm[0]
}

/// Lanes of `bits` bits, lowest first, as unsigned numbers.
fn lanes(value: u128, bits: u32) -> Vec<u128> {
    (0..128 / bits).map(|lane| value >> (lane * bits) & ((1u128 << bits) - 1)).collect()
}

fn joined(lanes: &[u128], bits: u32) -> u128 {
    lanes.iter().enumerate().map(|(lane, value)| (value & ((1u128 << bits) - 1)) << (lane as u32 * bits)).sum()
}

fn signed(value: u128, bits: u32) -> i128 {
    (value << (128 - bits)) as i128 >> (128 - bits)
}

type Lanewise = fn(i128, i128) -> i128;

/// Goal: lane-wise arithmetic; method: each opcode against a formula on wide numbers, signed or not.
#[test]
fn lanewise() {
    let cases: [(u8, u32, bool, Lanewise); 32] = [
        (0xfc, 8, false, |a, b| a + b),
        (0xfd, 16, false, |a, b| a + b),
        (0xfe, 32, false, |a, b| a + b),
        (0xd4, 64, false, |a, b| a + b),
        (0xf8, 8, false, |a, b| a - b),
        (0xf9, 16, false, |a, b| a - b),
        (0xfa, 32, false, |a, b| a - b),
        (0xfb, 64, false, |a, b| a - b),
        (0xdc, 8, false, |a, b| (a + b).min(255)),
        (0xdd, 16, false, |a, b| (a + b).min(65535)),
        (0xd8, 8, false, |a, b| (a - b).max(0)),
        (0xd9, 16, false, |a, b| (a - b).max(0)),
        (0xec, 8, true, |a, b| (a + b).clamp(-128, 127)),
        (0xed, 16, true, |a, b| (a + b).clamp(-32768, 32767)),
        (0xe8, 8, true, |a, b| (a - b).clamp(-128, 127)),
        (0xe9, 16, true, |a, b| (a - b).clamp(-32768, 32767)),
        (0xd5, 16, true, |a, b| a * b),
        (0xe5, 16, true, |a, b| (a * b) >> 16),
        (0xe4, 16, false, |a, b| (a * b) >> 16),
        (0xf4, 64, false, |a, b| (a & 0xffff_ffff) * (b & 0xffff_ffff)),
        (0xe0, 8, false, |a, b| (a + b + 1) / 2),
        (0xe3, 16, false, |a, b| (a + b + 1) / 2),
        (0xde, 8, false, i128::max),
        (0xda, 8, false, i128::min),
        (0xee, 16, true, i128::max),
        (0xea, 16, true, i128::min),
        (0x74, 8, true, |a, b| -i128::from(a == b)),
        (0x75, 16, true, |a, b| -i128::from(a == b)),
        (0x76, 32, true, |a, b| -i128::from(a == b)),
        (0x64, 8, true, |a, b| -i128::from(a > b)),
        (0x65, 16, true, |a, b| -i128::from(a > b)),
        (0x66, 32, true, |a, b| -i128::from(a > b)),
    ];
    for (opcode, bits, is_signed, f) in cases {
        let number = |lane: u128| if is_signed { signed(lane, bits) } else { lane as i128 };
        let pairs = lanes(A, bits).into_iter().zip(lanes(B, bits));
        let expected: Vec<u128> = pairs.map(|(a, b)| f(number(a), number(b)) as u128).collect();
        assert_eq!(run(&[0x66, 0x0f, opcode, 0xc1]), joined(&expected, bits), "66 0f {opcode:x}");
        if f(1, 1) == -1 {
            assert_eq!(run(&[0x66, 0x0f, opcode, 0xc0]), if opcode >= 0x74 { u128::MAX } else { 0 });
        }
    }
}

/// Goal: logic, shuffles, packing; method: literal results by hand or from the definition.
#[test]
fn rearranging() {
    assert_eq!(run(&[0x66, 0x0f, 0xdb, 0xc1]), A & B);
    assert_eq!(run(&[0x66, 0x0f, 0xdf, 0xc1]), !A & B);
    assert_eq!(run(&[0x0f, 0x56, 0xc1]), A | B);
    assert_eq!(run(&[0x0f, 0x57, 0xc0]), 0);
    // pshufd xmm0, xmm1, 0x1b reverses
    let mut reversed = lanes(B, 32);
    reversed.reverse();
    assert_eq!(run(&[0x66, 0x0f, 0x70, 0xc1, 0x1b]), joined(&reversed, 32));
    assert_eq!(run(&[0xf2, 0x0f, 0x70, 0xc1, 0x00]), 0xf0e0_d0c0_b0a0_9080_1001_1001_1001_1001);
    assert_eq!(run(&[0xf3, 0x0f, 0x70, 0xc1, 0xff]), 0xf0e0_f0e0_f0e0_f0e0_7060_5040_3020_1001);
    assert_eq!(run(&[0x0f, 0xc6, 0xc1, 0xe4]), 0xf0e0_d0c0_b0a0_9080_8899_aabb_ccdd_eeff);
    assert_eq!(run(&[0x66, 0x0f, 0x60, 0xc1]), 0x7088_6099_50aa_40bb_30cc_20dd_10ee_01ff);
    assert_eq!(run(&[0x66, 0x0f, 0x69, 0xc1]), 0xf0e0_0011_d0c0_2233_b0a0_4455_9080_6677);
    assert_eq!(run(&[0x66, 0x0f, 0x62, 0xc1]), 0x7060_5040_8899_aabb_3020_1001_ccdd_eeff);
    assert_eq!(run(&[0x66, 0x0f, 0x6c, 0xc1]), (B as u64 as u128) << 64 | A as u64 as u128);
    assert_eq!(run(&[0x66, 0x0f, 0x6d, 0xc1]), B >> 64 << 64 | A >> 64);
    // packuswb: negative words give 0, large ones 255
    assert_eq!(run(&[0x66, 0x0f, 0x67, 0xc1]) as u64, 0x11_ff_ff_ff_00_00_00_00);
    assert_eq!(run(&[0x66, 0x0f, 0x63, 0xc1]) as u64, 0x11_7f_7f_7f_80_80_80_80);
    assert_eq!(run(&[0x66, 0x0f, 0x6b, 0xc1]) as u64, 0x7fff_7fff_8000_8000);
}

/// Goal: shifts by immediate and register, counts beyond the lane; method: literal results.
#[test]
fn shifts() {
    assert_eq!(run(&[0x66, 0x0f, 0x73, 0xf8, 3]), A << 24);
    assert_eq!(run(&[0x66, 0x0f, 0x73, 0xd8, 16]), 0);
    assert_eq!(run(&[0x66, 0x0f, 0x73, 0xd8, 5]), A >> 40);
    assert_eq!(run(&[0x66, 0x0f, 0x73, 0xd0, 4]), 0x0001_1223_3445_5667_0889_9aab_bccd_deef);
    assert_eq!(run(&[0x66, 0x0f, 0x71, 0xe0, 15]), 0x0000_0000_0000_0000_ffff_ffff_ffff_ffff);
    assert_eq!(run(&[0x66, 0x0f, 0x72, 0xe0, 200]), 0x0000_0000_0000_0000_ffff_ffff_ffff_ffff);
    // psllq xmm0, xmm1: the count is the low 64 bits, far too many
    assert_eq!(run(&[0x66, 0x0f, 0xf3, 0xc1]), 0);
}

/// Goal: sums across lanes and sign masks; method: definitions.
#[test]
fn across_lanes() {
    let words = |value: u128| lanes(value, 16).into_iter().map(|lane| signed(lane, 16)).collect::<Vec<_>>();
    let (a, b) = (words(A), words(B));
    let sums: Vec<u128> =
        (0..4).map(|lane| (a[2 * lane] * b[2 * lane] + a[2 * lane + 1] * b[2 * lane + 1]) as u128).collect();
    assert_eq!(run(&[0x66, 0x0f, 0xf5, 0xc1]), joined(&sums, 32));
    let differences: Vec<u128> = lanes(A, 8).into_iter().zip(lanes(B, 8)).map(|(a, b)| a.abs_diff(b)).collect();
    let sums = [differences[..8].iter().sum(), differences[8..].iter().sum()];
    assert_eq!(run(&[0x66, 0x0f, 0xf6, 0xc1]), joined(&sums, 64));
    let mask = |code: &[u8]| {
        let mut lab = Lab::new(64, code).with(RAX, u64::MAX);
        lab.cpu.xmm[1] = B;
        lab.run(1).reg(RAX)
    };
    assert_eq!(mask(&[0x66, 0x0f, 0xd7, 0xc1]), 0b1111_1111_0000_0000);
    assert_eq!(mask(&[0x0f, 0x50, 0xc1]), 0b1100);
    assert_eq!(mask(&[0x66, 0x0f, 0x50, 0xc1]), 0b10);
    assert_eq!(mask(&[0x66, 0x0f, 0xc5, 0xc1, 7]), 0xf0e0);
}

/// Goal: moves touch the right bytes of registers and memory; method: each form once, loads from B in memory.
#[test]
fn moves() {
    let load = |code: &[u8]| {
        let mut lab = Lab::new(64, code).with(RSI, DATA).with(RCX, u64::MAX).with_memory(DATA, &B.to_le_bytes());
        lab.cpu.xmm[0] = A;
        lab.run(1)
    };
    let (low, high) = (u128::from(u64::MAX), u128::from(u64::MAX) << 64);
    for (code, expected) in [
        (&[0x0f, 0x28, 0x06][..], B),
        (&[0x66, 0x0f, 0x6f, 0x06], B),
        (&[0xf3, 0x0f, 0x7e, 0x06], B & low),
        (&[0x66, 0x0f, 0x6e, 0x06], B & 0xffff_ffff),
        (&[0x66, 0x48, 0x0f, 0x6e, 0xc1], low),
        (&[0x66, 0x0f, 0x6e, 0xc1], 0xffff_ffff),
        (&[0xf3, 0x0f, 0x10, 0x06], B & 0xffff_ffff),
        (&[0xf2, 0x0f, 0x10, 0x06], B & low),
        (&[0x0f, 0x12, 0x06], A & high | B & low),
        (&[0x0f, 0x16, 0x06], A & low | (B & low) << 64),
        (&[0x66, 0x0f, 0xc4, 0x06, 2], A & !(0xffff << 32) | (B & 0xffff) << 32),
    ] {
        assert_eq!(load(code).cpu.xmm[0], expected, "{code:x?}");
    }
    assert_eq!(run(&[0xf3, 0x0f, 0x10, 0xc1]), A & !0xffff_ffff | B & 0xffff_ffff);
    assert_eq!(run(&[0xf2, 0x0f, 0x10, 0xc1]), A & high | B & low);
    assert_eq!(run(&[0x0f, 0x12, 0xc1]), A & high | B >> 64);
    assert_eq!(run(&[0x0f, 0x16, 0xc1]), A & low | B << 64);
    for (code, bytes, from) in [
        (&[0x0f, 0x29, 0x06][..], 16, A),
        (&[0xf3, 0x0f, 0x7f, 0x06], 16, A),
        (&[0x66, 0x0f, 0xe7, 0x06], 16, A),
        (&[0x66, 0x0f, 0xd6, 0x06], 8, A),
        (&[0x66, 0x0f, 0x7e, 0x06], 4, A),
        (&[0xf3, 0x0f, 0x11, 0x06], 4, A),
        (&[0xf2, 0x0f, 0x11, 0x06], 8, A),
        (&[0x0f, 0x17, 0x06], 8, A >> 64),
        (&[0x0f, 0x13, 0x06], 8, A),
    ] {
        let mut expected = B.to_le_bytes();
        expected[..bytes].copy_from_slice(&from.to_le_bytes()[..bytes]);
        assert_eq!(load(code).memory(DATA), expected, "{code:x?}");
    }
    assert_eq!(load(&[0x66, 0x0f, 0x7e, 0xc1]).reg(RCX), A as u32 as u64);
    assert_eq!(load(&[0x66, 0x48, 0x0f, 0x7e, 0xc1]).reg(RCX), A as u64);
}

/// Goal: who may use SSE, and alignment; method: the control bits one by one, a misaligned operand.
#[test]
fn availability() {
    let lab = || Lab::new(64, &[0x0f, 0x28, 0x06]).with(RSI, DATA + 8);
    assert_eq!(lab().fault().vector, vector::GENERAL_PROTECTION);
    let mut movups = Lab::new(64, &[0x0f, 0x10, 0x06]).with(RSI, DATA + 8);
    movups.cpu.cr0 |= cr0::MP;
    movups.run(1);
    let change = |change: fn(&mut Lab)| {
        let mut lab = lab();
        change(&mut lab);
        lab.fault().vector
    };
    assert_eq!(change(|lab| lab.cpu.cr0 |= cr0::EM), vector::INVALID_OPCODE);
    assert_eq!(change(|lab| lab.cpu.cr4 &= !cr4::OSFXSR), vector::INVALID_OPCODE);
    assert_eq!(change(|lab| lab.cpu.cr0 |= cr0::TS), vector::DEVICE_NOT_AVAILABLE);
}

/// Goal: FXSAVE's image is the SDM's and FXRSTOR reads it back; MXCSR; method: save, clear, restore.
#[test]
fn state() {
    // fxsave [rsi]; fxrstor [rsi]
    let mut lab = Lab::new(64, &[0x0f, 0xae, 0x06, 0x0f, 0xae, 0x0e]).with(RSI, DATA);
    lab.bus.ram.write_slice(DATA, &[0xaa; 512]);
    (lab.cpu.xmm[0], lab.cpu.xmm[15], lab.cpu.mxcsr) = (A, B, 0x1fc0);
    (lab.cpu.x87.fcw, lab.cpu.x87.r[7]) = (0x37f, 5 << 64 | 1);
    let saved = lab.cpu.clone();
    let mut lab = lab.run(1);
    assert_eq!(lab.memory(DATA), 0x37fu16.to_le_bytes());
    assert_eq!(lab.memory(DATA + 24), 0xffff_0000_1fc0u64.to_le_bytes());
    assert_eq!(lab.memory(DATA + 32 + 7 * 16), (5u128 << 64 | 1).to_le_bytes());
    assert_eq!(lab.memory(DATA + 160), A.to_le_bytes());
    assert_eq!(lab.memory(DATA + 400), B.to_le_bytes());
    assert_eq!(lab.memory(DATA + 416), [0xaau8; 96]);
    (lab.cpu.xmm, lab.cpu.mxcsr, lab.cpu.x87) = ([0; 16], 0x1f80, Default::default());
    let lab = lab.run(1);
    assert_eq!((lab.cpu.xmm, lab.cpu.mxcsr, lab.cpu.x87), (saved.xmm, saved.mxcsr, saved.x87));
    assert_eq!(Lab::new(64, &[0x0f, 0xae, 0x06]).with(RSI, DATA + 8).fault().vector, vector::GENERAL_PROTECTION);
    // ldmxcsr [rsi] with a reserved bit; stmxcsr [rsi]
    let lab = Lab::new(64, &[0x0f, 0xae, 0x16]).with(RSI, DATA).with_memory(DATA, &0x1_0000u32.to_le_bytes());
    assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION);
    assert_eq!(Lab::new(64, &[0x0f, 0xae, 0x1e]).with(RSI, DATA).run(1).memory(DATA), 0x1f80u32.to_le_bytes());
}

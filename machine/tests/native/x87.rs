//! The x87 on both.

use crate::record::{Case, State, compare};
use crate::values::Random;
use machine::cpu::X87;

/// A state with a stack partly filled, and any control word.
fn state(random: &mut Random) -> State {
    let mut x87 = X87::initialized([0; 8]);
    x87.r = std::array::from_fn(|_| random.extended());
    x87.ftw = if random.below(4) == 0 { random.next() as u8 } else { 0xff };
    x87.set_top(random.below(8) as usize);
    // FXRSTOR leaves condition codes as they are given.
    x87.fsw |= (random.next() as u16) & 0x4700;
    let masks = if random.below(3) == 0 { random.below(64) as u16 } else { 0x3f };
    x87.load_control((random.below(4) << 10) as u16 | random.pick(&[0x000, 0x200, 0x300]) | masks);
    let mut state = State { x87, flags: random.next() & 0x8d5, ..State::default() };
    let operand = match random.below(4) {
        0 => random.single().into(),
        1 => random.double().into(),
        2 => random.integer().into(),
        _ => random.extended(),
    };
    state.data = std::array::from_fn(|_| random.next() as u8);
    state.data[..16].copy_from_slice(&operand.to_le_bytes());
    state.gpr = std::array::from_fn(|_| random.next());
    state
}

/// Transcendental functions: each processor rounds the last bits as it likes.
fn is_transcendental(code: &[u8]) -> bool {
    code[0] == 0xd9 && matches!(code[1], 0xf0..=0xf3 | 0xf9 | 0xfb | 0xfe | 0xff)
}

/// Comparisons, which leave the condition codes where an unmasked exception comes first (SDM 2A, "FCOM"); AMD's set them.
fn is_comparison(code: &[u8]) -> bool {
    match (code[0], code[1] >> 3 & 7, code[1] >= 0xc0) {
        (0xd8 | 0xda | 0xdc | 0xde, 2 | 3, false) | (0xd8 | 0xdc | 0xde, 2 | 3, true) => true,
        (0xdd, 4 | 5, true) | (0xdb | 0xdf, 5 | 6, true) => true,
        _ => matches!(code, [0xda, 0xe9] | [0xd9, 0xe4]),
    }
}

fn forgive(case: &Case, host: &mut State, ours: &mut State) {
    // The SDM has FCOMI clear C1, AMD's leave it.
    if matches!((case.code[0], case.code[1]), (0xdb | 0xdf, 0xe8..=0xf7)) {
        host.x87.fsw &= !0x200;
        ours.x87.fsw &= !0x200;
    }
    if is_comparison(&case.code) && ours.x87.fsw & 0x80 != 0 {
        for state in [host, ours] {
            state.x87.fsw &= !0x4500;
            state.flags = 0;
        }
    }
}

/// Goal: every x87 instruction but the transcendental gives what the host's does: registers, tags, status, exceptions masked
/// and not; method: random stacks and memory for every encoding, all directions of rounding and precisions.
#[test]
fn x87() {
    let mut random = Random::new(1);
    let mut cases = Vec::new();
    for opcode in 0xd8..=0xdfu8 {
        for modrm in (0xc0..=0xffu8).chain((0..8).map(|reg| reg << 3 | 6)) {
            let code = vec![opcode, modrm];
            let is_memory = modrm < 0xc0;
            // FLDENV, FRSTOR, FNSAVE, FNSTENV: pointers, which processors keep differently.
            let is_environment = is_memory && matches!((opcode, modrm >> 3), (0xd9 | 0xdd, 4) | (0xd9 | 0xdd, 6));
            if is_environment || is_transcendental(&code) {
                continue;
            }
            for _ in 0..if is_memory { 400 } else { 60 } {
                cases.push(Case { code: code.clone(), state: state(&mut random) });
            }
        }
    }
    for code in [[0xd9, 0xfa], [0xd9, 0xf8], [0xd9, 0xf5], [0xd9, 0xfd], [0xd9, 0xfc], [0xd9, 0xf4]] {
        for _ in 0..1500 {
            cases.push(Case { code: code.to_vec(), state: state(&mut random) });
        }
    }
    compare(&cases, forgive);
}

/// Goal: transcendental functions are within one unit in the last place of the host's; method: random operands, results,
/// tags and all flags but rounding up, underflow and inexactness compared.
#[test]
fn transcendental() {
    let mut random = Random::new(2);
    let mut cases = Vec::new();
    for second in [0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff] {
        for _ in 0..1000 {
            cases.push(Case { code: vec![0xd9, second], state: state(&mut random) });
        }
    }
    // Where the SDM defines no result for F2XM1 and FYL2XP1.
    cases.retain(|case| {
        let x = case.state.x87.raw(0) >> 64 & 0x7fff;
        !matches!(case.code[1], 0xf0 | 0xf9) || x < if case.code[1] == 0xf0 { 0x3fff } else { 0x3ffd }
    });
    compare(&cases, |_, host, ours| {
        let ordinal = |raw: u128| (raw >> 64 << 63 | raw & (u128::MAX >> 65)) as i128;
        for (theirs, own) in host.x87.r.iter_mut().zip(&ours.x87.r) {
            if ordinal(*theirs).abs_diff(ordinal(*own)) <= 1 {
                *theirs = *own;
            }
        }
        for state in [host, ours] {
            state.x87.fsw &= !0x82b0;
        }
    });
}

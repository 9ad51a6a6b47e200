//! SSE to SSE4.2 on XMM registers, on both.

use crate::record::{Case, State, compare};
use crate::values::Random;
use iced_x86::{CpuidFeature, Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

/// What both have, beyond the integer instructions.
const FEATURES: [CpuidFeature; 8] = [
    CpuidFeature::MMX,
    CpuidFeature::SSE,
    CpuidFeature::SSE2,
    CpuidFeature::SSE3,
    CpuidFeature::SSSE3,
    CpuidFeature::SSE4_1,
    CpuidFeature::SSE4_2,
    CpuidFeature::FXSR,
];

/// Approximations, whose digits are each processor's own; state and its masks, which differ; stores through RDI; hints;
/// integer instructions.
fn is_left_out(instruction: &Instruction) -> bool {
    matches!(
        instruction.mnemonic(),
        Mnemonic::Rcpps
            | Mnemonic::Rcpss
            | Mnemonic::Rsqrtps
            | Mnemonic::Rsqrtss
            | Mnemonic::Ldmxcsr
            | Mnemonic::Fxsave
            | Mnemonic::Fxsave64
            | Mnemonic::Fxrstor
            | Mnemonic::Fxrstor64
            | Mnemonic::Maskmovq
            | Mnemonic::Maskmovdqu
            | Mnemonic::Prefetchnta
            | Mnemonic::Prefetcht0
            | Mnemonic::Prefetcht1
            | Mnemonic::Prefetcht2
            | Mnemonic::Sfence
            | Mnemonic::Lfence
            | Mnemonic::Mfence
            | Mnemonic::Crc32
    )
}

/// An encoding of each instruction: between two registers, and with memory at RSI where it has some.
pub fn encodings() -> Vec<(Vec<u8>, Instruction)> {
    let mut found = Vec::new();
    let prefixes: [&[u8]; 8] = [&[], &[0x66], &[0xf3], &[0xf2], &[0x48], &[0x66, 0x48], &[0xf3, 0x48], &[0xf2, 0x48]];
    let maps: [&[u8]; 3] = [&[0x0f], &[0x0f, 0x38], &[0x0f, 0x3a]];
    for prefix in prefixes {
        for map in maps {
            for opcode in 0..=0xffu8 {
                // Shifts by immediates have their operation in ModRM.
                // The other maps begin with these.
                if map.len() == 1 && matches!(opcode, 0x38 | 0x3a) {
                    continue;
                }
                let is_group = map.len() == 1 && (0x71..=0x73).contains(&opcode);
                let registers = if is_group { (0..8).map(|op| 0xc1 | op << 3).collect() } else { vec![0xc1, 0xd3] };
                for modrm in registers.into_iter().chain([0x06]) {
                    let code = [prefix, map, &[opcode, modrm, 0, 0, 0, 0]].concat();
                    let instruction = Decoder::new(64, &code, DecoderOptions::NONE).decode();
                    let features = instruction.cpuid_features();
                    let is_ours = features.iter().all(|feature| FEATURES.contains(feature)) && !features.is_empty();
                    if !instruction.is_invalid() && is_ours && !is_left_out(&instruction) {
                        found.push((code[..instruction.len()].to_vec(), instruction));
                    }
                }
            }
        }
    }
    found
}

/// 16 bytes of singles, doubles, integers or anything.
fn operand(random: &mut Random) -> u128 {
    let pairs = |low: u64, high: u64| u128::from(high) << 64 | u128::from(low);
    match random.below(4) {
        0 => {
            let mut single = || u64::from(random.single());
            pairs(single() | single() << 32, single() | single() << 32)
        }
        1 => pairs(random.double(), random.double()),
        2 => {
            let mut small = || u64::from(random.integer() as u32);
            pairs(small() | small() << 32, small() | small() << 32)
        }
        _ => pairs(random.next(), random.next()),
    }
}

/// Registers, memory, and any MXCSR: mostly masked.
pub fn random_state(random: &mut Random) -> State {
    let mut state = State { flags: random.next() & 0x8d5, ..State::default() };
    state.xmm = std::array::from_fn(|_| operand(random));
    // Related operands meet in comparisons.
    if random.below(4) == 0 {
        state.xmm[1] = state.xmm[0];
    }
    state.gpr = std::array::from_fn(|_| random.integer());
    for start in (0..state.data.len()).step_by(16) {
        let value = if random.below(8) == 0 { state.xmm[0] } else { operand(random) };
        state.data[start..start + 16].copy_from_slice(&value.to_le_bytes());
    }
    let masks = if random.below(4) == 0 { random.below(64) as u32 } else { 0x3f };
    let modes = random.pick(&[0, 0, 0x40, 0x8000, 0x8040]);
    state.mxcsr = masks << 7 | (random.below(4) as u32) << 13 | modes | random.pick(&[0, 0, 0x3f]) & masks;
    state
}

/// Goal: every instruction on XMM registers gives what the host's does: results, MXCSR, flags, #XM; method: all encodings
/// that the decoder knows, random registers, memory and MXCSR.
#[test]
fn sse() {
    let mut random = Random::new(4);
    let mut cases = Vec::new();
    for (code, instruction) in encodings() {
        let is_mmx = (0..instruction.op_count())
            .any(|index| instruction.op_kind(index) == OpKind::Register && instruction.op_register(index).is_mm());
        if is_mmx {
            continue;
        }
        let has_immediate = instruction.op_kind(instruction.op_count().saturating_sub(1)) == OpKind::Immediate8;
        for _ in 0..if has_immediate { 500 } else { 200 } {
            let mut code = code.clone();
            if has_immediate {
                *code.last_mut().expect("an immediate") = random.next() as u8;
            }
            cases.push(Case { code, state: random_state(&mut random) });
        }
    }
    assert!(cases.len() > 50_000);
    compare(&cases, |_, _, _| {});
}

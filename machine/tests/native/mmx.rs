//! MMX on both, with what SSE to SSSE3 added to it.

use crate::record::{Case, State, compare};
use crate::sse::{encodings, random_state};
use crate::values::Random;
use iced_x86::OpKind;

/// Goal: every instruction on MMX registers gives what the host's does, the x87's stack and tags included; method: all
/// encodings that the decoder knows, random registers, memory and MXCSR.
#[test]
fn mmx() {
    let mut random = Random::new(3);
    let mut cases = Vec::new();
    for (code, instruction) in encodings() {
        let is_mmx = (0..instruction.op_count())
            .any(|index| instruction.op_kind(index) == OpKind::Register && instruction.op_register(index).is_mm());
        if !is_mmx && code != [0x0f, 0x77] {
            continue;
        }
        for _ in 0..150 {
            let mut code = code.clone();
            if instruction.op_kind(instruction.op_count().saturating_sub(1)) == OpKind::Immediate8 {
                *code.last_mut().expect("an immediate") = random.next() as u8;
            }
            let mut state: State = random_state(&mut random);
            state.x87.set_top(random.below(8) as usize);
            state.x87.ftw = random.next() as u8;
            state.x87.r = std::array::from_fn(|_| random.extended());
            cases.push(Case { code, state });
        }
    }
    assert!(cases.len() > 10_000);
    compare(&cases, |_, _, _| {});
}

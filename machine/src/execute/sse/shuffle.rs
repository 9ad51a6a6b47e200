//! Rearranging lanes: PSHUF, SHUFPS, unpacking, packing.

use super::integer;
use super::lanes::{bytes, dwords, from_bytes, from_dwords, from_qwords, from_words, qwords, words};
use crate::decode::Op;

/// The rearranged value, None where the operation is of another family.
pub fn compute(op: Op, a: u128, b: u128, imm: u8) -> Option<u128> {
    // Two bits of the immediate for each result lane.
    let pick = |lane: usize| usize::from(imm >> (2 * lane) & 3);
    Some(match op {
        Op::Pshufd => from_dwords(std::array::from_fn(|lane| dwords(b)[pick(lane)])),
        Op::Pshuflw => {
            let words = words(b);
            from_words(std::array::from_fn(|lane| if lane < 4 { words[pick(lane)] } else { words[lane] }))
        }
        Op::Pshufhw => {
            let words = words(b);
            from_words(std::array::from_fn(|lane| if lane < 4 { words[lane] } else { words[4 + pick(lane - 4)] }))
        }
        Op::Shufps => {
            let (a, b) = (dwords(a), dwords(b));
            from_dwords([a[pick(0)], a[pick(1)], b[pick(2)], b[pick(3)]])
        }
        Op::Shufpd => from_qwords([qwords(a)[usize::from(imm & 1)], qwords(b)[usize::from(imm >> 1 & 1)]]),
        Op::Punpcklbw => interleave_bytes(a, b, 0),
        Op::Punpckhbw => interleave_bytes(a, b, 8),
        Op::Punpcklwd => interleave_words(a, b, 0),
        Op::Punpckhwd => interleave_words(a, b, 4),
        Op::Punpckldq | Op::Unpcklps => interleave_dwords(a, b, 0),
        Op::Punpckhdq | Op::Unpckhps => interleave_dwords(a, b, 2),
        Op::Punpcklqdq | Op::Unpcklpd => from_qwords([qwords(a)[0], qwords(b)[0]]),
        Op::Punpckhqdq | Op::Unpckhpd => from_qwords([qwords(a)[1], qwords(b)[1]]),
        _ => return integer::pack(op, a, b),
    })
}

fn interleave_bytes(a: u128, b: u128, from: usize) -> u128 {
    let sources = [bytes(a), bytes(b)];
    from_bytes(std::array::from_fn(|lane| sources[lane & 1][from + lane / 2]))
}

fn interleave_words(a: u128, b: u128, from: usize) -> u128 {
    let sources = [words(a), words(b)];
    from_words(std::array::from_fn(|lane| sources[lane & 1][from + lane / 2]))
}

fn interleave_dwords(a: u128, b: u128, from: usize) -> u128 {
    let sources = [dwords(a), dwords(b)];
    from_dwords(std::array::from_fn(|lane| sources[lane & 1][from + lane / 2]))
}

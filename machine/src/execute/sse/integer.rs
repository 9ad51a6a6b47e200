//! Packed integer arithmetic, comparison, logic and shifts on XMM registers.

use super::lanes::{
    bytes, dwords, from_bytes, from_dwords, from_qwords, from_words, qwords, words, zip_bytes, zip_dwords, zip_qwords,
    zip_words,
};
use crate::decode::Op;

/// `a op b`, None where the operation is of another family.
pub fn compute(op: Op, a: u128, b: u128) -> Option<u128> {
    Some(match op {
        Op::Andps | Op::Andpd | Op::Pand => a & b,
        Op::Andnps | Op::Andnpd | Op::Pandn => !a & b,
        Op::Orps | Op::Orpd | Op::Por => a | b,
        Op::Xorps | Op::Xorpd | Op::Pxor => a ^ b,
        Op::Paddb => zip_bytes(a, b, u8::wrapping_add),
        Op::Paddw => zip_words(a, b, u16::wrapping_add),
        Op::Paddd => zip_dwords(a, b, u32::wrapping_add),
        Op::Paddq => zip_qwords(a, b, u64::wrapping_add),
        Op::Psubb => zip_bytes(a, b, u8::wrapping_sub),
        Op::Psubw => zip_words(a, b, u16::wrapping_sub),
        Op::Psubd => zip_dwords(a, b, u32::wrapping_sub),
        Op::Psubq => zip_qwords(a, b, u64::wrapping_sub),
        Op::Paddusb => zip_bytes(a, b, u8::saturating_add),
        Op::Paddusw => zip_words(a, b, u16::saturating_add),
        Op::Psubusb => zip_bytes(a, b, u8::saturating_sub),
        Op::Psubusw => zip_words(a, b, u16::saturating_sub),
        Op::Paddsb => zip_bytes(a, b, |a, b| (a as i8).saturating_add(b as i8) as u8),
        Op::Paddsw => zip_words(a, b, |a, b| (a as i16).saturating_add(b as i16) as u16),
        Op::Psubsb => zip_bytes(a, b, |a, b| (a as i8).saturating_sub(b as i8) as u8),
        Op::Psubsw => zip_words(a, b, |a, b| (a as i16).saturating_sub(b as i16) as u16),
        Op::Pmullw => zip_words(a, b, u16::wrapping_mul),
        Op::Pmulhw => zip_words(a, b, |a, b| ((i32::from(a as i16) * i32::from(b as i16)) >> 16) as u16),
        Op::Pmulhuw => zip_words(a, b, |a, b| ((u32::from(a) * u32::from(b)) >> 16) as u16),
        Op::Pmuludq => zip_qwords(a, b, |a, b| u64::from(a as u32) * u64::from(b as u32)),
        Op::Pmaddwd => multiply_add(a, b),
        Op::Psadbw => sum_of_differences(a, b),
        Op::Pavgb => zip_bytes(a, b, |a, b| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8),
        Op::Pavgw => zip_words(a, b, |a, b| ((u32::from(a) + u32::from(b) + 1) >> 1) as u16),
        Op::Pmaxub => zip_bytes(a, b, u8::max),
        Op::Pminub => zip_bytes(a, b, u8::min),
        Op::Pmaxsw => zip_words(a, b, |a, b| (a as i16).max(b as i16) as u16),
        Op::Pminsw => zip_words(a, b, |a, b| (a as i16).min(b as i16) as u16),
        Op::Pcmpeqb => zip_bytes(a, b, |a, b| if a == b { u8::MAX } else { 0 }),
        Op::Pcmpeqw => zip_words(a, b, |a, b| if a == b { u16::MAX } else { 0 }),
        Op::Pcmpeqd => zip_dwords(a, b, |a, b| if a == b { u32::MAX } else { 0 }),
        Op::Pcmpgtb => zip_bytes(a, b, |a, b| if a as i8 > b as i8 { u8::MAX } else { 0 }),
        Op::Pcmpgtw => zip_words(a, b, |a, b| if a as i16 > b as i16 { u16::MAX } else { 0 }),
        Op::Pcmpgtd => zip_dwords(a, b, |a, b| if a as i32 > b as i32 { u32::MAX } else { 0 }),
        _ => return None,
    })
}

/// PMADDWD: products of signed words, neighbours added. 8000h * 8000h twice wraps to 80000000h.
fn multiply_add(a: u128, b: u128) -> u128 {
    let (a, b) = (words(a), words(b));
    let product = |lane: usize| i32::from(a[lane] as i16) * i32::from(b[lane] as i16);
    from_dwords(std::array::from_fn(|lane| product(2 * lane).wrapping_add(product(2 * lane + 1)) as u32))
}

/// PSADBW: of each half the sum of its bytes' differences.
fn sum_of_differences(a: u128, b: u128) -> u128 {
    let (a, b) = (bytes(a), bytes(b));
    let sum = |half: usize| (8 * half..8 * half + 8).map(|lane| u64::from(a[lane].abs_diff(b[lane]))).sum();
    from_qwords([sum(0), sum(1)])
}

/// Shifts of all lanes by one count; None where the operation is of another family. Counts beyond the lane give 0, or
/// for arithmetic ones the sign.
pub fn shift(op: Op, a: u128, count: u128) -> Option<u128> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    Some(match op {
        Op::Psllw => from_words(words(a).map(|lane| lane.checked_shl(count).unwrap_or(0))),
        Op::Pslld => from_dwords(dwords(a).map(|lane| lane.checked_shl(count).unwrap_or(0))),
        Op::Psllq => from_qwords(qwords(a).map(|lane| lane.checked_shl(count).unwrap_or(0))),
        Op::Psrlw => from_words(words(a).map(|lane| lane.checked_shr(count).unwrap_or(0))),
        Op::Psrld => from_dwords(dwords(a).map(|lane| lane.checked_shr(count).unwrap_or(0))),
        Op::Psrlq => from_qwords(qwords(a).map(|lane| lane.checked_shr(count).unwrap_or(0))),
        Op::Psraw => from_words(words(a).map(|lane| (lane as i16 >> count.min(15)) as u16)),
        Op::Psrad => from_dwords(dwords(a).map(|lane| (lane as i32 >> count.min(31)) as u32)),
        Op::Pslldq => a.checked_shl(count.saturating_mul(8)).unwrap_or(0),
        Op::Psrldq => a.checked_shr(count.saturating_mul(8)).unwrap_or(0),
        _ => return None,
    })
}

/// PACKSSWB, PACKUSWB, PACKSSDW: the lanes of `a`, then of `b`, narrowed with saturation.
pub fn pack(op: Op, a: u128, b: u128) -> Option<u128> {
    let narrow = |lane: u16| match op {
        Op::Packsswb => (lane as i16).clamp(-128, 127) as u8,
        _ => (lane as i16).clamp(0, 255) as u8,
    };
    Some(match op {
        Op::Packsswb | Op::Packuswb => {
            let (a, b) = (words(a), words(b));
            from_bytes(std::array::from_fn(|lane| narrow(if lane < 8 { a[lane] } else { b[lane - 8] })))
        }
        Op::Packssdw => {
            let (a, b) = (dwords(a), dwords(b));
            let narrow = |lane: u32| (lane as i32).clamp(-0x8000, 0x7fff) as u16;
            from_words(std::array::from_fn(|lane| narrow(if lane < 4 { a[lane] } else { b[lane - 4] })))
        }
        _ => return None,
    })
}

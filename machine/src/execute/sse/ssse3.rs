//! Integer instructions of SSSE3 to SSE4.2 that compute lanes from lanes.

use super::lanes::{
    bytes, dwords, from_bytes, from_dwords, from_qwords, from_words, qwords, words, zip_bytes, zip_dwords, zip_qwords,
    zip_words,
};
use crate::decode::Op;

/// `a op b`, None where the operation is of another family.
pub fn compute(op: Op, a: u128, b: u128, imm: u8) -> Option<u128> {
    Some(match op {
        Op::Pshufb => {
            let a = bytes(a);
            from_bytes(bytes(b).map(|index| if index >> 7 != 0 { 0 } else { a[usize::from(index & 15)] }))
        }
        Op::Palignr => match u32::from(imm) * 8 {
            0 => b,
            shift @ 1..128 => b >> shift | a << (128 - shift),
            shift => a.checked_shr(shift - 128).unwrap_or(0),
        },
        Op::Phaddw => pairs_of_words(a, b, u16::wrapping_add),
        Op::Phsubw => pairs_of_words(a, b, u16::wrapping_sub),
        Op::Phaddsw => pairs_of_words(a, b, |x, y| (x as i16).saturating_add(y as i16) as u16),
        Op::Phsubsw => pairs_of_words(a, b, |x, y| (x as i16).saturating_sub(y as i16) as u16),
        Op::Phaddd => pairs_of_dwords(a, b, u32::wrapping_add),
        Op::Phsubd => pairs_of_dwords(a, b, u32::wrapping_sub),
        Op::Pabsb => from_bytes(bytes(b).map(|x| (x as i8).unsigned_abs())),
        Op::Pabsw => from_words(words(b).map(|x| (x as i16).unsigned_abs())),
        Op::Pabsd => from_dwords(dwords(b).map(|x| (x as i32).unsigned_abs())),
        Op::Psignb => zip_bytes(a, b, |x, y| x.wrapping_mul((y as i8).signum() as u8)),
        Op::Psignw => zip_words(a, b, |x, y| x.wrapping_mul((y as i16).signum() as u16)),
        Op::Psignd => zip_dwords(a, b, |x, y| x.wrapping_mul((y as i32).signum() as u32)),
        Op::Pmulhrsw => zip_words(a, b, |x, y| ((((i32::from(x as i16) * i32::from(y as i16)) >> 14) + 1) >> 1) as u16),
        Op::Pmaddubsw => {
            let (a, b) = (bytes(a), bytes(b));
            let product = |lane: usize| i32::from(a[lane]) * i32::from(b[lane] as i8);
            let sum = |lane: usize| (product(2 * lane) + product(2 * lane + 1)).clamp(-0x8000, 0x7fff) as u16;
            from_words(std::array::from_fn(sum))
        }
        Op::Pmulld => zip_dwords(a, b, u32::wrapping_mul),
        Op::Pmuldq => zip_qwords(a, b, |x, y| (i64::from(x as i32) * i64::from(y as i32)) as u64),
        Op::Pminsb => zip_bytes(a, b, |x, y| (x as i8).min(y as i8) as u8),
        Op::Pmaxsb => zip_bytes(a, b, |x, y| (x as i8).max(y as i8) as u8),
        Op::Pminuw => zip_words(a, b, u16::min),
        Op::Pmaxuw => zip_words(a, b, u16::max),
        Op::Pminud => zip_dwords(a, b, u32::min),
        Op::Pmaxud => zip_dwords(a, b, u32::max),
        Op::Pminsd => zip_dwords(a, b, |x, y| (x as i32).min(y as i32) as u32),
        Op::Pmaxsd => zip_dwords(a, b, |x, y| (x as i32).max(y as i32) as u32),
        Op::Pcmpeqq => zip_qwords(a, b, |x, y| if x == y { u64::MAX } else { 0 }),
        Op::Pcmpgtq => zip_qwords(a, b, |x, y| if x as i64 > y as i64 { u64::MAX } else { 0 }),
        Op::Packusdw => {
            let (a, b) = (dwords(a), dwords(b));
            let narrow = |x: u32| (x as i32).clamp(0, 0xffff) as u16;
            from_words(std::array::from_fn(|lane| narrow(if lane < 4 { a[lane] } else { b[lane - 4] })))
        }
        Op::Mpsadbw => sums_of_differences(a, b, imm),
        Op::Phminposuw => {
            let words = words(b);
            let (index, least) = (0..8).map(|lane| (lane, words[lane])).min_by_key(|&(_, word)| word)?;
            u128::from(least) | (index as u128) << 16
        }
        Op::Pblendw => choose(a, b, 8, |lane| imm >> lane & 1 != 0),
        Op::Blendps => choose(a, b, 4, |lane| imm >> lane & 1 != 0),
        Op::Blendpd => choose(a, b, 2, |lane| imm >> lane & 1 != 0),
        Op::Movsldup => from_dwords(std::array::from_fn(|lane| dwords(b)[lane & 2])),
        Op::Movshdup => from_dwords(std::array::from_fn(|lane| dwords(b)[lane | 1])),
        Op::Movddup => from_qwords([qwords(b)[0]; 2]),
        _ => return extend(op, b),
    })
}

/// The lanes of b that are chosen, of a the others.
fn choose(a: u128, b: u128, lanes: u32, is_chosen: impl Fn(u32) -> bool) -> u128 {
    let bits = 128 / lanes;
    let lane_mask = u128::MAX >> (128 - bits);
    let mask = (0..lanes).filter(|&lane| is_chosen(lane)).fold(0, |mask, lane| mask | lane_mask << (lane * bits));
    a & !mask | b & mask
}

/// PBLENDVB, BLENDVPS, BLENDVPD: lanes of b where the mask register's lane has its sign set.
pub fn blend_by_sign(op: Op, a: u128, b: u128, mask: u128) -> Option<u128> {
    let lanes = match op {
        Op::Pblendvb => 16,
        Op::Blendvps => 4,
        Op::Blendvpd => 2,
        _ => return None,
    };
    let bits = 128 / lanes;
    Some(choose(a, b, lanes, |lane| mask >> (lane * bits + bits - 1) & 1 != 0))
}

fn pairs_of_words(a: u128, b: u128, f: impl Fn(u16, u16) -> u16) -> u128 {
    let lanes = [words(a), words(b)];
    from_words(std::array::from_fn(|lane| {
        let source = lanes[lane / 4];
        f(source[2 * (lane % 4)], source[2 * (lane % 4) + 1])
    }))
}

fn pairs_of_dwords(a: u128, b: u128, f: impl Fn(u32, u32) -> u32) -> u128 {
    let lanes = [dwords(a), dwords(b)];
    from_dwords(std::array::from_fn(|lane| {
        let source = lanes[lane / 2];
        f(source[2 * (lane % 2)], source[2 * (lane % 2) + 1])
    }))
}

/// MPSADBW: eight sums of four differences, of a window that moves over a and four fixed bytes of b.
fn sums_of_differences(a: u128, b: u128, imm: u8) -> u128 {
    let (a, b) = (bytes(a), bytes(b));
    let (start, fixed) = (usize::from(imm >> 2 & 1) * 4, usize::from(imm & 3) * 4);
    let sum = |lane: usize| (0..4).map(|k| u16::from(a[start + lane + k].abs_diff(b[fixed + k]))).sum();
    from_words(std::array::from_fn(sum))
}

/// PMOVSX and PMOVZX: the low lanes widened.
fn extend(op: Op, b: u128) -> Option<u128> {
    Some(match op {
        Op::Pmovsxbw => from_words(std::array::from_fn(|lane| bytes(b)[lane] as i8 as u16)),
        Op::Pmovzxbw => from_words(std::array::from_fn(|lane| bytes(b)[lane].into())),
        Op::Pmovsxbd => from_dwords(std::array::from_fn(|lane| bytes(b)[lane] as i8 as u32)),
        Op::Pmovzxbd => from_dwords(std::array::from_fn(|lane| bytes(b)[lane].into())),
        Op::Pmovsxbq => from_qwords(std::array::from_fn(|lane| bytes(b)[lane] as i8 as u64)),
        Op::Pmovzxbq => from_qwords(std::array::from_fn(|lane| bytes(b)[lane].into())),
        Op::Pmovsxwd => from_dwords(std::array::from_fn(|lane| words(b)[lane] as i16 as u32)),
        Op::Pmovzxwd => from_dwords(std::array::from_fn(|lane| words(b)[lane].into())),
        Op::Pmovsxwq => from_qwords(std::array::from_fn(|lane| words(b)[lane] as i16 as u64)),
        Op::Pmovzxwq => from_qwords(std::array::from_fn(|lane| words(b)[lane].into())),
        Op::Pmovsxdq => from_qwords(std::array::from_fn(|lane| dwords(b)[lane] as i32 as u64)),
        Op::Pmovzxdq => from_qwords(std::array::from_fn(|lane| dwords(b)[lane].into())),
        _ => return None,
    })
}

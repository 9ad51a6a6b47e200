//! A second opinion on flags, by wide arithmetic instead of carries, and the edge values to try.

use machine::cpu::flags::{AF, CF, OF, PF, SF, ZF};

/// Values at which flags change.
pub const EDGES: [u64; 14] = [
    0,
    1,
    2,
    0xf,
    0x10,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
];

/// Each edge value and its complement, cut to the size.
pub fn edges(size: u32) -> impl Iterator<Item = u64> + Clone {
    EDGES.into_iter().flat_map(|value| [value, !value]).map(move |value| cut(value, size))
}

/// The low `size` bytes.
pub fn cut(value: u64, size: u32) -> u64 {
    if size == 8 { value } else { value % (1 << (8 * size)) }
}

/// The low `size` bytes as a signed number.
pub fn signed(value: u64, size: u32) -> i128 {
    let (value, modulus) = (i128::from(cut(value, size)), 1i128 << (8 * size));
    if value >= modulus / 2 { value - modulus } else { value }
}

/// SF, ZF, PF.
pub fn result_flags(result: u64, size: u32) -> u64 {
    let mut flags = 0;
    if signed(result, size) < 0 {
        flags |= SF;
    }
    if cut(result, size) == 0 {
        flags |= ZF;
    }
    if (result as u8).count_ones().is_multiple_of(2) {
        flags |= PF;
    }
    flags
}

/// a + b + carry, or a - b - carry, with its six flags.
pub fn add_or_sub(a: u64, b: u64, carry: u64, size: u32, is_sub: bool) -> (u64, u64) {
    let sign = if is_sub { -1 } else { 1 };
    let wide = i128::from(a) + sign * (i128::from(b) + i128::from(carry));
    let wide_signed = signed(a, size) + sign * (signed(b, size) + i128::from(carry));
    let nibble = i128::from(a & 15) + sign * (i128::from(b & 15) + i128::from(carry));
    let result = cut(wide as u64, size);
    let mut flags = result_flags(result, size);
    if !(0..1 << (8 * size)).contains(&wide) {
        flags |= CF;
    }
    if wide_signed != signed(result, size) {
        flags |= OF;
    }
    if !(0..16).contains(&nibble) {
        flags |= AF;
    }
    (result, flags)
}

/// `opcode modrm` of an instruction of this operand size in 64-bit mode; the byte form has opcode bit 0 clear.
pub fn sized(opcode: u8, modrm: u8, size: u32) -> Vec<u8> {
    match size {
        1 => vec![opcode & !1, modrm],
        2 => vec![0x66, opcode | 1, modrm],
        4 => vec![opcode | 1, modrm],
        _ => vec![0x48, opcode | 1, modrm],
    }
}

//! To integers and integral numbers.

use super::flag::{IE, PE};
use super::round::shift_right_jam;
use super::{Kind, Number, Rounding};

/// An integer, what it raises, and whether its magnitude was rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer {
    /// The value; None: invalid, it does not fit or is no number.
    pub value: Option<i64>,
    /// Of [`super::flag`]: IE or PE.
    pub flags: u8,
    /// Rounded up in magnitude.
    pub is_up: bool,
}

/// The magnitude rounded to an integer; inexact; rounded up. Only for exponents below 64.
fn rounded_magnitude(number: Number, rounding: Rounding) -> (u128, bool, bool) {
    // Two bits below the point are enough for any direction.
    let scaled = shift_right_jam(u128::from(number.significand) << 2, (63 - number.exponent) as u32);
    let (whole, rest) = (scaled >> 2, scaled & 3);
    let is_up = match rounding {
        Rounding::Nearest => rest == 3 || rest == 2 && whole & 1 != 0,
        Rounding::Down => number.negative && rest != 0,
        Rounding::Up => !number.negative && rest != 0,
        Rounding::Zero => false,
    };
    (whole + u128::from(is_up), rest != 0, is_up)
}

/// To a signed integer of `bits` bits.
pub fn to_int(number: Number, rounding: Rounding, bits: u32) -> Integer {
    let invalid = Integer { value: None, flags: IE, is_up: false };
    match number.kind {
        Kind::Zero => return Integer { value: Some(0), flags: 0, is_up: false },
        Kind::Finite if number.exponent < 64 => {}
        _ => return invalid,
    }
    let (magnitude, is_inexact, is_up) = rounded_magnitude(number, rounding);
    let limit = 1u128 << (bits - 1);
    if magnitude > limit || magnitude == limit && !number.negative {
        return invalid;
    }
    let value = if number.negative { (magnitude as u64).wrapping_neg() } else { magnitude as u64 };
    Integer { value: Some(value as i64), flags: if is_inexact { PE } else { 0 }, is_up }
}

/// Rounded to an integral number in its format (FRNDINT, ROUNDSS): the number, PE or 0, rounded up.
pub fn to_integral(number: Number, rounding: Rounding) -> (Number, u8, bool) {
    if number.kind != Kind::Finite || number.exponent >= 63 {
        return (number, 0, false);
    }
    let (magnitude, is_inexact, is_up) = rounded_magnitude(number, rounding);
    let flags = if is_inexact { PE } else { 0 };
    if magnitude == 0 {
        return (Number::zero(number.negative), flags, is_up);
    }
    let zeros = (magnitude as u64).leading_zeros();
    let integral =
        Number { is_denormal: false, exponent: 63 - zeros as i32, significand: (magnitude as u64) << zeros, ..number };
    (integral, flags, is_up)
}

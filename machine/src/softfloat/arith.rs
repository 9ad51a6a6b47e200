//! Addition, multiplication, division, square root, remainder and comparison, exact until they are rounded.
//!
//! NaNs are the caller's: x87 and SSE choose differently among two. So are unsupported encodings and denormal operands.

use super::flag::{IE, ZE};
use super::round::{Env, Rounded, round, shift_right_jam};
use super::{Exact, Format, Kind, Number, Rounding};
use std::cmp::Ordering;

/// A result before rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To be rounded.
    Exact(Exact),
    /// Zero, infinity or the default NaN, with the flags that it raises.
    Done(Number, u8),
}

impl Outcome {
    /// Rounded to a format; all flags together.
    pub fn round(self, format: &Format, env: &Env) -> Rounded {
        match self {
            Self::Exact(exact) => round(exact, format, env),
            Self::Done(number, flags) => Rounded { number, flags, is_up: false },
        }
    }
}

const INVALID: Outcome = Outcome::Done(Number::INDEFINITE, IE);

fn done(number: Number) -> Outcome {
    Outcome::Done(number, 0)
}

/// a + b. The sign of an exact zero depends on the rounding direction.
pub fn add(a: Number, b: Number, rounding: Rounding) -> Outcome {
    match (a.kind, b.kind) {
        (Kind::Infinity, Kind::Infinity) if a.negative != b.negative => INVALID,
        (Kind::Infinity, _) => done(a),
        (_, Kind::Infinity) => done(b),
        (Kind::Zero, Kind::Zero) if a.negative == b.negative => done(a),
        (Kind::Zero, Kind::Zero) => done(Number::zero(rounding == Rounding::Down)),
        (Kind::Zero, _) => Outcome::Exact(b.exact()),
        (_, Kind::Zero) => Outcome::Exact(a.exact()),
        _ => add_finite(a, b, rounding),
    }
}

fn add_finite(a: Number, b: Number, rounding: Rounding) -> Outcome {
    let (big, small) = if (a.exponent, a.significand) >= (b.exponent, b.significand) { (a, b) } else { (b, a) };
    // One bit is left free for a carry.
    let high = u128::from(big.significand) << 63;
    let low = shift_right_jam(u128::from(small.significand) << 63, (big.exponent - small.exponent) as u32);
    let sum = if a.negative == b.negative { high + low } else { high - low };
    if sum == 0 {
        return done(Number::zero(rounding == Rounding::Down));
    }
    let zeros = sum.leading_zeros();
    Outcome::Exact(Exact {
        negative: big.negative,
        exponent: big.exponent + 1 - zeros as i32,
        significand: sum << zeros,
    })
}

/// a * b.
pub fn mul(a: Number, b: Number) -> Outcome {
    let negative = a.negative != b.negative;
    match (a.kind, b.kind) {
        (Kind::Infinity, Kind::Zero) | (Kind::Zero, Kind::Infinity) => INVALID,
        (Kind::Infinity, _) | (_, Kind::Infinity) => done(Number::infinity(negative)),
        (Kind::Zero, _) | (_, Kind::Zero) => done(Number::zero(negative)),
        _ => {
            let product = u128::from(a.significand) * u128::from(b.significand);
            let zeros = product.leading_zeros();
            let exponent = a.exponent + b.exponent + 1 - zeros as i32;
            Outcome::Exact(Exact { negative, exponent, significand: product << zeros })
        }
    }
}

/// a / b.
pub fn div(a: Number, b: Number) -> Outcome {
    let negative = a.negative != b.negative;
    match (a.kind, b.kind) {
        (Kind::Infinity, Kind::Infinity) | (Kind::Zero, Kind::Zero) => INVALID,
        (Kind::Infinity, _) => done(Number::infinity(negative)),
        (_, Kind::Zero) => Outcome::Done(Number::infinity(negative), ZE),
        (Kind::Zero, _) | (_, Kind::Infinity) => done(Number::zero(negative)),
        _ => {
            let shift = if a.significand >= b.significand { 63 } else { 64 };
            let (dividend, divisor) = (u128::from(a.significand) << shift, u128::from(b.significand));
            let (high, rest) = (dividend / divisor, dividend % divisor);
            let (low, rest) = ((rest << 64) / divisor, (rest << 64) % divisor);
            let significand = high << 64 | low | u128::from(rest != 0);
            Outcome::Exact(Exact { negative, exponent: a.exponent - b.exponent + 63 - shift, significand })
        }
    }
}

/// The square root of a.
pub fn sqrt(a: Number) -> Outcome {
    match a.kind {
        Kind::Zero => done(a),
        _ if a.negative => INVALID,
        Kind::Infinity => done(a),
        _ => {
            // An even exponent; the radicand is in [1, 4), its two integer bits on top.
            let odd = a.exponent & 1;
            let mut radicand = u128::from(a.significand) << 63 << odd;
            let (mut root, mut rest) = (0u128, 0u128);
            for _ in 0..80 {
                rest = rest << 2 | radicand >> 126;
                radicand <<= 2;
                let trial = root << 2 | 1;
                root <<= 1;
                if rest >= trial {
                    rest -= trial;
                    root |= 1;
                }
            }
            let significand = root << 48 | u128::from(rest != 0);
            Outcome::Exact(Exact { negative: false, exponent: (a.exponent - odd) / 2, significand })
        }
    }
}

/// a and b by value; None: one is a NaN or unsupported.
pub fn compare(a: Number, b: Number) -> Option<Ordering> {
    let key = |n: Number| match n.kind {
        Kind::Zero => Some((0i8, 0, 0)),
        Kind::Finite => Some((if n.negative { -1 } else { 1 }, n.exponent, n.significand)),
        Kind::Infinity => Some((if n.negative { -1 } else { 1 }, i32::MAX, 0)),
        Kind::Nan | Kind::Unsupported => None,
    };
    let ((sign_a, exponent_a, a), (sign_b, exponent_b, b)) = (key(a)?, key(b)?);
    Some(sign_a.cmp(&sign_b).then_with(|| {
        let magnitude = (exponent_a, a).cmp(&(exponent_b, b));
        if sign_a < 0 { magnitude.reverse() } else { magnitude }
    }))
}

/// The remainder of a division.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remainder {
    /// The remainder, exact.
    pub number: Number,
    /// Low bits of the quotient. None: the reduction is partial (FPREM's C2).
    pub quotient: Option<u64>,
}

/// FPREM (`nearest` false) and FPREM1 of finite numbers, b not zero: a - b * q with q = a / b truncated, or rounded to
/// nearest even. Where the exponents differ by 64 or more it is reduced by part only (SDM 2A, "FPREM").
pub fn remainder(a: Number, b: Number, nearest: bool) -> Remainder {
    let distance = a.exponent - b.exponent;
    if distance < -1 || a.is_zero() {
        return Remainder { number: a, quotient: Some(0) };
    }
    if distance >= 64 {
        // 32 to 63 bits of the quotient at once, as the SDM allows.
        let bits = distance & 31 | 32;
        let (_, rest) = long_division(a.significand, b.significand, bits);
        return Remainder { number: scaled(a.negative, rest, a.exponent - bits), quotient: None };
    }
    // What is left is rest * 2^(b.exponent - 63).
    let (mut quotient, mut rest) =
        if distance >= 0 { long_division(a.significand, b.significand, distance) } else { (0, 0) };
    if distance < 0 {
        if !nearest || a.significand <= b.significand {
            // Below half of b, or just half: the even quotient is 0.
            return Remainder { number: a, quotient: Some(0) };
        }
        // b/2 < a < b: the nearest quotient is 1. a - b = -(2b - a) / 2 in units of a.
        let number = scaled(!a.negative, 2 * u128::from(b.significand) - u128::from(a.significand), a.exponent);
        return Remainder { number, quotient: Some(1) };
    }
    let mut negative = a.negative;
    let divisor = u128::from(b.significand);
    if nearest && (2 * rest > divisor || 2 * rest == divisor && quotient & 1 != 0) {
        rest = divisor - rest;
        negative = !negative;
        quotient = quotient.wrapping_add(1);
    }
    let number = if rest == 0 { Number::zero(a.negative) } else { scaled(negative, rest, b.exponent) };
    Remainder { number, quotient: Some(quotient) }
}

/// (a * 2^bits) / b and the rest, both significands; the quotient's low 64 bits.
fn long_division(a: u64, b: u64, bits: i32) -> (u64, u128) {
    let divisor = u128::from(b);
    let (mut quotient, mut rest) = (u64::from(a >= b), u128::from(a) % divisor);
    for _ in 0..bits {
        rest <<= 1;
        quotient <<= 1;
        if rest >= divisor {
            rest -= divisor;
            quotient |= 1;
        }
    }
    (quotient, rest)
}

/// rest * 2^(exponent - 63), `rest` below 2^65.
fn scaled(negative: bool, rest: u128, exponent: i32) -> Number {
    if rest == 0 {
        return Number::zero(negative);
    }
    let zeros = rest.leading_zeros() as i32;
    let significand = ((rest << zeros) >> 64) as u64;
    Number { negative, kind: Kind::Finite, is_denormal: false, exponent: exponent + 64 - zeros, significand }
}

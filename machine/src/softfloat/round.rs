//! Rounding an [`Exact`] result to a format, with overflow, underflow and inexactness.
//!
//! Source: SDM 1, "Rounding", "Numeric Overflow Exception (#O)", "Numeric Underflow Exception (#U)".

use super::flag::{OE, PE, UE};
use super::{Exact, Format, Kind, Number, Rounding};

/// How to round, and what happens with exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Env {
    /// Direction.
    pub rounding: Rounding,
    /// A flag of [`super::flag`] that is set here is masked.
    pub masked: u8,
    /// MXCSR.FTZ: a masked underflow gives zero.
    pub flush_to_zero: bool,
}

/// A result and what its rounding raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounded {
    /// The result; with unmasked overflow or underflow, its exponent is wrapped.
    pub number: Number,
    /// Of [`super::flag`]: OE, UE, PE.
    pub flags: u8,
    /// The magnitude became larger by rounding.
    pub is_up: bool,
}

/// Shifts right and keeps in bit 0 whether anything was lost.
pub fn shift_right_jam(value: u128, count: u32) -> u128 {
    match count {
        0 => value,
        1..=127 => value >> count | u128::from(value << (128 - count) != 0),
        _ => u128::from(value != 0),
    }
}

/// `value` without its `drop` lowest bits (1 to 127), rounded: kept bits, inexact, rounded up.
fn cut(value: u128, drop: u32, rounding: Rounding, negative: bool) -> (u128, bool, bool) {
    let (kept, rest, half) = (value >> drop, value & ((1 << drop) - 1), 1u128 << (drop - 1));
    let is_up = match rounding {
        Rounding::Nearest => rest > half || rest == half && kept & 1 != 0,
        Rounding::Down => negative && rest != 0,
        Rounding::Up => !negative && rest != 0,
        Rounding::Zero => false,
    };
    (kept + u128::from(is_up), rest != 0, is_up)
}

/// Rounds. The significand must not be 0.
pub fn round(exact: Exact, format: &Format, env: &Env) -> Rounded {
    let Exact { negative, exponent, significand } = exact;
    let drop = 128 - format.precision;
    let (kept, is_inexact, is_up) = cut(significand, drop, env.rounding, negative);
    let number = |kept: u128, exponent: i32| {
        // `kept` holds at most `precision` bits, or is the power of two just above; one bit of weight 2^exponent is at
        // place precision - 1.
        if kept == 0 {
            return Number::zero(negative);
        }
        let zeros = kept.leading_zeros();
        Number {
            negative,
            kind: Kind::Finite,
            is_denormal: false,
            exponent: exponent + 128 - zeros as i32 - format.precision as i32,
            significand: ((kept << zeros) >> 64) as u64,
        }
    };
    let whole = number(kept, exponent);
    let inexact = if is_inexact { PE } else { 0 };
    if whole.exponent > format.emax {
        if env.masked & OE == 0 {
            let number = Number { exponent: whole.exponent - format.wrap, ..whole };
            return Rounded { number, flags: OE | inexact, is_up };
        }
        return overflowed(negative, format, env);
    }
    if whole.exponent >= format.emin {
        return Rounded { number: whole, flags: inexact, is_up };
    }
    if env.masked & UE == 0 {
        let number = Number { exponent: whole.exponent + format.wrap, ..whole };
        return Rounded { number, flags: UE | inexact, is_up };
    }
    if env.flush_to_zero {
        return Rounded { number: Number::zero(negative), flags: UE | PE, is_up: false };
    }
    let jammed = shift_right_jam(significand, (format.emin - exponent) as u32);
    let (kept, is_inexact, is_up) = cut(jammed, drop, env.rounding, negative);
    let flags = if is_inexact { UE | PE } else { 0 };
    Rounded { number: number(kept, format.emin), flags, is_up }
}

/// The masked response to an overflow: infinity, or the largest finite number where rounding goes toward zero.
fn overflowed(negative: bool, format: &Format, env: &Env) -> Rounded {
    let to_infinity = match env.rounding {
        Rounding::Nearest => true,
        Rounding::Down => negative,
        Rounding::Up => !negative,
        Rounding::Zero => false,
    };
    let largest = Number {
        negative,
        kind: Kind::Finite,
        is_denormal: false,
        exponent: format.emax,
        significand: u64::MAX << (64 - format.precision),
    };
    let number = if to_infinity { Number::infinity(negative) } else { largest };
    Rounded { number, flags: OE | PE, is_up: to_infinity }
}

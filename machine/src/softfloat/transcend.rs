//! The x87's transcendental functions of finite numbers, before rounding.
//!
//! Series on [`Wide`] numbers: the error before rounding is below 2^-110 of the result, so that the rounded one is the
//! nearest but for one case in 2^45, and never off by more than one unit in the last place (docs/QUIRKS.md, "Floating
//! point"). Sine, cosine and tangent reduce their argument by pi in 66 bits, as the SDM says (SDM 1, "Approximation of
//! Pi").

use super::wide::{HALF_PI, LN_2, PI, Wide};
use super::{Exact, Number};

/// Terms are left out once they are so much smaller than the sum.
const ENOUGH_BITS: i32 = 130;

/// pi / 2 in 66 bits, as the x87 reduces with: this * 2^-65.
const PI_66: u128 = 0x000c_90fd_aa22_168c_234c >> 2;

/// 2^x - 1 for -1 <= x <= 1, x not 0.
pub fn exp2m1(x: Number) -> Exact {
    let y = Wide::from(x).times(LN_2);
    let (mut term, mut sum) = (y, y);
    for n in 2.. {
        term = term.times(y).div_small(n);
        if term.significand == 0 || term.exponent < sum.exponent - ENOUGH_BITS {
            break;
        }
        sum = sum.plus(term);
    }
    sum.inexact()
}

/// 2 * atanh(z) = ln((1 + z) / (1 - z)), |z| < 0.2.
fn twice_atanh(z: Wide) -> Wide {
    let square = z.times(z);
    let (mut power, mut sum) = (z, z);
    for n in (3..).step_by(2) {
        power = power.times(square);
        let term = power.div_small(n);
        if term.significand == 0 || term.exponent < sum.exponent - ENOUGH_BITS {
            break;
        }
        sum = sum.plus(term);
    }
    sum.scale(1)
}

/// log2(x) for x > 0.
fn log2(x: Wide) -> Wide {
    // x = m * 2^k with m between 0.707 and 1.414.
    let is_high = x.significand >> 64 > 0xb504_f333_f9de_6484;
    let m = Wide { exponent: if is_high { -1 } else { 0 }, ..x };
    let z = m.minus(Wide::ONE).over(m.plus(Wide::ONE));
    let k = x.exponent + i32::from(is_high);
    twice_atanh(z).over(LN_2).plus(Wide::from_int(k.into()))
}

/// y * log2(x): x > 0 and no power of two, y not 0.
pub fn y_log2(x: Number, y: Number) -> Exact {
    Wide::from(y).times(log2(x.into())).inexact()
}

/// y * log2(x + 1): x > -1, x and y not 0.
pub fn y_log2p1(x: Number, y: Number) -> Exact {
    let x = Wide::from(x);
    let log = if x.exponent < -2 {
        twice_atanh(x.over(x.plus(Wide::from_int(2)))).over(LN_2)
    } else {
        log2(x.plus(Wide::ONE))
    };
    Wide::from(y).times(log).inexact()
}

/// x modulo pi/2 in 66 bits, to the nearest: quadrant (modulo 4) and rest. For |x| < 2^63.
fn reduce(x: Number) -> (u32, Wide) {
    if x.exponent < -1 {
        return (0, Wide::from(x));
    }
    // x = significand * 2^(exponent - 63); the modulus is PI_66 * 2^-65. Bits come in from the top.
    let (mut rest, mut quotient) = (0u128, 0u32);
    let bits = x.exponent + 3;
    let mut significand = u128::from(x.significand) << 64;
    for _ in 0..64 + bits - 1 {
        rest = rest << 1 | significand >> 127;
        significand <<= 1;
        quotient <<= 1;
        if rest >= PI_66 {
            rest -= PI_66;
            quotient |= 1;
        }
    }
    let mut negative = x.negative;
    if 2 * rest > PI_66 {
        rest = PI_66 - rest;
        quotient = quotient.wrapping_add(1);
        negative = !negative;
    }
    let quadrant = if x.negative { quotient.wrapping_neg() } else { quotient } & 3;
    (quadrant, Wide::new(negative, 127 - 65, rest))
}

/// The series of sine (from x) or cosine (from 1): each term is the one before times -x^2 / (n (n + 1)).
fn circular(first: Wide, square: Wide, from: u32) -> Wide {
    let (mut term, mut sum) = (first, first);
    for n in (from..).step_by(2) {
        term = term.times(square).div_small(n * (n + 1)).negated();
        if term.significand == 0 || term.exponent < sum.exponent - ENOUGH_BITS {
            // The last one still tells on which side of a representable number the result lies.
            return sum.plus(term);
        }
        sum = sum.plus(term);
    }
    sum
}

/// Sine and cosine of the argument's rest, in its quadrant.
fn sin_cos_wide(x: Number) -> (Wide, Wide) {
    let (quadrant, rest) = reduce(x);
    let square = rest.times(rest);
    let (sin, cos) = (circular(rest, square, 2), circular(Wide::ONE, square, 1));
    match quadrant {
        0 => (sin, cos),
        1 => (cos, sin.negated()),
        2 => (sin.negated(), cos.negated()),
        _ => (cos.negated(), sin),
    }
}

/// Sine and cosine, x not 0 and |x| < 2^63.
pub fn sin_cos(x: Number) -> (Exact, Exact) {
    let (sin, cos) = sin_cos_wide(x);
    (sin.inexact(), cos.inexact())
}

/// Tangent, x not 0 and |x| < 2^63.
pub fn tan(x: Number) -> Exact {
    let (sin, cos) = sin_cos_wide(x);
    sin.over(cos).inexact()
}

/// atan(t) for 0 <= t <= 1.
fn atan(t: Wide) -> Wide {
    // Beyond tan(pi / 8): atan t = pi / 4 + atan((t - 1) / (t + 1)).
    const TAN_PI_8: u128 = 0xd413_cccf_e779_9211 << 64;
    let is_high = t.exponent >= -1 || t.exponent == -2 && t.significand > TAN_PI_8;
    let z = if is_high { t.minus(Wide::ONE).over(t.plus(Wide::ONE)) } else { t };
    let square = z.times(z);
    let (mut power, mut sum) = (z, z);
    for n in (3..).step_by(2) {
        power = power.times(square).negated();
        let term = power.div_small(n);
        // Also the last one, since it tells on which side of a representable number the result lies.
        sum = sum.plus(term);
        if term.significand == 0 || term.exponent < sum.exponent - ENOUGH_BITS {
            break;
        }
    }
    if is_high { HALF_PI.scale(-1).plus(sum) } else { sum }
}

/// A multiple of pi / 4 with a sign, before rounding: 1 to 4 quarters.
pub fn quarters_of_pi(quarters: u32, negative: bool) -> Exact {
    Wide { negative, ..PI.times(Wide::from_int(quarters.into())).scale(-2) }.inexact()
}

/// The angle of (x, y), both finite and not 0, in -pi to pi; the sign is y's.
pub fn angle(y: Number, x: Number) -> Exact {
    let (wide_y, wide_x) = (Wide { negative: false, ..y.into() }, Wide { negative: false, ..x.into() });
    let is_steep = (wide_y.exponent, wide_y.significand) > (wide_x.exponent, wide_x.significand);
    let acute = if is_steep { HALF_PI.minus(atan(wide_x.over(wide_y))) } else { atan(wide_y.over(wide_x)) };
    let angle = if x.negative { PI.minus(acute) } else { acute };
    Wide { negative: y.negative, ..angle }.inexact()
}

//! Numbers with 128 bits of significand and small errors, for series: each operation truncates, with an error below
//! 2^-126 of its result.

use super::{Exact, Kind, Number};

/// A finite number. Zero has significand 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wide {
    /// Sign.
    pub negative: bool,
    /// The power of two that bit 127 stands for.
    pub exponent: i32,
    /// Bit 127 is set, or it is zero.
    pub significand: u128,
}

/// pi.
pub const PI: Wide = Wide { negative: false, exponent: 1, significand: 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1 };
/// pi / 2.
pub const HALF_PI: Wide = Wide { exponent: 0, ..PI };
/// ln 2.
pub const LN_2: Wide = Wide { negative: false, exponent: -1, significand: 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6af };

impl Wide {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, exponent: 0, significand: 0 };
    /// One.
    pub const ONE: Self = Self { negative: false, exponent: 0, significand: 1 << 127 };

    /// significand * 2^(exponent - 127), normalised.
    pub fn new(negative: bool, exponent: i32, significand: u128) -> Self {
        if significand == 0 {
            return Self::ZERO;
        }
        let zeros = significand.leading_zeros();
        Self { negative, exponent: exponent - zeros as i32, significand: significand << zeros }
    }

    /// An integer.
    pub fn from_int(value: i64) -> Self {
        Self::new(value < 0, 127, u128::from(value.unsigned_abs()))
    }

    /// -x.
    pub fn negated(self) -> Self {
        Self { negative: !self.negative, ..self }
    }

    /// x * 2^n.
    pub fn scale(self, n: i32) -> Self {
        Self { exponent: self.exponent + n, ..self }
    }

    /// x + y.
    pub fn plus(self, other: Self) -> Self {
        if self.significand == 0 {
            return other;
        }
        if other.significand == 0 {
            return self;
        }
        let is_larger = (self.exponent, self.significand) >= (other.exponent, other.significand);
        let (big, small) = if is_larger { (self, other) } else { (other, self) };
        let distance = (big.exponent - small.exponent) as u32;
        if big.negative == small.negative {
            let low = small.significand.checked_shr(distance).unwrap_or(0);
            let (sum, carry) = big.significand.overflowing_add(low);
            if carry {
                return Self { exponent: big.exponent + 1, significand: sum >> 1 | 1 << 127, ..big };
            }
            return Self { significand: sum, ..big };
        }
        // What is cut off rounds the subtrahend up, so that a tiny one still makes the result smaller.
        let low = small.significand.checked_shr(distance).unwrap_or(0);
        let is_cut = distance > 127 || low << distance != small.significand;
        Self::new(big.negative, big.exponent, big.significand - low - u128::from(is_cut))
    }

    /// x - y.
    pub fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    /// x * y.
    pub fn times(self, other: Self) -> Self {
        let (high, low) = product(self.significand, other.significand);
        let negative = self.negative != other.negative;
        let exponent = self.exponent + other.exponent;
        if high == 0 {
            return Self::ZERO;
        }
        if high >> 127 != 0 {
            return Self { negative, exponent: exponent + 1, significand: high };
        }
        Self { negative, exponent, significand: high << 1 | low >> 127 }
    }

    /// x / y; y must not be zero.
    pub fn over(self, other: Self) -> Self {
        if self.significand == 0 {
            return Self::ZERO;
        }
        let divisor = other.significand;
        let (mut rest, mut quotient, mut exponent) = (self.significand, 0u128, self.exponent - other.exponent);
        let mut carry = false;
        if rest < divisor {
            exponent -= 1;
            carry = rest >> 127 != 0;
            rest <<= 1;
        }
        for _ in 0..128 {
            quotient <<= 1;
            if carry || rest >= divisor {
                rest = rest.wrapping_sub(divisor);
                quotient |= 1;
            }
            carry = rest >> 127 != 0;
            rest <<= 1;
        }
        Self { negative: self.negative != other.negative, exponent, significand: quotient }
    }

    /// x / n for a small n.
    pub fn div_small(self, n: u32) -> Self {
        let n = u128::from(n);
        let (high, rest) = (self.significand / n, self.significand % n);
        // The quotient's missing low bits: `high` has lost at most 32.
        let zeros = high.leading_zeros();
        if self.significand == 0 {
            return Self::ZERO;
        }
        let low = (rest << zeros) / n;
        Self { exponent: self.exponent - zeros as i32, significand: high << zeros | low, ..self }
    }

    /// For rounding: an irrational result, so that something nonzero lies below.
    pub fn inexact(self) -> Exact {
        Exact { negative: self.negative, exponent: self.exponent, significand: self.significand | 1 }
    }
}

impl From<Number> for Wide {
    /// Of a finite number.
    fn from(number: Number) -> Self {
        if number.kind == Kind::Zero {
            return Self::ZERO;
        }
        let Exact { negative, exponent, significand } = number.exact();
        Self { negative, exponent, significand }
    }
}

/// The 256 bits of a product: high and low half.
fn product(a: u128, b: u128) -> (u128, u128) {
    let (a1, a0) = (a >> 64, a & u128::from(u64::MAX));
    let (b1, b0) = (b >> 64, b & u128::from(u64::MAX));
    let (low, mid1, mid2, high) = (a0 * b0, a1 * b0, a0 * b1, a1 * b1);
    let (mid, carry) = mid1.overflowing_add(mid2);
    let (low, carry_low) = low.overflowing_add(mid << 64);
    (high + (mid >> 64) + (u128::from(carry) << 64) + u128::from(carry_low), low)
}

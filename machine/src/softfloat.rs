//! Floating point in integers: what x87 and SSE compute with. Never the host's floats.
//!
//! A [`Number`] is any operand, unpacked from single, double or double-extended. [`arith`] gives an [`Exact`] result, of
//! which [`round`](mod@round) makes a Number again, with the exception flags of the architecture: tininess is detected
//! after rounding, an unmasked overflow or underflow gives the result with the exponent wrapped, and the direction of
//! rounding is told (the x87's C1). [`integer`] converts, [`wide`] and [`transcend`] are for the x87's transcendentals.
//!
//! The crate `rustc_apfloat` was looked at and has not what is needed: no direction of rounding, no wrapped exponents, no
//! x87 precision control, tininess detected at the denormal's precision.
//!
//! Source: SDM 1, "Floating-Point Formats", "Overview of Floating-Point Exceptions".

pub mod arith;
pub mod integer;
pub mod round;
pub mod transcend;
pub mod wide;

/// Exception flags, as the x87's status word and MXCSR have them.
pub mod flag {
    /// Invalid operation.
    pub const IE: u8 = 1 << 0;
    /// Denormal operand.
    pub const DE: u8 = 1 << 1;
    /// Division by zero.
    pub const ZE: u8 = 1 << 2;
    /// Overflow.
    pub const OE: u8 = 1 << 3;
    /// Underflow.
    pub const UE: u8 = 1 << 4;
    /// Precision: the result is inexact.
    pub const PE: u8 = 1 << 5;
    /// All six.
    pub const ALL: u8 = 0x3f;
}

/// Where results are rounded to. Discriminants are the RC fields of FCW and MXCSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, ties to even.
    Nearest = 0,
    /// Toward minus infinity.
    Down = 1,
    /// Toward plus infinity.
    Up = 2,
    /// Toward zero.
    Zero = 3,
}

impl Rounding {
    /// Of an RC field; only the two low bits count.
    pub fn from_rc(rc: u32) -> Self {
        match rc & 3 {
            0 => Self::Nearest,
            1 => Self::Down,
            2 => Self::Up,
            _ => Self::Zero,
        }
    }
}

/// Precision and range of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Bits of the significand, the leading one included.
    pub precision: u32,
    /// Exponent of the smallest normal number.
    pub emin: i32,
    /// Exponent of the largest number.
    pub emax: i32,
    /// What an unmasked underflow adds to the exponent, and an unmasked overflow subtracts.
    pub wrap: i32,
}

/// Single precision, 32 bits.
pub const SINGLE: Format = Format { precision: 24, emin: -126, emax: 127, wrap: 192 };
/// Double precision, 64 bits.
pub const DOUBLE: Format = Format { precision: 53, emin: -1022, emax: 1023, wrap: 1536 };
/// Double extended precision, 80 bits.
pub const EXTENDED: Format = Format { precision: 64, emin: -16382, emax: 16383, wrap: 24576 };

/// What sort of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Zero.
    Zero,
    /// Any other finite number.
    Finite,
    /// Infinity.
    Infinity,
    /// Quiet or signaling NaN.
    Nan,
    /// An encoding of double extended that the architecture no longer supports: unnormal, pseudo-infinity, pseudo-NaN.
    Unsupported,
}

/// An operand or a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number {
    /// Sign.
    pub negative: bool,
    /// Sort.
    pub kind: Kind,
    /// It was encoded as a denormal (or pseudo-denormal).
    pub is_denormal: bool,
    /// The power of two that bit 63 of the significand stands for. Finite only.
    pub exponent: i32,
    /// Bit 63 is the leading one. NaN: bit 62 says quiet, the payload follows. Zero and infinity: 0.
    pub significand: u64,
}

/// A finite result before rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact {
    /// Sign.
    pub negative: bool,
    /// The power of two that bit 127 of the significand stands for.
    pub exponent: i32,
    /// Bit 127 is set; bit 0 is also set if anything nonzero lies below it.
    pub significand: u128,
}

const INTEGER: u64 = 1 << 63;
const QUIET: u64 = 1 << 62;

impl Number {
    /// Zero of a sign.
    pub const fn zero(negative: bool) -> Self {
        Self { negative, kind: Kind::Zero, is_denormal: false, exponent: 0, significand: 0 }
    }

    /// Infinity of a sign.
    pub const fn infinity(negative: bool) -> Self {
        Self { kind: Kind::Infinity, ..Self::zero(negative) }
    }

    /// The default NaN ("real indefinite").
    pub const INDEFINITE: Self =
        Self { negative: true, kind: Kind::Nan, is_denormal: false, exponent: 0, significand: INTEGER | QUIET };

    /// One.
    pub const ONE: Self =
        Self { negative: false, kind: Kind::Finite, is_denormal: false, exponent: 0, significand: INTEGER };

    /// An integer, which always fits.
    pub fn from_int(value: i64) -> Self {
        if value == 0 {
            return Self::zero(false);
        }
        let magnitude = value.unsigned_abs();
        let zeros = magnitude.leading_zeros();
        Self {
            negative: value < 0,
            kind: Kind::Finite,
            is_denormal: false,
            exponent: 63 - zeros as i32,
            significand: magnitude << zeros,
        }
    }

    /// NaN of either sort.
    pub fn is_nan(&self) -> bool {
        self.kind == Kind::Nan
    }

    /// Signaling NaN.
    pub fn is_signaling(&self) -> bool {
        self.is_nan() && self.significand & QUIET == 0
    }

    /// Zero.
    pub fn is_zero(&self) -> bool {
        self.kind == Kind::Zero
    }

    /// A NaN made quiet.
    pub fn quieted(self) -> Self {
        Self { significand: self.significand | QUIET, ..self }
    }

    /// With the other sign.
    pub fn negated(self) -> Self {
        Self { negative: !self.negative, ..self }
    }

    /// As an [`Exact`]. Finite only.
    pub fn exact(self) -> Exact {
        Exact { negative: self.negative, exponent: self.exponent, significand: u128::from(self.significand) << 64 }
    }

    /// From single or double: `fraction` bits of fraction, `exponent` bits of exponent.
    fn unpack(bits: u64, fraction: u32, exponent: u32) -> Self {
        let negative = bits >> (fraction + exponent) & 1 != 0;
        let max = (1u64 << exponent) - 1;
        let biased = bits >> fraction & max;
        let bias = (max >> 1) as i32;
        let low = (bits & ((1 << fraction) - 1)) << (63 - fraction);
        if biased == max {
            let kind = if low == 0 { Kind::Infinity } else { Kind::Nan };
            let significand = if low == 0 { 0 } else { INTEGER | low };
            return Self { kind, significand, ..Self::zero(negative) };
        }
        if biased == 0 {
            return Self::subnormal(negative, 1 - bias, low);
        }
        Self { kind: Kind::Finite, exponent: biased as i32 - bias, significand: INTEGER | low, ..Self::zero(negative) }
    }

    /// Zero or a denormal: bit 63 of `significand`, if it is set, stands for 2^`exponent`.
    fn subnormal(negative: bool, exponent: i32, significand: u64) -> Self {
        if significand == 0 {
            return Self::zero(negative);
        }
        let zeros = significand.leading_zeros();
        Self {
            negative,
            kind: Kind::Finite,
            is_denormal: true,
            exponent: exponent - zeros as i32,
            significand: significand << zeros,
        }
    }

    /// From single precision.
    pub fn from_single(bits: u32) -> Self {
        Self::unpack(bits.into(), 23, 8)
    }

    /// From double precision.
    pub fn from_double(bits: u64) -> Self {
        Self::unpack(bits, 52, 11)
    }

    /// From double extended precision, the low 80 bits.
    pub fn from_extended(bits: u128) -> Self {
        let (significand, top) = (bits as u64, (bits >> 64) as u16);
        let (negative, biased) = (top >> 15 != 0, i32::from(top & 0x7fff));
        let unsupported = Self { kind: Kind::Unsupported, ..Self::zero(negative) };
        match biased {
            0 => Self::subnormal(negative, -16382, significand),
            _ if significand & INTEGER == 0 => unsupported,
            0x7fff if significand == INTEGER => Self::infinity(negative),
            0x7fff => Self { kind: Kind::Nan, significand, ..Self::zero(negative) },
            _ => Self { kind: Kind::Finite, exponent: biased - 16383, significand, ..Self::zero(negative) },
        }
    }

    /// To single or double; it has been rounded to that format (NaNs lose the end of their payload).
    fn pack(self, fraction: u32, exponent: u32) -> u64 {
        let max = (1u64 << exponent) - 1;
        let bias = (max >> 1) as i32;
        let sign = u64::from(self.negative) << (fraction + exponent);
        let low = self.significand >> (63 - fraction);
        let fraction_mask = (1u64 << fraction) - 1;
        sign | match self.kind {
            Kind::Zero => 0,
            Kind::Infinity => max << fraction,
            Kind::Nan | Kind::Unsupported => max << fraction | low & fraction_mask,
            Kind::Finite if self.exponent < 1 - bias => low.checked_shr((1 - bias - self.exponent) as u32).unwrap_or(0),
            Kind::Finite => ((self.exponent + bias) as u64) << fraction | low & fraction_mask,
        }
    }

    /// To single precision.
    pub fn to_single(self) -> u32 {
        self.pack(23, 8) as u32
    }

    /// To double precision.
    pub fn to_double(self) -> u64 {
        self.pack(52, 11)
    }

    /// To double extended precision, 80 bits.
    pub fn to_extended(self) -> u128 {
        let (biased, significand) = match self.kind {
            Kind::Zero => (0, 0),
            Kind::Infinity => (0x7fff, INTEGER),
            Kind::Nan | Kind::Unsupported => (0x7fff, self.significand | INTEGER),
            Kind::Finite if self.exponent < EXTENDED.emin => {
                (0, self.significand.checked_shr((EXTENDED.emin - self.exponent) as u32).unwrap_or(0))
            }
            Kind::Finite => ((self.exponent + 16383) as u128 & 0x7fff, self.significand),
        };
        u128::from(self.negative) << 79 | biased << 64 | u128::from(significand)
    }
}

//! Arithmetic and comparison of packed and scalar floating-point numbers, by MXCSR.
//!
//! Source: SDM 1, "SSE and SSE2 SIMD Floating-Point Exceptions".

use crate::cpu::flags::{AF, CF, OF, PF, SF, ZF};
use crate::cpu::{Cpu, cr4};
use crate::decode::Op;
use crate::fault::{Exec, Fault, vector};
use crate::softfloat::arith::{self, Outcome};
use crate::softfloat::flag::{self, DE, IE, PE, ZE};
use crate::softfloat::round::Env;
use crate::softfloat::{DOUBLE, Format, Number, Rounding, SINGLE, integer};
use std::cmp::Ordering;

/// MXCSR.DAZ.
const DAZ: u32 = 1 << 6;
/// MXCSR.FTZ.
const FTZ: u32 = 1 << 15;

/// Single or double.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 32 bits.
    Single,
    /// 64 bits.
    Double,
}

impl Width {
    /// Bits of a lane.
    pub fn bits(self) -> u32 {
        if self == Self::Single { 32 } else { 64 }
    }

    /// Precision and range.
    pub fn format(self) -> &'static Format {
        if self == Self::Single { &SINGLE } else { &DOUBLE }
    }

    /// A lane's number.
    pub fn unpack(self, bits: u64) -> Number {
        if self == Self::Single { Number::from_single(bits as u32) } else { Number::from_double(bits) }
    }

    /// A number's lane.
    pub fn pack(self, number: Number) -> u64 {
        if self == Self::Single { number.to_single().into() } else { number.to_double() }
    }

    /// Lane `index` of a register.
    pub fn lane(self, value: u128, index: u32) -> u64 {
        (value >> (index * self.bits())) as u64 & u64::MAX >> (64 - self.bits())
    }

    /// A register with one lane replaced.
    pub fn with_lane(self, value: u128, index: u32, lane: u64) -> u128 {
        let shift = index * self.bits();
        let mask = u128::from(u64::MAX >> (64 - self.bits())) << shift;
        value & !mask | u128::from(lane) << shift
    }
}

/// How to compute, and what was raised so far: before results (IE, DE, ZE) and by rounding them.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    /// Rounding, masks and FTZ.
    pub env: Env,
    daz: bool,
    before: u8,
    after: u8,
}

impl Context {
    /// By MXCSR.
    pub fn of(cpu: &Cpu) -> Self {
        let masked = (cpu.mxcsr >> 7) as u8 & flag::ALL;
        let rounding = Rounding::from_rc(cpu.mxcsr >> 13);
        let env = Env { rounding, masked, flush_to_zero: cpu.mxcsr & FTZ != 0 };
        Self { env, daz: cpu.mxcsr & DAZ != 0, before: 0, after: 0 }
    }

    /// An operand, after DAZ.
    pub fn operand(&self, width: Width, bits: u64) -> Number {
        let number = width.unpack(bits);
        if self.daz && number.is_denormal { Number::zero(number.negative) } else { number }
    }

    /// Notes an exception that is found before there is a result.
    pub fn note(&mut self, flags: u8) {
        self.before |= flags;
    }

    /// Notes what rounding raised.
    pub fn note_after(&mut self, flags: u8) {
        self.after |= flags;
    }

    /// The NaN that two operands give: the first one, made quiet, if it is one; else the second.
    pub fn nan(&mut self, a: Number, b: Number) -> Option<Number> {
        if !a.is_nan() && !b.is_nan() {
            return None;
        }
        if a.is_signaling() || b.is_signaling() {
            self.note(IE);
        }
        Some(if a.is_nan() { a.quieted() } else { b.quieted() })
    }

    /// An outcome rounded, with what it and denormal operands raise.
    pub fn round(&mut self, outcome: Outcome, operands: &[Number], format: &Format) -> Number {
        match outcome {
            Outcome::Done(_, flags) if flags & (IE | ZE) != 0 => self.note(flags),
            _ if operands.iter().any(|operand| operand.is_denormal) => self.note(DE),
            _ => {}
        }
        let rounded = outcome.round(format, &self.env);
        self.after |= rounded.flags & !(IE | ZE);
        rounded.number
    }

    /// Sets MXCSR's flags. #XM (or #UD without CR4.OSXMMEXCPT) for an unmasked one; those found before results keep results
    /// from being computed, and so their flags from being set.
    pub fn finish(self, cpu: &mut Cpu) -> Exec<()> {
        let unmasked = |flags: u8| flags & !self.env.masked != 0;
        let flags = if unmasked(self.before) { self.before } else { self.before | self.after };
        cpu.mxcsr |= u32::from(flags);
        if !unmasked(flags) {
            return Ok(());
        }
        if cpu.cr4 & cr4::OSXMMEXCPT == 0 {
            return Err(Fault::ud("a SIMD floating-point exception while CR4.OSXMMEXCPT = 0").into());
        }
        let cause = "the instruction raised a floating-point exception that MXCSR does not mask";
        Err(Fault::plain(vector::SIMD_FLOATING_POINT, cause).into())
    }
}

/// What computes a lane. Not seen outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arith {
    Add,
    Sub,
    Mul,
    Div,
    Sqrt,
    Min,
    Max,
    Rcp,
    Rsqrt,
    Cmp,
    Round,
}

/// Operation, width, and whether all lanes take part; None: it is of another family.
fn shape(op: Op) -> Option<(Arith, Width, bool)> {
    use Arith::*;
    use Width::{Double, Single};
    Some(match op {
        Op::Addps => (Add, Single, true),
        Op::Addss => (Add, Single, false),
        Op::Addpd => (Add, Double, true),
        Op::Addsd => (Add, Double, false),
        Op::Subps => (Sub, Single, true),
        Op::Subss => (Sub, Single, false),
        Op::Subpd => (Sub, Double, true),
        Op::Subsd => (Sub, Double, false),
        Op::Mulps => (Mul, Single, true),
        Op::Mulss => (Mul, Single, false),
        Op::Mulpd => (Mul, Double, true),
        Op::Mulsd => (Mul, Double, false),
        Op::Divps => (Div, Single, true),
        Op::Divss => (Div, Single, false),
        Op::Divpd => (Div, Double, true),
        Op::Divsd => (Div, Double, false),
        Op::Sqrtps => (Sqrt, Single, true),
        Op::Sqrtss => (Sqrt, Single, false),
        Op::Sqrtpd => (Sqrt, Double, true),
        Op::Sqrtsd => (Sqrt, Double, false),
        Op::Minps => (Min, Single, true),
        Op::Minss => (Min, Single, false),
        Op::Minpd => (Min, Double, true),
        Op::Minsd => (Min, Double, false),
        Op::Maxps => (Max, Single, true),
        Op::Maxss => (Max, Single, false),
        Op::Maxpd => (Max, Double, true),
        Op::Maxsd => (Max, Double, false),
        Op::Rcpps => (Rcp, Single, true),
        Op::Rcpss => (Rcp, Single, false),
        Op::Rsqrtps => (Rsqrt, Single, true),
        Op::Rsqrtss => (Rsqrt, Single, false),
        Op::Cmpps => (Cmp, Single, true),
        Op::Cmpss => (Cmp, Single, false),
        Op::Cmppd => (Cmp, Double, true),
        Op::Cmpsd => (Cmp, Double, false),
        Op::Roundps => (Round, Single, true),
        Op::Roundss => (Round, Single, false),
        Op::Roundpd => (Round, Double, true),
        Op::Roundsd => (Round, Double, false),
        _ => return None,
    })
}

/// The new value of the destination; None: the operation is of another family.
pub fn compute(cpu: &mut Cpu, op: Op, a: u128, b: u128, imm: u8) -> Exec<Option<u128>> {
    let Some((arith, width, is_packed)) = shape(op) else { return horizontal(cpu, op, a, b, imm) };
    let mut context = Context::of(cpu);
    let lanes = if is_packed { 128 / width.bits() } else { 1 };
    let result = (0..lanes).fold(a, |result, index| {
        let lane = lane(&mut context, arith, width, width.lane(a, index), width.lane(b, index), imm);
        width.with_lane(result, index, lane)
    });
    context.finish(cpu)?;
    Ok(Some(result))
}

/// One lane of a result.
fn lane(context: &mut Context, arith: Arith, width: Width, a: u64, b: u64, imm: u8) -> u64 {
    let (x, y) = (context.operand(width, a), context.operand(width, b));
    width.pack(match arith {
        Arith::Cmp => return if holds(context, x, y, imm) { u64::MAX >> (64 - width.bits()) } else { 0 },
        Arith::Add | Arith::Sub | Arith::Mul | Arith::Div => binary(context, arith, width, x, y),
        Arith::Sqrt => match context.nan(y, y) {
            Some(nan) => nan,
            None => context.round(arith::sqrt(y), &[y], width.format()),
        },
        Arith::Min | Arith::Max => return least_or_greatest(context, arith, width, a, b),
        Arith::Rcp => reciprocal(y),
        Arith::Rsqrt => reciprocal_root(y),
        Arith::Round => to_integral(context, y, imm),
    })
}

/// a op b, rounded.
fn binary(context: &mut Context, op: Arith, width: Width, a: Number, b: Number) -> Number {
    if let Some(nan) = context.nan(a, b) {
        return nan;
    }
    let rounding = context.env.rounding;
    let outcome = match op {
        Arith::Add => arith::add(a, b, rounding),
        Arith::Sub => arith::add(a, b.negated(), rounding),
        Arith::Mul => arith::mul(a, b),
        _ => arith::div(a, b),
    };
    context.round(outcome, &[a, b], width.format())
}

/// MIN, MAX: the second operand if one is a NaN (and IE), or if both are zero.
fn least_or_greatest(context: &mut Context, op: Arith, width: Width, a: u64, b: u64) -> u64 {
    let (x, y) = (context.operand(width, a), context.operand(width, b));
    let Some(order) = arith::compare(x, y) else {
        context.note(IE);
        return width.pack(y);
    };
    if x.is_denormal || y.is_denormal {
        context.note(DE);
    }
    let wanted = if op == Arith::Min { Ordering::Less } else { Ordering::Greater };
    width.pack(if order == wanted { x } else { y })
}

/// A predicate of CMPPS and its kin holds (SDM 2A, "CMPPD").
fn holds(context: &mut Context, a: Number, b: Number, imm: u8) -> bool {
    let order = arith::compare(a, b);
    let is_signaling = a.is_signaling() || b.is_signaling();
    match order {
        // LT, LE and their negations take no NaN quietly.
        None if is_signaling || matches!(imm & 3, 1 | 2) => context.note(IE),
        Some(_) if a.is_denormal || b.is_denormal => context.note(DE),
        _ => {}
    }
    let plain = match imm & 3 {
        0 => order == Some(Ordering::Equal),
        1 => order == Some(Ordering::Less),
        2 => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        _ => order.is_none(),
    };
    plain != (imm & 4 != 0)
}

/// COMISS, UCOMISS and those of doubles: RFLAGS afterwards.
pub fn compare_scalar(cpu: &mut Cpu, op: Op, a: u128, b: u128) -> Exec<()> {
    let width = if matches!(op, Op::Comiss | Op::Ucomiss) { Width::Single } else { Width::Double };
    let mut context = Context::of(cpu);
    let (a, b) = (context.operand(width, width.lane(a, 0)), context.operand(width, width.lane(b, 0)));
    let order = arith::compare(a, b);
    let is_unordered = matches!(op, Op::Ucomiss | Op::Ucomisd);
    match order {
        None if !is_unordered || a.is_signaling() || b.is_signaling() => context.note(IE),
        Some(_) if a.is_denormal || b.is_denormal => context.note(DE),
        _ => {}
    }
    context.finish(cpu)?;
    let flags = crate::execute::x87::flags_of(order);
    cpu.rflags = cpu.rflags & !(OF | SF | AF | ZF | PF | CF) | flags;
    Ok(())
}

/// RCPPS: within 1.5 * 2^-12 by definition; here the nearest single. No exceptions; denormals are zeros, also as results.
fn reciprocal(a: Number) -> Number {
    if a.is_nan() {
        return a.quieted();
    }
    if a.is_denormal {
        return Number::infinity(a.negative);
    }
    flushed(arith::div(Number::ONE, a))
}

/// RSQRTPS, likewise.
fn reciprocal_root(a: Number) -> Number {
    if a.is_nan() {
        return a.quieted();
    }
    if a.is_zero() || a.is_denormal {
        return Number::infinity(a.negative);
    }
    let env = Env { rounding: Rounding::Nearest, masked: flag::ALL, flush_to_zero: true };
    let wide = Format { precision: 60, ..DOUBLE };
    match arith::sqrt(a) {
        Outcome::Done(number, IE) => number,
        root => flushed(arith::div(Number::ONE, root.round(&wide, &env).number)),
    }
}

fn flushed(outcome: Outcome) -> Number {
    let env = Env { rounding: Rounding::Nearest, masked: flag::ALL, flush_to_zero: true };
    outcome.round(&SINGLE, &env).number
}

/// ROUNDPS and its kin: bit 2 of the immediate takes MXCSR's direction, bit 3 keeps PE back.
fn to_integral(context: &mut Context, a: Number, imm: u8) -> Number {
    if let Some(nan) = context.nan(a, a) {
        return nan;
    }
    let rounding = if imm & 4 != 0 { context.env.rounding } else { Rounding::from_rc(imm.into()) };
    let (number, flags, _) = integer::to_integral(a, rounding);
    context.note_after(if imm & 8 != 0 { flags & !PE } else { flags });
    number
}

/// HADDPS, HSUBPS, ADDSUBPS, DPPS and those of doubles.
fn horizontal(cpu: &mut Cpu, op: Op, a: u128, b: u128, imm: u8) -> Exec<Option<u128>> {
    let width = match op {
        Op::Haddps | Op::Hsubps | Op::Addsubps | Op::Dpps => Width::Single,
        Op::Haddpd | Op::Hsubpd | Op::Addsubpd | Op::Dppd => Width::Double,
        _ => return Ok(None),
    };
    if matches!(op, Op::Dpps | Op::Dppd) {
        return dot_product(cpu, width, a, b, imm).map(Some);
    }
    let lanes = 128 / width.bits();
    let mut context = Context::of(cpu);
    let result = (0..lanes).fold(0, |result, index| {
        let (x, y, op) = match op {
            Op::Addsubps | Op::Addsubpd => {
                let op = if index & 1 == 0 { Arith::Sub } else { Arith::Add };
                (width.lane(a, index), width.lane(b, index), op)
            }
            _ => {
                let (source, first) = if index < lanes / 2 { (a, 2 * index) } else { (b, 2 * index - lanes) };
                let op = if matches!(op, Op::Haddps | Op::Haddpd) { Arith::Add } else { Arith::Sub };
                (width.lane(source, first), width.lane(source, first + 1), op)
            }
        };
        width.with_lane(result, index, lane(&mut context, op, width, x, y, 0))
    });
    context.finish(cpu)?;
    Ok(Some(result))
}

/// DPPS, DPPD: products of the lanes that bits 7:4 choose, summed in pairs, into the lanes that bits 3:0 choose. Each step
/// can raise, and an unmasked exception ends it there.
fn dot_product(cpu: &mut Cpu, width: Width, a: u128, b: u128, imm: u8) -> Exec<u128> {
    let lanes = 128 / width.bits();
    let mut context = Context::of(cpu);
    let mut products = (0..lanes).fold(0, |products, index| {
        let is_chosen = imm >> (4 + index) & 1 != 0;
        let (x, y) = (width.lane(a, index), width.lane(b, index));
        let product = if is_chosen { lane(&mut context, Arith::Mul, width, x, y, 0) } else { 0 };
        width.with_lane(products, index, product)
    });
    let mut left = lanes;
    while left > 1 {
        context.finish(cpu)?;
        context = Context::of(cpu);
        left /= 2;
        products = (0..left).fold(0, |sums, index| {
            let (x, y) = (width.lane(products, 2 * index), width.lane(products, 2 * index + 1));
            width.with_lane(sums, index, lane(&mut context, Arith::Add, width, x, y, 0))
        });
    }
    context.finish(cpu)?;
    let sum = width.lane(products, 0);
    let chosen = (0..lanes).filter(|&index| imm >> index & 1 != 0);
    Ok(chosen.fold(0, |result, index| width.with_lane(result, index, sum)))
}

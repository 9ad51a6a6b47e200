//! Arithmetic with ST(i): the four operations, square root, scaling, remainder, rounding.

use crate::cpu::x87::{X87, fsw};
use crate::decode::{Insn, Op};
use crate::softfloat::arith::{self, Outcome};
use crate::softfloat::flag::{DE, IE, PE, UE, ZE};
use crate::softfloat::{EXTENDED, Exact, Format, Kind, Number, Rounding, integer};

/// The NaN that two operands give, if one is a NaN or unsupported, and IE where that is invalid. Of two NaNs the quiet one
/// counts, of two alike the larger significand (SDM 1, table "Rules for Handling NaNs").
pub(super) fn nan_of(a: Number, b: Number) -> Option<(Number, u8)> {
    if a.kind == Kind::Unsupported || b.kind == Kind::Unsupported {
        return Some((Number::INDEFINITE, IE));
    }
    let flags = if a.is_signaling() || b.is_signaling() { IE } else { 0 };
    let chosen = match (a.is_nan(), b.is_nan()) {
        (false, false) => return None,
        (true, false) => a,
        (false, true) => b,
        _ if a.is_signaling() != b.is_signaling() => {
            if a.is_signaling() {
                b
            } else {
                a
            }
        }
        _ if a.significand != b.significand => {
            if a.significand > b.significand {
                a
            } else {
                b
            }
        }
        _ if a.negative => b,
        _ => a,
    };
    Some((chosen.quieted(), flags))
}

/// DE if one of the operands is a denormal.
pub(super) fn denormal(operands: &[Number]) -> u8 {
    if operands.iter().any(|operand| operand.is_denormal) { DE } else { 0 }
}

/// Raises what an operation found before its result (IE, DE, ZE). True: it goes on.
pub(super) fn begin(x87: &mut X87, flags: u8) -> bool {
    x87.set_bits(fsw::C1, false);
    !x87.raise(flags)
}

/// Rounds an outcome, raises everything, C1. None: an unmasked IE, DE or ZE leaves the destination alone.
pub(super) fn finish(x87: &mut X87, outcome: Outcome, denormal: u8, format: &Format) -> Option<Number> {
    let early = match outcome {
        // Invalid operands and division by zero are found before denormals.
        Outcome::Done(_, flags) if flags & (IE | ZE) != 0 => flags,
        _ => denormal,
    };
    if !begin(x87, early) {
        return None;
    }
    let rounded = outcome.round(format, &x87.env());
    x87.raise(rounded.flags);
    x87.set_bits(fsw::C1, rounded.is_up);
    Some(rounded.number)
}

/// a op b with all that it raises.
fn binary(x87: &mut X87, op: Op, a: Number, b: Number) -> Option<Number> {
    if let Some((nan, flags)) = nan_of(a, b) {
        return begin(x87, flags).then_some(nan);
    }
    let rounding = x87.env().rounding;
    let outcome = match op {
        Op::Fadd | Op::Faddp | Op::Fiadd => arith::add(a, b, rounding),
        Op::Fsub | Op::Fsubp | Op::Fisub => arith::add(a, b.negated(), rounding),
        Op::Fsubr | Op::Fsubrp | Op::Fisubr => arith::add(b, a.negated(), rounding),
        Op::Fmul | Op::Fmulp | Op::Fimul => arith::mul(a, b),
        Op::Fdiv | Op::Fdivp | Op::Fidiv => arith::div(a, b),
        _ => arith::div(b, a),
    };
    let format = x87.format();
    finish(x87, outcome, denormal(&[a, b]), &format)
}

/// FADD and its kin: ST0 and memory, or ST(i) and ST(j); with P the first is ST(i) and ST0 is popped.
pub(super) fn binary_insn(x87: &mut X87, insn: &Insn, operand: Option<Number>) {
    let pops = matches!(insn.op, Op::Faddp | Op::Fsubp | Op::Fsubrp | Op::Fmulp | Op::Fdivp | Op::Fdivrp);
    let (dst, src) = match operand {
        Some(_) => (0, 0),
        None => (usize::from(insn.dst.reg & 7), usize::from(insn.src.reg & 7)),
    };
    let result = if x87.is_empty(dst) || x87.is_empty(src) {
        (!x87.stack_fault(false)).then_some(Number::INDEFINITE)
    } else {
        let b = operand.unwrap_or_else(|| x87.st(src));
        let a = x87.st(dst);
        binary(x87, insn.op, a, b)
    };
    if let Some(result) = result {
        x87.set(dst, result);
        if pops {
            x87.pop();
        }
    }
}

/// Instructions on ST0, some with ST1.
pub(super) fn unary_insn(x87: &mut X87, op: Op) {
    let needs_st1 = matches!(op, Op::Fscale | Op::Fprem | Op::Fprem1);
    if matches!(op, Op::Fprem | Op::Fprem1) {
        x87.set_bits(fsw::C2, false);
    }
    if x87.is_empty(0) || needs_st1 && x87.is_empty(1) {
        if !x87.stack_fault(false) {
            x87.set(0, Number::INDEFINITE);
            if op == Op::Fxtract {
                x87.push_raw(Number::INDEFINITE.to_extended());
            }
        }
        return;
    }
    let (a, b) = (x87.st(0), if needs_st1 { x87.st(1) } else { Number::ONE });
    if op == Op::Fxtract {
        extract(x87, a);
        return;
    }
    let result = match nan_of(a, b) {
        Some((nan, flags)) => begin(x87, flags).then_some(nan),
        None => match op {
            Op::Fsqrt => {
                let format = x87.format();
                finish(x87, arith::sqrt(a), denormal(&[a]), &format)
            }
            Op::Fscale => {
                let outcome = scale(a, b);
                let result = finish(x87, outcome, denormal(&[a, b]), &EXTENDED);
                result.map(|number| beyond_wrapping(x87, number))
            }
            Op::Frndint => round_to_integral(x87, a),
            _ => remainder(x87, a, b, op == Op::Fprem1),
        },
    };
    if let Some(result) = result {
        x87.set(0, result);
    }
}

/// a * 2^trunc(b).
fn scale(a: Number, b: Number) -> Outcome {
    match (a.kind, b.kind) {
        (Kind::Zero, Kind::Infinity) if !b.negative => Outcome::Done(Number::INDEFINITE, IE),
        (Kind::Infinity, Kind::Infinity) if b.negative => Outcome::Done(Number::INDEFINITE, IE),
        (Kind::Zero | Kind::Infinity, _) => Outcome::Done(a, 0),
        (_, Kind::Infinity) if b.negative => Outcome::Done(Number::zero(a.negative), 0),
        (_, Kind::Infinity) => Outcome::Done(Number::infinity(a.negative), 0),
        _ => {
            // Beyond this everything over- or underflows anyway, wrapped exponents too.
            const FAR: i64 = 0x2_0000;
            let far = if b.negative { -FAR } else { FAR };
            let by = integer::to_int(b, Rounding::Zero, 32).value.unwrap_or(far).clamp(-FAR, FAR);
            let exact = a.exact();
            Outcome::Exact(Exact { exponent: exact.exponent + by as i32, ..exact })
        }
    }
}

/// A result so far out that not even the wrapped exponent of an unmasked over- or underflow brings it back: infinity or zero.
fn beyond_wrapping(x87: &mut X87, number: Number) -> Number {
    let is_wrapped = number.kind == Kind::Finite;
    let result = match number.exponent {
        exponent if is_wrapped && exponent > EXTENDED.emax => Number::infinity(number.negative),
        exponent if is_wrapped && exponent < EXTENDED.emin && !x87.is_unmasked(UE) => return number,
        exponent if is_wrapped && exponent < EXTENDED.emin => Number::zero(number.negative),
        _ => return number,
    };
    x87.raise(PE);
    x87.set_bits(fsw::C1, result.kind == Kind::Infinity);
    result
}

fn round_to_integral(x87: &mut X87, a: Number) -> Option<Number> {
    if !begin(x87, denormal(&[a])) {
        return None;
    }
    let (number, flags, is_up) = integer::to_integral(a, x87.env().rounding);
    x87.raise(flags);
    x87.set_bits(fsw::C1, is_up);
    Some(number)
}

/// FPREM, FPREM1: quotient bits 2, 1, 0 go to C0, C3, C1; C2 says that the reduction is not finished.
fn remainder(x87: &mut X87, a: Number, b: Number, nearest: bool) -> Option<Number> {
    if a.kind == Kind::Infinity || b.is_zero() {
        return begin(x87, IE).then_some(Number::INDEFINITE);
    }
    let is_whole = b.kind == Kind::Infinity || a.is_zero();
    let result =
        if is_whole { arith::Remainder { number: a, quotient: Some(0) } } else { arith::remainder(a, b, nearest) };
    let outcome = if result.number.kind == Kind::Finite {
        Outcome::Exact(result.number.exact())
    } else {
        Outcome::Done(result.number, 0)
    };
    let number = finish(x87, outcome, denormal(&[a, b]), &EXTENDED)?;
    let quotient = result.quotient.unwrap_or(0);
    x87.set_bits(fsw::C2, result.quotient.is_none());
    for (bit, code) in [(0, fsw::C1), (1, fsw::C3), (2, fsw::C0)] {
        x87.set_bits(code, quotient >> bit & 1 != 0);
    }
    Some(number)
}

/// FXTRACT: ST0 becomes the exponent, and the significand is pushed.
fn extract(x87: &mut X87, a: Number) {
    if !x87.is_empty(7) {
        if !x87.stack_fault(true) {
            x87.set(0, Number::INDEFINITE);
            x87.push_raw(Number::INDEFINITE.to_extended());
        }
        return;
    }
    let (flags, exponent, significand) = match nan_of(a, a) {
        Some((nan, flags)) => (flags, nan, nan),
        None => match a.kind {
            Kind::Zero => (ZE, Number::infinity(true), a),
            Kind::Infinity => (0, Number::infinity(false), a),
            _ => {
                let significand = Number { exponent: 0, is_denormal: false, ..a };
                (denormal(&[a]), Number::from_int(a.exponent.into()), significand)
            }
        },
    };
    if begin(x87, flags) {
        x87.set(0, exponent);
        x87.push_raw(significand.to_extended());
    }
}

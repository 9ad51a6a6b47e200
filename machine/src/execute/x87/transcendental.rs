//! FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1: operands that are no finite numbers, the rest by
//! [`crate::softfloat::transcend`]. They round as FCW.RC says, to 64 bits whatever FCW.PC says.

use super::arith::{begin, denormal, finish, nan_of};
use crate::cpu::x87::{X87, fsw};
use crate::decode::Op;
use crate::softfloat::arith::{Outcome, mul};
use crate::softfloat::flag::{IE, ZE};
use crate::softfloat::{EXTENDED, Kind, Number, transcend};

const INVALID: Outcome = Outcome::Done(Number::INDEFINITE, IE);

/// Executes it.
pub(super) fn execute(x87: &mut X87, op: Op) {
    match op {
        Op::Fsin | Op::Fcos | Op::Fsincos | Op::Fptan => circular(x87, op),
        Op::F2xm1 => {
            if x87.is_empty(0) {
                if !x87.stack_fault(false) {
                    x87.set(0, Number::INDEFINITE);
                }
                return;
            }
            let a = x87.st(0);
            if let Some(result) = with_nans(x87, a, a, || two_to_x_minus_1(a)) {
                x87.set(0, result);
            }
        }
        _ => {
            let result = if x87.is_empty(0) || x87.is_empty(1) {
                (!x87.stack_fault(false)).then_some(Number::INDEFINITE)
            } else {
                let (x, y) = (x87.st(0), x87.st(1));
                with_nans(x87, x, y, || match op {
                    Op::Fyl2x => y_log2_x(x, y),
                    Op::Fyl2xp1 => y_log2_x_plus_1(x, y),
                    _ => arc_tangent(y, x),
                })
            };
            if let Some(result) = result {
                x87.set(1, result);
                x87.pop();
            }
        }
    }
}

/// The result unless an unmasked exception keeps it back. `outcome` is asked where no operand is a NaN.
fn with_nans(x87: &mut X87, a: Number, b: Number, outcome: impl FnOnce() -> Outcome) -> Option<Number> {
    match nan_of(a, b) {
        Some((nan, flags)) => begin(x87, flags).then_some(nan),
        None => finish(x87, outcome(), denormal(&[a, b]), &EXTENDED),
    }
}

/// FSIN, FCOS, FSINCOS (pushes the cosine) and FPTAN (pushes 1). C2: the operand is 2^63 or more, nothing happens.
fn circular(x87: &mut X87, op: Op) {
    let pushes = matches!(op, Op::Fsincos | Op::Fptan);
    x87.set_bits(fsw::C2, false);
    let is_overflow = !x87.is_empty(0) && pushes && !x87.is_empty(7);
    if x87.is_empty(0) || is_overflow {
        if !x87.stack_fault(is_overflow) {
            x87.set(0, Number::INDEFINITE);
            if pushes {
                x87.push_raw(Number::INDEFINITE.to_extended());
            }
        }
        return;
    }
    let a = x87.st(0);
    if a.kind == Kind::Finite && a.exponent >= 63 {
        x87.set_bits(fsw::C2, true);
        x87.set_bits(fsw::C1, false);
        return;
    }
    if a.kind != Kind::Finite && !a.is_zero() {
        let (nan, flags) = nan_of(a, a).unwrap_or((Number::INDEFINITE, IE));
        if begin(x87, flags) {
            x87.set(0, nan);
            if pushes {
                x87.push_raw(nan.to_extended());
            }
        }
        return;
    }
    let one = Outcome::Done(Number::ONE, 0);
    let (first, second) = match op {
        _ if a.is_zero() => (if op == Op::Fcos { one } else { Outcome::Done(a, 0) }, one),
        Op::Fptan => (Outcome::Exact(transcend::tan(a)), one),
        _ => {
            let (sin, cos) = transcend::sin_cos(a);
            (Outcome::Exact(if op == Op::Fcos { cos } else { sin }), Outcome::Exact(cos))
        }
    };
    let Some(result) = finish(x87, first, denormal(&[a]), &EXTENDED) else { return };
    x87.set(0, result);
    if pushes && let Some(second) = finish(x87, second, 0, &EXTENDED) {
        x87.push_raw(second.to_extended());
    }
}

/// 2^a - 1. Outside of -1 to 1, where the SDM defines nothing, finite operands stay as they are.
fn two_to_x_minus_1(a: Number) -> Outcome {
    let minus_one = Number { negative: true, ..Number::ONE };
    match a.kind {
        Kind::Infinity if a.negative => Outcome::Done(minus_one, 0),
        Kind::Finite if a.exponent < 0 => Outcome::Exact(transcend::exp2m1(a)),
        Kind::Finite if a == minus_one => Outcome::Done(Number { exponent: -1, ..minus_one }, 0),
        _ => Outcome::Done(a, 0),
    }
}

/// y * log2(x).
fn y_log2_x(x: Number, y: Number) -> Outcome {
    let is_one = Number { is_denormal: false, ..x } == Number::ONE;
    let is_above = x.kind == Kind::Infinity || x.kind == Kind::Finite && x.exponent >= 0;
    match (x.kind, y.kind) {
        (Kind::Zero, Kind::Zero) => INVALID,
        (Kind::Zero, Kind::Infinity) => Outcome::Done(Number::infinity(!y.negative), 0),
        (Kind::Zero, _) => Outcome::Done(Number::infinity(!y.negative), ZE),
        _ if x.negative => INVALID,
        (Kind::Infinity, Kind::Zero) => INVALID,
        (_, Kind::Infinity) if is_one => INVALID,
        _ if is_one => Outcome::Done(Number::zero(y.negative), 0),
        (Kind::Infinity, _) | (_, Kind::Infinity) => Outcome::Done(Number::infinity(y.negative == is_above), 0),
        (_, Kind::Zero) => Outcome::Done(Number::zero(y.negative == is_above), 0),
        _ if x.significand == 1 << 63 => mul(y, Number::from_int(x.exponent.into())),
        _ => Outcome::Exact(transcend::y_log2(x, y)),
    }
}

/// y * log2(x + 1). At x = -1 and below, where the SDM defines nothing, the operation is invalid.
fn y_log2_x_plus_1(x: Number, y: Number) -> Outcome {
    let sign = x.negative != y.negative;
    match (x.kind, y.kind) {
        (Kind::Zero, Kind::Infinity) | (Kind::Infinity, Kind::Zero) => INVALID,
        (Kind::Zero, _) => Outcome::Done(Number::zero(sign), 0),
        (Kind::Infinity, _) if x.negative => INVALID,
        (Kind::Finite, _) if x.negative && x.exponent >= 0 => INVALID,
        (Kind::Infinity, _) | (_, Kind::Infinity) => Outcome::Done(Number::infinity(sign), 0),
        (_, Kind::Zero) => Outcome::Done(Number::zero(sign), 0),
        _ => Outcome::Exact(transcend::y_log2p1(x, y)),
    }
}

/// The angle of (x, y) (SDM 2A, "FPATAN").
fn arc_tangent(y: Number, x: Number) -> Outcome {
    let quarters = |count| Outcome::Exact(transcend::quarters_of_pi(count, y.negative));
    match (y.kind, x.kind) {
        (Kind::Infinity, Kind::Infinity) => quarters(if x.negative { 3 } else { 1 }),
        (Kind::Infinity, _) => quarters(2),
        (Kind::Zero, _) | (_, Kind::Infinity) if x.negative => quarters(4),
        (Kind::Zero, _) | (_, Kind::Infinity) => Outcome::Done(Number::zero(y.negative), 0),
        (_, Kind::Zero) => quarters(2),
        _ => Outcome::Exact(transcend::angle(y, x)),
    }
}

//! Comparisons, into C3, C2, C0 or into ZF, PF, CF.

use super::arith::denormal;
use crate::cpu::flags::{AF, CF, OF, PF, SF, ZF};
use crate::cpu::x87::{X87, fsw};
use crate::decode::{Insn, Op};
use crate::softfloat::flag::IE;
use crate::softfloat::{Kind, Number, arith};
use std::cmp::Ordering;

/// Executes a comparison; RFLAGS afterwards. With an unmasked exception neither condition codes nor stack change.
pub(super) fn execute(x87: &mut X87, insn: &Insn, operand: Option<Number>, rflags: u64) -> u64 {
    let src = match insn.op {
        Op::Fcompp | Op::Fucompp => 1,
        Op::Ftst => 0,
        _ if operand.is_some() => 0,
        _ => usize::from(insn.src.reg & 7),
    };
    x87.set_bits(fsw::C1, false);
    let result = if x87.is_empty(0) || x87.is_empty(src) {
        if x87.stack_fault(false) {
            return rflags;
        }
        None
    } else {
        let b = match insn.op {
            Op::Ftst => Number::zero(false),
            _ => operand.unwrap_or_else(|| x87.st(src)),
        };
        let a = x87.st(0);
        let flags = invalid(insn.op, a, b);
        let result = arith::compare(a, b);
        let denormal = if result.is_some() { denormal(&[a, b]) } else { 0 };
        if x87.raise(flags | denormal) {
            return rflags;
        }
        result
    };
    let is_direct = matches!(insn.op, Op::Fcomi | Op::Fcomip | Op::Fucomi | Op::Fucomip);
    let rflags = if is_direct { rflags & !(OF | SF | AF | ZF | PF | CF) | in_rflags(result) } else { rflags };
    if !is_direct {
        let codes = match result {
            Some(Ordering::Greater) => 0,
            Some(Ordering::Less) => fsw::C0,
            Some(Ordering::Equal) => fsw::C3,
            None => fsw::C3 | fsw::C2 | fsw::C0,
        };
        x87.fsw = x87.fsw & !(fsw::C3 | fsw::C2 | fsw::C0) | codes;
    }
    let pops = match insn.op {
        Op::Fcompp | Op::Fucompp => 2,
        Op::Fcomp | Op::Fucomp | Op::Ficomp | Op::Fcomip | Op::Fucomip => 1,
        _ => 0,
    };
    for _ in 0..pops {
        x87.pop();
    }
    rflags
}

/// ZF, PF and CF of a comparison: unordered sets all.
pub(super) fn in_rflags(result: Option<Ordering>) -> u64 {
    match result {
        Some(Ordering::Greater) => 0,
        Some(Ordering::Less) => CF,
        Some(Ordering::Equal) => ZF,
        None => ZF | PF | CF,
    }
}

/// The unordered comparisons take quiet NaNs without IE.
fn invalid(op: Op, a: Number, b: Number) -> u8 {
    let is_unordered = matches!(op, Op::Fucom | Op::Fucomp | Op::Fucompp | Op::Fucomi | Op::Fucomip);
    let bars = |n: Number| match n.kind {
        Kind::Unsupported => true,
        Kind::Nan => !is_unordered || n.is_signaling(),
        _ => false,
    };
    if bars(a) || bars(b) { IE } else { 0 }
}

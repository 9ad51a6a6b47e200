//! Instructions that move, mark or look at data registers without arithmetic: FXCH, FCMOVcc, FFREE, constants, FCHS.

use crate::cpu::flags::{CF, PF, ZF};
use crate::cpu::x87::{X87, fsw};
use crate::decode::{Insn, Op};
use crate::softfloat::{Kind, Number, Rounding};

const SIGN: u128 = 1 << 79;

/// Executes it.
pub(super) fn execute(x87: &mut X87, insn: &Insn, rflags: u64) {
    let dst = usize::from(insn.dst.reg & 7);
    let src = usize::from(insn.src.reg & 7);
    match insn.op {
        Op::Fxch => exchange(x87, src),
        Op::Ffree => {
            x87.set_bits(fsw::C1, false);
            x87.free(dst);
        }
        Op::Ffreep => {
            x87.set_bits(fsw::C1, false);
            x87.free(dst);
            x87.pop();
        }
        Op::Fincstp | Op::Fdecstp => {
            x87.set_bits(fsw::C1, false);
            x87.set_top(x87.number_of(if insn.op == Op::Fincstp { 1 } else { 7 }));
        }
        Op::Fabs | Op::Fchs => {
            x87.set_bits(fsw::C1, false);
            if x87.is_empty(0) {
                underflow(x87);
            } else {
                let old = x87.raw(0);
                x87.set_raw(0, if insn.op == Op::Fabs { old & !SIGN } else { old ^ SIGN });
            }
        }
        Op::Fxam => examine(x87),
        Op::Fld1 | Op::Fldl2t | Op::Fldl2e | Op::Fldpi | Op::Fldlg2 | Op::Fldln2 | Op::Fldz => constant(x87, insn.op),
        Op::Fcmovb => move_if(x87, src, rflags & CF != 0),
        Op::Fcmove => move_if(x87, src, rflags & ZF != 0),
        Op::Fcmovbe => move_if(x87, src, rflags & (CF | ZF) != 0),
        Op::Fcmovu => move_if(x87, src, rflags & PF != 0),
        Op::Fcmovnb => move_if(x87, src, rflags & CF == 0),
        Op::Fcmovne => move_if(x87, src, rflags & ZF == 0),
        Op::Fcmovnbe => move_if(x87, src, rflags & (CF | ZF) == 0),
        Op::Fcmovnu => move_if(x87, src, rflags & PF == 0),
        // FNOP.
        _ => {}
    }
}

/// ST0 is empty and should not: the default NaN, unless IE is unmasked.
fn underflow(x87: &mut X87) {
    if !x87.stack_fault(false) {
        x87.set(0, Number::INDEFINITE);
    }
}

fn exchange(x87: &mut X87, other: usize) {
    x87.set_bits(fsw::C1, false);
    if x87.is_empty(0) || x87.is_empty(other) {
        if x87.stack_fault(false) {
            return;
        }
        for i in [0, other] {
            if x87.is_empty(i) {
                x87.set(i, Number::INDEFINITE);
            }
        }
    }
    let (a, b) = (x87.raw(0), x87.raw(other));
    x87.set_raw(0, b);
    x87.set_raw(other, a);
}

fn move_if(x87: &mut X87, src: usize, condition: bool) {
    if x87.is_empty(0) || x87.is_empty(src) {
        underflow(x87);
    } else if condition {
        x87.set_raw(0, x87.raw(src));
    }
}

/// FXAM: C3, C2, C0 tell the class, C1 the sign, also of an empty register.
fn examine(x87: &mut X87) {
    let number = x87.st(0);
    let codes = match number.kind {
        _ if x87.is_empty(0) => fsw::C3 | fsw::C0,
        Kind::Unsupported => 0,
        Kind::Nan => fsw::C0,
        Kind::Finite if number.is_denormal => fsw::C3 | fsw::C2,
        Kind::Finite => fsw::C2,
        Kind::Infinity => fsw::C2 | fsw::C0,
        Kind::Zero => fsw::C3,
    };
    x87.fsw = x87.fsw & !(fsw::C3 | fsw::C2 | fsw::C0) | codes;
    x87.set_bits(fsw::C1, number.negative);
}

/// Pushes a constant, rounded as FCW.RC says (SDM 2A, "FLD1/FLDL2T/..."); inexactness is not told.
fn constant(x87: &mut X87, op: Op) {
    if !x87.is_empty(7) {
        if !x87.stack_fault(true) {
            x87.push_raw(Number::INDEFINITE.to_extended());
        }
        return;
    }
    x87.set_bits(fsw::C1, false);
    // Sign and exponent; 64 bits of significand cut off; whether to the nearest is the next one up.
    let (exponent, significand, nearest_is_up) = match op {
        Op::Fldz => (0, 0, false),
        Op::Fld1 => (0x3fff, 1 << 63, false),
        Op::Fldl2t => (0x4000, 0xd49a_784b_cd1b_8afe, false),
        Op::Fldl2e => (0x3fff, 0xb8aa_3b29_5c17_f0bb, true),
        Op::Fldpi => (0x4000, 0xc90f_daa2_2168_c234, true),
        Op::Fldlg2 => (0x3ffd, 0x9a20_9a84_fbcf_f798, true),
        _ => (0x3ffe, 0xb172_17f7_d1cf_79ab, true),
    };
    let is_exact = matches!(op, Op::Fldz | Op::Fld1);
    let up = match x87.env().rounding {
        _ if is_exact => false,
        Rounding::Nearest => nearest_is_up,
        Rounding::Up => true,
        Rounding::Down | Rounding::Zero => false,
    };
    x87.push_raw((exponent << 64 | significand) + u128::from(up));
}

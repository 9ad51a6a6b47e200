//! Conversions between integers, singles and doubles, in general, XMM and MMX registers.

use super::float::{Context, Width};
use super::{Alignment, read_source};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::decode::{Insn, Op};
use crate::execute::operand::{read_src, sign_extend, write_dst};
use crate::fault::Exec;
use crate::softfloat::arith::Outcome;
use crate::softfloat::{Kind, Number, Rounding, integer};

use Width::{Double, Single};

/// Executes a conversion; false: it is another kind of instruction.
pub fn execute(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<bool> {
    let (op, dst) = (insn.op, usize::from(insn.dst.reg & 15));
    match op {
        Op::Cvtsi2ss | Op::Cvtsi2sd => {
            let value = sign_extend(read_src(cpu, bus, insn)?, insn.src_size) as i64;
            let mut context = Context::of(cpu);
            let width = if op == Op::Cvtsi2ss { Single } else { Double };
            let lane = from_int(&mut context, width, value);
            context.finish(cpu)?;
            cpu.xmm[dst] = width.with_lane(cpu.xmm[dst], 0, lane);
        }
        Op::Cvtss2si | Op::Cvttss2si | Op::Cvtsd2si | Op::Cvttsd2si => {
            let source = read_source(cpu, bus, insn, Alignment::Free)?;
            let width = if matches!(op, Op::Cvtss2si | Op::Cvttss2si) { Single } else { Double };
            let mut context = Context::of(cpu);
            let bits = 8 * u32::from(insn.size);
            let truncates = matches!(op, Op::Cvttss2si | Op::Cvttsd2si);
            let value = to_int(&mut context, width, width.lane(source, 0), truncates, bits);
            context.finish(cpu)?;
            write_dst(cpu, bus, insn, value)?;
        }
        Op::Cvtss2sd | Op::Cvtsd2ss => {
            let source = read_source(cpu, bus, insn, Alignment::Free)?;
            let (from, to) = if op == Op::Cvtss2sd { (Single, Double) } else { (Double, Single) };
            let mut context = Context::of(cpu);
            let lane = resized(&mut context, from, to, from.lane(source, 0));
            context.finish(cpu)?;
            cpu.xmm[dst] = to.with_lane(cpu.xmm[dst], 0, lane);
        }
        // From memory; an MMX register's is in `from_mmx`.
        Op::Cvtpi2ps | Op::Cvtpi2pd => {
            let source = read_source(cpu, bus, insn, Alignment::Free)?;
            from_mmx(cpu, insn, source as u64)?;
        }
        _ => {
            let Some((lanes, f)) = packed(op) else { return Ok(false) };
            let source = read_source(cpu, bus, insn, Alignment::Needed)?;
            let mut context = Context::of(cpu);
            let result = (0..lanes).fold(0, |result, index| f(&mut context, source, result, index));
            context.finish(cpu)?;
            cpu.xmm[dst] = result;
        }
    }
    Ok(true)
}

/// Puts a lane of the source, converted, into the result.
type Lane = fn(&mut Context, u128, u128, u32) -> u128;

/// How many lanes, and what becomes of each. Lanes of the result that none goes to are 0.
fn packed(op: Op) -> Option<(u32, Lane)> {
    Some(match op {
        Op::Cvtps2pd => (2, |context, source, result, index| {
            Double.with_lane(result, index, resized(context, Single, Double, Single.lane(source, index)))
        }),
        Op::Cvtpd2ps => (2, |context, source, result, index| {
            Single.with_lane(result, index, resized(context, Double, Single, Double.lane(source, index)))
        }),
        Op::Cvtdq2ps => (4, |context, source, result, index| {
            let value = Single.lane(source, index) as i32;
            Single.with_lane(result, index, from_int(context, Single, value.into()))
        }),
        Op::Cvtdq2pd => (2, |context, source, result, index| {
            let value = Single.lane(source, index) as i32;
            Double.with_lane(result, index, from_int(context, Double, value.into()))
        }),
        Op::Cvtps2dq => (4, |context, source, result, index| {
            Single.with_lane(result, index, to_int(context, Single, Single.lane(source, index), false, 32))
        }),
        Op::Cvttps2dq => (4, |context, source, result, index| {
            Single.with_lane(result, index, to_int(context, Single, Single.lane(source, index), true, 32))
        }),
        Op::Cvtpd2dq => (2, |context, source, result, index| {
            Single.with_lane(result, index, to_int(context, Double, Double.lane(source, index), false, 32))
        }),
        Op::Cvttpd2dq => (2, |context, source, result, index| {
            Single.with_lane(result, index, to_int(context, Double, Double.lane(source, index), true, 32))
        }),
        _ => return None,
    })
}

/// CVTPI2PS (the upper half stays) and CVTPI2PD of two integers.
pub fn from_mmx(cpu: &mut Cpu, insn: &Insn, source: u64) -> Exec<()> {
    let width = if insn.op == Op::Cvtpi2ps { Single } else { Double };
    let mut context = Context::of(cpu);
    let dst = usize::from(insn.dst.reg & 15);
    let result = (0..2).fold(cpu.xmm[dst], |result, index| {
        let value = (source >> (32 * index)) as i32;
        width.with_lane(result, index, from_int(&mut context, width, value.into()))
    });
    context.finish(cpu)?;
    cpu.xmm[dst] = result;
    Ok(())
}

/// CVTPS2PI, CVTPD2PI and the truncating ones: two integers.
pub fn to_mmx(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<u64> {
    let width = if matches!(insn.op, Op::Cvtps2pi | Op::Cvttps2pi) { Single } else { Double };
    let truncates = matches!(insn.op, Op::Cvttps2pi | Op::Cvttpd2pi);
    let source = read_source(cpu, bus, insn, Alignment::Needed)?;
    let mut context = Context::of(cpu);
    let result = (0..2).fold(0, |result, index| {
        result | to_int(&mut context, width, width.lane(source, index), truncates, 32) << (32 * index)
    });
    context.finish(cpu)?;
    Ok(result)
}

fn from_int(context: &mut Context, width: Width, value: i64) -> u64 {
    let number = Number::from_int(value);
    let outcome = if number.is_zero() { Outcome::Done(number, 0) } else { Outcome::Exact(number.exact()) };
    width.pack(context.round(outcome, &[], width.format()))
}

/// To a signed integer; what does not fit gives the integer indefinite and IE.
fn to_int(context: &mut Context, width: Width, lane: u64, truncates: bool, bits: u32) -> u64 {
    let rounding = if truncates { Rounding::Zero } else { context.env.rounding };
    let result = integer::to_int(context.operand(width, lane), rounding, bits);
    match result.value {
        Some(value) => {
            context.note_after(result.flags);
            value as u64 & u64::MAX >> (64 - bits)
        }
        None => {
            context.note(result.flags);
            1 << (bits - 1)
        }
    }
}

/// Single to double or back.
fn resized(context: &mut Context, from: Width, to: Width, lane: u64) -> u64 {
    let number = context.operand(from, lane);
    if let Some(nan) = context.nan(number, number) {
        return to.pack(nan);
    }
    let outcome = match number.kind {
        Kind::Finite => Outcome::Exact(number.exact()),
        _ => Outcome::Done(number, 0),
    };
    to.pack(context.round(outcome, &[number], to.format()))
}

//! Between memory and the stack: real numbers in three sizes, integers in three, and packed BCD.

use super::arith::denormal;
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::x87::{X87, fsw};
use crate::decode::{Insn, Kind, Op};
use crate::execute::operand::{load as load_bytes, mask, offset, segment_of, store as store_bytes};
use crate::fault::Exec;
use crate::mmu;
use crate::softfloat::arith::Outcome;
use crate::softfloat::flag::{IE, OE, PE, UE};
use crate::softfloat::{DOUBLE, Kind as Class, Number, Rounding, SINGLE, integer};

/// The largest number that 18 decimal digits hold.
const BCD_MAX: u64 = 999_999_999_999_999_999;
/// What FBSTP stores where that is invalid.
const BCD_INDEFINITE: u128 = 0xffff_c000_0000_0000_0000;

/// The number in memory: real of 4, 8 or 10 bytes; integer for FI instructions.
pub(super) fn read(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<Number> {
    let is_integer = matches!(
        insn.op,
        Op::Fild | Op::Fiadd | Op::Fisub | Op::Fisubr | Op::Fimul | Op::Fidiv | Op::Fidivr | Op::Ficom | Op::Ficomp
    );
    if insn.size == 10 {
        return read_80(cpu, bus, insn).map(Number::from_extended);
    }
    let offset = offset(cpu, insn);
    let bits = load_bytes(cpu, bus, segment_of(insn), offset, insn.size)?;
    Ok(match insn.size {
        2 => Number::from_int((bits as i16).into()),
        4 if is_integer => Number::from_int((bits as i32).into()),
        8 if is_integer => Number::from_int(bits as i64),
        4 => Number::from_single(bits as u32),
        _ => Number::from_double(bits),
    })
}

fn read_80(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<u128> {
    let (seg, offset) = (segment_of(insn), offset(cpu, insn));
    let low = mmu::read_u64(cpu, bus, seg, offset)?;
    let high = mmu::read_u16(cpu, bus, seg, offset.wrapping_add(8) & mask(insn.addr_size))?;
    Ok(u128::from(high) << 64 | u128::from(low))
}

fn write_80(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, value: u128) -> Exec<()> {
    let (seg, offset) = (segment_of(insn), offset(cpu, insn));
    mmu::check_write(cpu, bus, seg, offset, 10)?;
    mmu::write_u64(cpu, bus, seg, offset, value as u64)?;
    mmu::write_u16(cpu, bus, seg, offset.wrapping_add(8) & mask(insn.addr_size), (value >> 64) as u16)
}

/// FLD, FILD, FBLD.
pub(super) fn load(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, x87: &mut X87) -> Exec<()> {
    let is_memory = insn.dst.kind == Kind::Mem;
    let src = usize::from(insn.dst.reg & 7);
    // What is pushed, and what it raises. FLD of 80 bits and of a register copies as it is.
    let (raw, flags) = if !is_memory {
        (if x87.is_empty(src) { None } else { Some(x87.raw(src)) }, 0)
    } else if insn.op == Op::Fbld {
        (Some(from_bcd(read_80(cpu, bus, insn)?)), 0)
    } else if insn.size == 10 {
        (Some(read_80(cpu, bus, insn)?), 0)
    } else {
        let number = read(cpu, bus, insn)?;
        let flags = if number.is_signaling() { IE } else { denormal(&[number]) };
        let number = if number.is_nan() { number.quieted() } else { number };
        (Some(number.to_extended()), flags)
    };
    let (Some(raw), true) = (raw, x87.is_empty(7)) else {
        // Of both faults at once, the empty source counts.
        if !x87.stack_fault(raw.is_some()) {
            x87.push_raw(Number::INDEFINITE.to_extended());
        }
        return Ok(());
    };
    x87.set_bits(fsw::C1, false);
    x87.raise(flags);
    // An unmasked DE does not keep the load back.
    if !x87.is_unmasked(flags & IE) {
        x87.push_raw(raw);
    }
    Ok(())
}

/// 18 digits of four bits, the sign in bit 79. Digits above 9 count as they are.
fn from_bcd(bits: u128) -> u128 {
    let magnitude = (0..18).rev().fold(0i64, |value, digit| value * 10 + (bits >> (4 * digit) & 15) as i64);
    let negative = bits >> 79 != 0;
    Number { negative, ..Number::from_int(magnitude) }.to_extended()
}

fn to_bcd(value: i64, negative: bool) -> u128 {
    let (mut rest, mut bits) = (value.unsigned_abs(), 0u128);
    for digit in 0..18 {
        bits |= u128::from(rest % 10) << (4 * digit);
        rest /= 10;
    }
    bits | u128::from(negative) << 79
}

/// What a store writes, what it raises, and whether it was rounded up. None: nothing may be written.
struct Stored {
    bits: Option<u128>,
    flags: u8,
    is_up: bool,
}

/// FST, FSTP, FIST, FISTP, FISTTP, FBSTP.
pub(super) fn store(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, x87: &mut X87) -> Exec<()> {
    let pops = !matches!(insn.op, Op::Fst | Op::Fist);
    let dst = insn.dst;
    if dst.kind != Kind::Mem {
        x87.set_bits(fsw::C1, false);
        if insn.op == Op::Fstpnce && x87.is_empty(0) {
            // This undocumented form stores and raises nothing then.
            x87.pop();
            return Ok(());
        }
        let raw = if !x87.is_empty(0) {
            x87.raw(0)
        } else if x87.stack_fault(false) {
            return Ok(());
        } else {
            Number::INDEFINITE.to_extended()
        };
        x87.set_raw(usize::from(dst.reg & 7), raw);
        if pops {
            x87.pop();
        }
        return Ok(());
    }
    let stored = if x87.is_empty(0) {
        x87.stack_fault(false);
        Stored { bits: indefinite(insn), flags: IE, is_up: false }
    } else {
        converted(x87, insn)
    };
    x87.set_bits(fsw::C1, false);
    // What is found before the result exists, and over- and underflow, keep memory and stack as they are.
    let keeps = x87.is_unmasked(stored.flags & (IE | OE | UE));
    let Some(bits) = stored.bits.filter(|_| !keeps) else {
        check(cpu, bus, insn)?;
        // No result, no inexactness.
        x87.raise(stored.flags & !PE);
        return Ok(());
    };
    if insn.size == 10 {
        write_80(cpu, bus, insn, bits)?;
    } else {
        let offset = offset(cpu, insn);
        store_bytes(cpu, bus, segment_of(insn), offset, insn.size, bits as u64)?;
    }
    x87.set_bits(fsw::C1, stored.is_up);
    x87.raise(stored.flags);
    if pops {
        x87.pop();
    }
    Ok(())
}

/// The faults of the store that does not happen.
fn check(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let offset = offset(cpu, insn);
    mmu::check_write(cpu, bus, segment_of(insn), offset, insn.size.into())
}

/// The masked response to an invalid operation in each destination.
fn indefinite(insn: &Insn) -> Option<u128> {
    Some(match (insn.op, insn.size) {
        (Op::Fbstp, _) => BCD_INDEFINITE,
        (Op::Fist | Op::Fistp | Op::Fisttp, size) => 1 << (8 * u32::from(size) - 1),
        (_, 4) => Number::INDEFINITE.to_single().into(),
        (_, 8) => Number::INDEFINITE.to_double().into(),
        _ => Number::INDEFINITE.to_extended(),
    })
}

/// ST0 as the destination wants it.
fn converted(x87: &X87, insn: &Insn) -> Stored {
    let number = x87.st(0);
    let env = x87.env();
    let invalid = Stored { bits: indefinite(insn), flags: IE, is_up: false };
    match insn.op {
        Op::Fist | Op::Fistp | Op::Fisttp => {
            let rounding = if insn.op == Op::Fisttp { Rounding::Zero } else { env.rounding };
            let result = integer::to_int(number, rounding, 8 * u32::from(insn.size));
            match result.value {
                Some(value) => {
                    Stored { bits: Some(u128::from(value as u64)), flags: result.flags, is_up: result.is_up }
                }
                None => invalid,
            }
        }
        Op::Fbstp => {
            let result = integer::to_int(number, env.rounding, 64);
            match result.value.filter(|value| value.unsigned_abs() <= BCD_MAX) {
                Some(value) => {
                    let bits = Some(to_bcd(value, number.negative));
                    Stored { bits, flags: result.flags, is_up: result.is_up }
                }
                None => invalid,
            }
        }
        _ if insn.size == 10 => Stored { bits: Some(x87.raw(0)), flags: 0, is_up: false },
        _ => {
            let format = if insn.size == 4 { SINGLE } else { DOUBLE };
            let pack = |number: Number| {
                Some(if insn.size == 4 { number.to_single().into() } else { u128::from(number.to_double()) })
            };
            match number.kind {
                Class::Unsupported => invalid,
                Class::Nan => {
                    let flags = if number.is_signaling() { IE } else { 0 };
                    Stored { bits: pack(number.quieted()), flags, is_up: false }
                }
                Class::Finite => {
                    let rounded = Outcome::Exact(number.exact()).round(&format, &env);
                    Stored { bits: pack(rounded.number), flags: rounded.flags, is_up: rounded.is_up }
                }
                _ => Stored { bits: pack(number), flags: 0, is_up: false },
            }
        }
    }
}

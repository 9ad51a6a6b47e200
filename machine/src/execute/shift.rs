//! Shifts and rotates. The count is taken modulo 32 (64 for 64-bit operands); a count of 0 changes no flag.
//!
//! Flags that the SDM calls undefined: OF after counts above 1 is that of the last bit moved (SHLD and SHRD: that the
//! sign changed); CF of a shift of an 8- or 16-bit operand by its width or more is the last bit that a bit-by-bit shift
//! would move out. SHLD and SHRD of a 16-bit operand by more than 16, undefined as a whole, shift on into the first
//! operand's own bits, which is what Intel processors were seen to do.

use super::operand::{mask, modify, read, sign_bit, sign_extend};
use super::status::{self, when};
use crate::bus::Bus;
use crate::cpu::Cpu;
use crate::cpu::flags::{AF, CF, OF, STATUS};
use crate::decode::{Insn, Op, Operand};
use crate::fault::Exec;

fn count(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn, operand: Operand) -> Exec<u32> {
    Ok(masked_count(read(cpu, bus, insn, operand, 1)?, insn.size))
}

/// The part of a count that counts.
#[inline]
pub fn masked_count(count: u64, size: u8) -> u32 {
    count as u32 & if size == 8 { 63 } else { 31 }
}

/// SHL, SHR, SAR: SF ZF PF by the result, CF the last bit moved out, AF 0.
pub fn shift(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let (count, size, op) = (count(cpu, bus, insn, insn.src)?, insn.size, insn.op);
    modify(cpu, bus, insn, |a, flags| shifted(op, flags, a, count, size))
}

/// What SHL, SHR or SAR makes of a value and the flags.
#[inline]
pub fn shifted(op: Op, flags: u64, a: u64, count: u32, size: u8) -> (u64, u64) {
    if count == 0 {
        return (a, flags);
    }
    let (result, carry, overflow) = match op {
        Op::Shl => {
            let wide = u128::from(a) << count;
            let (result, carry) = (wide as u64 & mask(size), wide >> (8 * u32::from(size)) & 1 != 0);
            (result, carry, (result & sign_bit(size) != 0) != carry)
        }
        Op::Shr => {
            let result = a >> count;
            (result, a >> (count - 1) & 1 != 0, result << 1 & sign_bit(size) != 0)
        }
        _ => {
            let wide = sign_extend(a, size) as i64;
            ((wide >> count) as u64 & mask(size), wide >> (count - 1) & 1 != 0, false)
        }
    };
    let status = status::of_result(result, size) | when(carry, CF) | when(overflow, OF);
    (result, flags & !STATUS | status)
}

/// ROL, ROR: CF the last bit moved around, OF; the others stay.
pub fn rotate(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let (count, size, op) = (count(cpu, bus, insn, insn.src)?, insn.size, insn.op);
    let bits = 8 * u32::from(size);
    modify(cpu, bus, insn, |a, flags| {
        if count == 0 {
            return (a, flags);
        }
        let left = if op == Op::Rol { count % bits } else { (bits - count % bits) % bits };
        let result = if left == 0 { a } else { (a << left | a >> (bits - left)) & mask(size) };
        let sign = result & sign_bit(size) != 0;
        let (carry, overflow) = if op == Op::Rol {
            let carry = result & 1 != 0;
            (carry, sign != carry)
        } else {
            (sign, sign != (result << 1 & sign_bit(size) != 0))
        };
        (result, flags & !(CF | OF) | when(carry, CF) | when(overflow, OF))
    })
}

/// RCL, RCR: rotates through CF, which is one more bit; OF; the others stay.
pub fn rotate_through_carry(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let (count, size, op) = (count(cpu, bus, insn, insn.src)?, insn.size, insn.op);
    let bits = 8 * u32::from(size) + 1;
    modify(cpu, bus, insn, |a, flags| {
        let count = count % bits;
        if count == 0 {
            return (a, flags);
        }
        let wide = u128::from(flags & CF) << (bits - 1) | u128::from(a);
        let left = if op == Op::Rcl { count } else { bits - count };
        let rotated = wide << left | wide >> (bits - left);
        let (result, carry) = (rotated as u64 & mask(size), rotated >> (bits - 1) & 1 != 0);
        let sign = result & sign_bit(size) != 0;
        let overflow = if op == Op::Rcl { sign != carry } else { sign != (result << 1 & sign_bit(size) != 0) };
        (result, flags & !(CF | OF) | when(carry, CF) | when(overflow, OF))
    })
}

/// SHLD, SHRD: SF ZF PF by the result, CF the last bit moved out, AF 0; OF: the sign changed.
pub fn double(cpu: &mut Cpu, bus: &mut Bus, insn: &Insn) -> Exec<()> {
    let (count, size, op) = (count(cpu, bus, insn, insn.third)?, insn.size, insn.op);
    let filler = read(cpu, bus, insn, insn.src, size)?;
    let bits = 8 * u32::from(size);
    modify(cpu, bus, insn, |a, flags| {
        if count == 0 {
            return (a, flags);
        }
        let (own, filler) = (u128::from(a), u128::from(filler));
        let (result, carry) = if op == Op::Shld {
            // own : filler : own, of which the upper part moves out to the left.
            let wide = own << bits | filler;
            let wide = if count > bits { wide << bits | own } else { wide };
            let lowest = if count > bits { 2 * bits } else { bits };
            ((wide << count >> lowest) as u64 & mask(size), wide >> (lowest + bits - count) & 1 != 0)
        } else {
            let wide = filler << bits | own;
            let wide = if count > bits { own << (2 * bits) | wide } else { wide };
            ((wide >> count) as u64 & mask(size), wide >> (count - 1) & 1 != 0)
        };
        let overflow = (a ^ result) & sign_bit(size) != 0;
        let status = status::of_result(result, size) | when(carry, CF) | when(overflow, OF);
        (result, flags & !(STATUS | AF) | status)
    })
}

//! The status flags that arithmetic sets (SDM 1, "EFLAGS Cross-Reference"), and the conditions that read them.
//!
//! Each function takes the old RFLAGS and returns the new one, so that nothing changes before an operand is written.
//! Flags that the SDM calls undefined: AF is 0 after logic, shifts, MUL and IMUL; after MUL and IMUL SF, ZF and PF
//! follow the low half of the result; DIV and IDIV change none; shifts and rotates say theirs in [`super::shift`].

use super::operand::{mask, sign_bit};
use crate::cpu::flags::{AF, CF, OF, PF, SF, STATUS, ZF};

/// `flag` if the condition holds, else no bit.
#[inline]
pub fn when(condition: bool, flag: u64) -> u64 {
    if condition { flag } else { 0 }
}

/// SF, ZF and PF of a result of `size` bytes.
#[inline]
pub fn of_result(result: u64, size: u8) -> u64 {
    let result = result & mask(size);
    let nibbles = (result ^ result >> 4) & 15;
    // Bit n of this constant: n has an even number of ones.
    let parity = (0x9669 >> nibbles & 1) << PF.trailing_zeros();
    when(result & sign_bit(size) != 0, SF) | when(result == 0, ZF) | parity
}

/// a + b + carry: the sum and the flags.
#[inline]
pub fn add(flags: u64, a: u64, b: u64, carry: u64, size: u8) -> (u64, u64) {
    let sum = a.wrapping_add(b).wrapping_add(carry) & mask(size);
    let carries = a & b | (a | b) & !sum;
    let sign = sign_bit(size);
    let status = of_result(sum, size)
        | when(carries & sign != 0, CF)
        | when((a ^ sum) & (b ^ sum) & sign != 0, OF)
        | (a ^ b ^ sum) & AF;
    (sum, flags & !STATUS | status)
}

/// a - b - borrow: the difference and the flags.
#[inline]
pub fn sub(flags: u64, a: u64, b: u64, borrow: u64, size: u8) -> (u64, u64) {
    let difference = a.wrapping_sub(b).wrapping_sub(borrow) & mask(size);
    let borrows = !a & b | (!a | b) & difference;
    let sign = sign_bit(size);
    let status = of_result(difference, size)
        | when(borrows & sign != 0, CF)
        | when((a ^ b) & (a ^ difference) & sign != 0, OF)
        | (a ^ b ^ difference) & AF;
    (difference, flags & !STATUS | status)
}

/// The flags after AND, OR, XOR, TEST: CF and OF are 0.
#[inline]
pub fn logic(flags: u64, result: u64, size: u8) -> u64 {
    flags & !STATUS | of_result(result, size)
}

/// A condition as it is encoded in Jcc, SETcc and CMOVcc (SDM 1, appendix "EFLAGS Condition Codes").
#[inline]
pub fn holds(flags: u64, cond: u8) -> bool {
    let less = (flags & SF != 0) != (flags & OF != 0);
    let holds = match cond >> 1 {
        0 => flags & OF != 0,
        1 => flags & CF != 0,
        2 => flags & ZF != 0,
        3 => flags & (CF | ZF) != 0,
        4 => flags & SF != 0,
        5 => flags & PF != 0,
        6 => less,
        _ => less || flags & ZF != 0,
    };
    holds != (cond & 1 != 0)
}

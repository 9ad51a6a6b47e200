//! The x87's registers: the eight data registers as they lie (R0 to R7), the stack's top, tags, control and status, and
//! where the last instruction and its operand were.
//!
//! MMX registers are the low 64 bits of R0 to R7. Source: SDM 1, "x87 FPU Execution Environment".

use crate::softfloat::round::Env;
use crate::softfloat::{EXTENDED, Format, Number, Rounding, flag};

/// Bits of [`X87::fsw`].
pub mod fsw {
    /// Stack fault.
    pub const SF: u16 = 1 << 6;
    /// Exception summary: an unmasked exception waits.
    pub const ES: u16 = 1 << 7;
    /// Condition code 0.
    pub const C0: u16 = 1 << 8;
    /// Condition code 1.
    pub const C1: u16 = 1 << 9;
    /// Condition code 2.
    pub const C2: u16 = 1 << 10;
    /// Register number of ST0.
    pub const TOP: u16 = 7 << 11;
    /// Condition code 3.
    pub const C3: u16 = 1 << 14;
    /// Busy: the same as ES.
    pub const B: u16 = 1 << 15;
}

/// What FNINIT loads into FCW: all masked, 64 bits, to nearest.
const FCW_INIT: u16 = 0x037f;
/// Bits of FCW that can be written: masks, PC, RC and the 287's infinity control. Bit 6 is always 1.
const FCW_WRITABLE: u16 = 0x1f3f;
const FCW_ONE: u16 = 0x0040;

/// The x87 of a CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct X87 {
    /// Control word.
    pub fcw: u16,
    /// Status word, TOP in it.
    pub fsw: u16,
    /// A bit for each data register by its number: 1 = not empty.
    pub ftw: u8,
    /// R0 to R7, 80 bits each.
    pub r: [u128; 8],
    /// Offset of the last instruction that is not a control instruction.
    pub fip: u64,
    /// Its code segment.
    pub fcs: u16,
    /// Offset of the last memory operand.
    pub fdp: u64,
    /// Its segment.
    pub fds: u16,
    /// Opcode of the last instruction: low three bits of the first byte in 10:8, ModRM in 7:0.
    pub fop: u16,
    /// IGNNE# is asserted: with CR0.NE = 0 a waiting exception does not keep instructions from executing.
    pub ignne: bool,
}

impl Default for X87 {
    /// As after power-on.
    fn default() -> Self {
        Self {
            fcw: FCW_ONE,
            // All registers are +0 and so not empty after power-on.
            ftw: 0xff,
            ..Self::initialized([0; 8])
        }
    }
}

impl X87 {
    /// As after FNINIT, which leaves the data registers.
    pub fn initialized(r: [u128; 8]) -> Self {
        Self { fcw: FCW_INIT, fsw: 0, ftw: 0, r, fip: 0, fcs: 0, fdp: 0, fds: 0, fop: 0, ignne: false }
    }

    /// Number of the register that is ST0.
    pub fn top(&self) -> usize {
        usize::from(self.fsw >> 11 & 7)
    }

    /// Makes a register ST0.
    pub fn set_top(&mut self, top: usize) {
        self.fsw = self.fsw & !fsw::TOP | (top as u16 & 7) << 11;
    }

    /// Number of the register that is ST(i).
    pub fn number_of(&self, i: usize) -> usize {
        (self.top() + i) & 7
    }

    /// ST(i) is empty.
    pub fn is_empty(&self, i: usize) -> bool {
        self.ftw & 1 << self.number_of(i) == 0
    }

    /// ST(i), its 80 bits.
    pub fn raw(&self, i: usize) -> u128 {
        self.r[self.number_of(i)]
    }

    /// ST(i).
    pub fn st(&self, i: usize) -> Number {
        Number::from_extended(self.raw(i))
    }

    /// Writes ST(i), which is not empty then.
    pub fn set_raw(&mut self, i: usize, value: u128) {
        let number = self.number_of(i);
        self.r[number] = value;
        self.ftw |= 1 << number;
    }

    /// Writes ST(i).
    pub fn set(&mut self, i: usize, value: Number) {
        self.set_raw(i, value.to_extended());
    }

    /// Pushes, whatever was there.
    pub fn push_raw(&mut self, value: u128) {
        self.set_top(self.number_of(7));
        self.set_raw(0, value);
    }

    /// Pops ST0.
    pub fn pop(&mut self) {
        self.ftw &= !(1 << self.top());
        self.set_top(self.number_of(1));
    }

    /// Empties ST(i).
    pub fn free(&mut self, i: usize) {
        self.ftw &= !(1 << self.number_of(i));
    }

    /// Sets or clears bits of the status word.
    pub fn set_bits(&mut self, bits: u16, on: bool) {
        self.fsw = if on { self.fsw | bits } else { self.fsw & !bits };
    }

    /// Flags of [`flag`] that are masked.
    pub fn masked(&self) -> u8 {
        self.fcw as u8 & flag::ALL
    }

    /// Some of these flags are unmasked.
    pub fn is_unmasked(&self, flags: u8) -> bool {
        flags & !self.masked() & flag::ALL != 0
    }

    /// Raises exceptions. True: one of them is unmasked.
    pub fn raise(&mut self, flags: u8) -> bool {
        self.fsw |= u16::from(flags);
        let unmasked = self.is_unmasked(flags);
        if unmasked {
            self.fsw |= fsw::ES | fsw::B;
        }
        unmasked
    }

    /// A stack fault: of an empty register that is read, or one not empty that is pushed upon. True: unmasked.
    pub fn stack_fault(&mut self, is_overflow: bool) -> bool {
        self.fsw |= fsw::SF;
        self.set_bits(fsw::C1, is_overflow);
        self.raise(flag::IE)
    }

    /// Direction of rounding and masks.
    pub fn env(&self) -> Env {
        let rounding = Rounding::from_rc(u32::from(self.fcw >> 10));
        Env { rounding, masked: self.masked(), flush_to_zero: false }
    }

    /// What FADD, FSUB, FMUL, FDIV and FSQRT round to: the range of double extended, the precision of FCW.PC.
    pub fn format(&self) -> Format {
        let precision = match self.fcw >> 8 & 3 {
            0 => 24,
            2 => 53,
            _ => 64,
        };
        Format { precision, ..EXTENDED }
    }

    /// Loads the control word; ES and B follow the masks.
    pub fn load_control(&mut self, value: u16) {
        self.fcw = value & FCW_WRITABLE | FCW_ONE;
        self.summarize();
    }

    /// Sets ES and B by flags and masks.
    pub fn summarize(&mut self) {
        let waits = self.is_unmasked(self.fsw as u8);
        self.set_bits(fsw::ES | fsw::B, waits);
    }

    /// The tag word as FNSTENV stores it: two bits for each register, 0 valid, 1 zero, 2 special, 3 empty.
    pub fn tag_word(&self) -> u16 {
        (0..8).fold(0, |word, number| word | self.tag(number) << (2 * number))
    }

    fn tag(&self, number: usize) -> u16 {
        if self.ftw & 1 << number == 0 {
            return 3;
        }
        let value = self.r[number];
        let (exponent, significand) = ((value >> 64) as u16 & 0x7fff, value as u64);
        match exponent {
            0 if significand == 0 => 1,
            1..=0x7ffe if significand >> 63 != 0 => 0,
            _ => 2,
        }
    }

    /// Loads tags from the form of FLDENV: only "empty" counts, the rest is found in the registers.
    pub fn load_tag_word(&mut self, word: u16) {
        self.ftw = (0..8).filter(|number| word >> (2 * number) & 3 != 3).fold(0, |tags, number| tags | 1 << number);
    }
}

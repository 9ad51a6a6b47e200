//! Instructions decoded once into a compact form of our own ([`Insn`]) and cached by physical page ([`CodeCache`]).
//!
//! iced-x86 decodes, [`mod@translate`] converts, [`crate::execute`] runs. The cache is derived: it is keyed by physical
//! page, code size and `Ram::generation`, so that any write to the page makes it forget, and it can be thrown away at
//! any time.

mod cache;
mod fetch;
pub mod op;
mod translate;

pub use cache::{CodeCache, CodePage, Place};
pub use fetch::{check_end, code_bits, describe, fetch};
pub use op::Op;
pub use translate::translate;

use crate::execute::row::Row;

/// The longest instruction (SDM 2A 2.3.11).
pub const MAX_INSN_BYTES: usize = 15;

/// Where an operand is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// There is no such operand.
    #[default]
    None,
    /// A general register, its low `size` bytes.
    Gpr,
    /// AH, CH, DH or BH: bits 15:8 of register 0 to 3.
    GprHigh,
    /// The memory operand.
    Mem,
    /// [`Insn::imm`]; for a near branch the displacement from the next instruction.
    Imm,
    /// A segment register.
    Seg,
    /// A control register.
    Cr,
    /// A debug register.
    Dr,
    /// An XMM register.
    Xmm,
    /// An MMX register.
    Mmx,
    /// ST(i).
    St,
}

/// An operand: what kind, and for registers which one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operand {
    /// Where it is.
    pub kind: Kind,
    /// Register number in encoding order.
    pub reg: u8,
}

/// Stands for "no register" in [`MemRef`].
pub const NO_REG: u8 = 0xff;
/// The base of a RIP-relative operand: the offset of the next instruction.
pub const RIP_BASE: u8 = 16;

/// Registers of a memory operand; its displacement is [`Insn::disp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemRef {
    /// General register, [`RIP_BASE`] or [`NO_REG`].
    pub base: u8,
    /// General register or [`NO_REG`].
    pub index: u8,
    /// The index is shifted left by this.
    pub shift: u8,
    /// Segment register, after overrides and defaults.
    pub segment: u8,
}

/// Prefix bits of [`Insn::prefixes`].
pub mod prefix {
    /// LOCK.
    pub const LOCK: u8 = 1 << 0;
    /// REP or REPE.
    pub const REPE: u8 = 1 << 1;
    /// REPNE.
    pub const REPNE: u8 = 1 << 2;
}

/// One decoded instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insn {
    /// What it does.
    pub op: Op,
    /// Length in bytes.
    pub len: u8,
    /// Operand size in bytes: that of the first operand, or of what is pushed, popped or moved by a string instruction.
    pub size: u8,
    /// Size of the second operand in bytes where it is a register or memory, else [`Insn::size`].
    pub src_size: u8,
    /// Address size in bytes: of the memory operand, of string pointers, of LOOP's counter.
    pub addr_size: u8,
    /// See [`prefix`].
    pub prefixes: u8,
    /// How it may stand in a row, see [`crate::execute::row`].
    pub row: Row,
    /// Condition as encoded (SDM 1, appendix "EFLAGS Condition Codes"), for Jcc, CMOVcc and SETcc.
    pub cond: u8,
    /// First operand.
    pub dst: Operand,
    /// Second operand.
    pub src: Operand,
    /// Third operand.
    pub third: Operand,
    /// Memory operand.
    pub mem: MemRef,
    /// Displacement of the memory operand; ENTER: the nesting level.
    pub disp: u64,
    /// Immediate, sign-extended where the architecture does; near branch: displacement from the next instruction; far
    /// branch: offset 31:0, selector 47:32; x87: the opcode as FOP has it.
    pub imm: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a decoded instruction stays small, since every step reads one; method: its size.
    #[test]
    fn insn_is_compact() {
        assert!(size_of::<Insn>() <= 40, "{}", size_of::<Insn>());
    }
}

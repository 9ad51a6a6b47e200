//! The bits of CR0, CR4, EFER, RFLAGS and the APIC base, by name. What they mean is in the lessons' glossary.

use super::diff::Diff;
use protocol::cpu::CpuState;

/// One bit (or the lowest bit of a field) of a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitRow {
    /// Register by gdb's name: "cr0", "cr4", "efer", "eflags", "apic_base".
    pub register: &'static str,
    /// Bit number.
    pub bit: u8,
    /// The SDM's abbreviation: "PE".
    pub name: &'static str,
    /// Value of the bit; of the field for IOPL (two bits).
    pub value: u64,
    /// Number of bits: 1, or 2 for IOPL.
    pub width: u8,
    /// It changed since the previous stop.
    pub changed: bool,
}

/// The six bits that make the mode, in the order in which a boot sets them: PE, PG, PAE, LME, LMA, CS.L.
pub fn mode_bits(_state: &CpuState, _diff: &Diff) -> Vec<BitRow> {
    Vec::new()
}

/// All named bits of one register, highest first.
pub fn bits_of(_register: &str, _state: &CpuState, _diff: &Diff) -> Vec<BitRow> {
    Vec::new()
}

/// The registers that have bits with names, with their titles.
pub const REGISTERS: [(&str, &str); 5] =
    [("cr0", "CR0"), ("cr4", "CR4"), ("efer", "EFER"), ("eflags", "RFLAGS"), ("apic_base", "APIC base")];

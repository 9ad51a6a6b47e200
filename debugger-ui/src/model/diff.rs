//! What changed between two stops, register by register, down to the digits.

use protocol::cpu::CpuState;
use protocol::{CpuId, Position};

/// One register's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// gdb's name of the register: "rax", "cs", "cs_base", "cr0", "activity".
    pub name: &'static str,
    /// Before.
    pub old: u64,
    /// After.
    pub new: u64,
}

/// The changes of one CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuDiff {
    /// In the order of [`registers`].
    pub changes: Vec<Change>,
}

/// All changes since the previous stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Position of the previous stop.
    pub since: Position,
    /// By CPU.
    pub cpus: Vec<CpuDiff>,
}

impl Diff {
    /// The change of one register, if it changed.
    pub fn of(&self, cpu: CpuId, name: &str) -> Option<&Change> {
        self.cpus.get(usize::from(cpu.0))?.changes.iter().find(|change| change.name == name)
    }

    /// The changes of one CPU.
    pub fn cpu(&self, cpu: CpuId) -> &[Change] {
        self.cpus.get(usize::from(cpu.0)).map_or(&[], |diff| &diff.changes)
    }
}

/// Which hex digits differ, as a mask: bit 0 is the lowest digit.
pub fn changed_digits(old: u64, new: u64) -> u16 {
    let differing = old ^ new;
    (0..16).fold(0, |mask, digit| mask | (u16::from(differing >> (digit * 4) & 15 != 0) << digit))
}

/// Every register of a CPU as (name, value), in the order of the card.
pub fn registers(_state: &CpuState) -> Vec<(&'static str, u64)> {
    Vec::new()
}

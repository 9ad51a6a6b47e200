//! The rows of the CPU card: registers and segments in the widths that the mode gives them, with what changed.

use super::diff::Diff;
use protocol::cpu::CpuState;

/// One register as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterRow {
    /// gdb's name; also the name for [`crate::command::Command::EditRegister`].
    pub name: &'static str,
    /// What to call it in this mode: "EAX" outside long mode, "RAX" in it.
    pub label: &'static str,
    /// Value.
    pub value: u64,
    /// Digits that the mode uses: 4, 8 or 16.
    pub digits: u8,
    /// The value at the previous stop, where it was another.
    pub was: Option<u64>,
    /// The symbol it points at: "start_secondary+12".
    pub points_at: Option<String>,
}

/// One segment register as a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// "CS".
    pub label: &'static str,
    /// gdb's name of the selector: "cs".
    pub name: &'static str,
    /// Visible part.
    pub selector: u16,
    /// Hidden base.
    pub base: u64,
    /// Hidden limit in bytes.
    pub limit: u32,
    /// Hidden rights in words: "code, execute/read, 16-bit, DPL 0, accessed".
    pub rights: String,
    /// Raw rights.
    pub attributes: u32,
    /// One sentence where hidden part and selector do not agree: "base is not selector * 16".
    pub remark: Option<String>,
    /// The parts that changed: selector, base, limit, rights.
    pub changed: [bool; 4],
    /// Selector at the previous stop, where it was another.
    pub was_selector: Option<u16>,
    /// Base at the previous stop, where it was another.
    pub was_base: Option<u64>,
}

/// The general registers, IP and flags.
pub fn general_rows(_state: &CpuState, _diff: &Diff) -> Vec<RegisterRow> {
    Vec::new()
}

/// Control registers, descriptor tables, MSRs.
pub fn system_rows(_state: &CpuState, _diff: &Diff) -> Vec<RegisterRow> {
    Vec::new()
}

/// The local APIC's registers.
pub fn apic_rows(_state: &CpuState, _diff: &Diff) -> Vec<RegisterRow> {
    Vec::new()
}

/// The segment registers.
pub fn segment_rows(_state: &CpuState, _diff: &Diff) -> Vec<SegmentRow> {
    Vec::new()
}

//! Instructions around the selected CPU's next one, with names, source lines and breakpoints beside them.

use protocol::{CpuId, LinearAddr, SegOff};

/// The code panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Whose mode and tables decoded it.
    pub cpu: CpuId,
    /// 16, 32 or 64.
    pub bits: u8,
    /// The first line follows the CPU's next instruction.
    pub follow: bool,
    /// Top to bottom.
    pub rows: Vec<CodeRow>,
    /// Index of the CPU's next instruction in `rows`, where it is among them.
    pub current: Option<usize>,
    /// Why there is nothing to show, in words.
    pub empty: Option<String>,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeRow {
    /// A symbol.
    Label {
        /// "trampoline_start".
        name: String,
        /// Where.
        linear: LinearAddr,
        /// What its comment says, if its source is at hand.
        comment: String,
    },
    /// An instruction.
    Instruction(CodeInstruction),
    /// A remark between instructions: "startup_32: 32-bit code, decoded when the CPU is in that mode".
    Note(String),
}

/// An instruction with what stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeInstruction {
    /// Linear address.
    pub linear: LinearAddr,
    /// The address as this CPU's CS names it, outside 64-bit mode.
    pub seg_off: Option<SegOff>,
    /// Bytes; empty: not readable.
    pub bytes: Vec<u8>,
    /// Intel syntax.
    pub intel: String,
    /// AT&T syntax.
    pub att: String,
    /// Source line as written, where the source is assembly.
    pub source: String,
    /// Its comment.
    pub comment: String,
    /// "trampoline_64.S:41".
    pub at: String,
    /// Name of the jump's or call's target.
    pub target: Option<String>,
    /// The target's address.
    pub target_linear: Option<LinearAddr>,
    /// This is the selected CPU's next instruction.
    pub current: bool,
    /// Other CPUs that stand here.
    pub others: Vec<CpuId>,
    /// Number of the breakpoint here.
    pub breakpoint: Option<u32>,
}

impl CodeInstruction {
    /// In the syntax asked for.
    pub fn text(&self, intel: bool) -> &str {
        if intel { &self.intel } else { &self.att }
    }
}

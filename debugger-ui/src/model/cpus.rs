//! The CPUs as they stand, which one is selected, and the words on its card.

use protocol::cpu::CpuState;
use protocol::{Activity, CpuId, Mode};

/// All CPUs, by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpus {
    /// State at the stop, index = CPU.
    pub states: Vec<CpuState>,
    /// State at the previous stop, for what changed.
    pub before: Vec<CpuState>,
    /// The CPU that steps and whose card, code and walk are shown.
    pub selected: CpuId,
    /// While the selected CPU moves the others stand still.
    pub hold_others: bool,
}

impl Cpus {
    /// The selected CPU's state, once known.
    pub fn selected(&self) -> Option<&CpuState> {
        self.get(self.selected)
    }

    /// A CPU's state, once known.
    pub fn get(&self, cpu: CpuId) -> Option<&CpuState> {
        self.states.get(usize::from(cpu.0))
    }

    /// Takes states in; they come whole or only where they changed.
    pub fn take(&mut self, states: Vec<CpuState>) {
        for state in states {
            let at = usize::from(state.cpu.0);
            if at >= self.states.len() {
                let missing = self.states.len()..=at;
                self.states.extend(missing.map(|cpu| CpuState { cpu: CpuId(cpu as u16), ..CpuState::default() }));
            }
            self.states[at] = state;
        }
    }
}

/// The mode as the big word on a card and the word in a lane: "REAL", "PROTECTED 16", "LONG".
pub const fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Real => "REAL",
        Mode::Protected16 => "PROTECTED 16",
        Mode::Protected32 => "PROTECTED 32",
        Mode::V86 => "VIRTUAL 8086",
        Mode::Compat => "COMPAT",
        Mode::Long => "LONG",
    }
}

/// The mode in a sentence: "protected mode, 16-bit".
pub const fn mode_phrase(mode: Mode) -> &'static str {
    match mode {
        Mode::Real => "real mode",
        Mode::Protected16 => "protected mode, 16-bit",
        Mode::Protected32 => "protected mode, 32-bit",
        Mode::V86 => "virtual-8086 mode",
        Mode::Compat => "compatibility mode",
        Mode::Long => "long mode, 64-bit",
    }
}

/// Height of a mode's step in the lanes, 0 to 5: real < protected < compat < long.
pub const fn mode_height(mode: Mode) -> u8 {
    match mode {
        Mode::Real => 0,
        Mode::V86 => 1,
        Mode::Protected16 => 2,
        Mode::Protected32 => 3,
        Mode::Compat => 4,
        Mode::Long => 5,
    }
}

/// The activity in a sentence.
pub const fn activity_phrase(activity: Activity) -> &'static str {
    match activity {
        Activity::Running => "running",
        Activity::Halted => "halted",
        Activity::WaitForSipi => "wait-for-SIPI",
        Activity::Shutdown => "shutdown",
        Activity::Held => "held",
    }
}

/// Default operand size of the code a CPU executes, in bits.
pub fn code_bits(state: &CpuState) -> u8 {
    use protocol::cpu::{CS, SegmentReg};
    match state.mode {
        Mode::Long => 64,
        Mode::Real | Mode::V86 | Mode::Protected16 => 16,
        Mode::Protected32 => 32,
        Mode::Compat if state.segments[CS].attributes & SegmentReg::ATTR_DB != 0 => 32,
        Mode::Compat => 16,
    }
}

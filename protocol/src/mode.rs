//! What a CPU is doing (activity) and how it decodes and translates (mode). The two are independent.

use core::fmt;
use serde::{Deserialize, Serialize};

/// Operating mode, derived from CR0.PE, EFER.LMA, EFLAGS.VM and the code segment's cached L and D bits (SDM 3A 2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// CR0.PE = 0.
    #[default]
    Real,
    /// CR0.PE = 1, outside IA-32e, CS.D = 0.
    Protected16,
    /// CR0.PE = 1, outside IA-32e, CS.D = 1.
    Protected32,
    /// EFLAGS.VM = 1.
    V86,
    /// EFER.LMA = 1, CS.L = 0.
    Compat,
    /// EFER.LMA = 1, CS.L = 1: 64-bit mode.
    Long,
}

impl Mode {
    /// The word used in event lines and lessons.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Protected16 => "protected16",
            Self::Protected32 => "protected32",
            Self::V86 => "v86",
            Self::Compat => "compat",
            Self::Long => "long",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What a CPU is doing. `Held` is a property of the schedule by hand (hold the others), not of the CPU's own state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Activity {
    /// Executes instructions when it is its turn.
    #[default]
    Running,
    /// HLT: waits for an interrupt, NMI, INIT or reset.
    Halted,
    /// After INIT on an application processor: waits for a start-up IPI (SDM 3A, MP initialization).
    WaitForSipi,
    /// After a triple fault: only NMI, INIT or reset leave it. The machine stops there.
    Shutdown,
    /// Able to run, but held by the user.
    Held,
}

impl Activity {
    /// The word used in event lines and lessons.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Halted => "halted",
            Self::WaitForSipi => "wait-for-sipi",
            Self::Shutdown => "shutdown",
            Self::Held => "held",
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

//! The machine's configuration as edited by the user, and the window's few switches.

use protocol::request::MachineConfig;

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The machine, as text fields: parsed and checked by [`Draft::config`].
    pub draft: Draft,
    /// Intel syntax; AT&T otherwise.
    pub intel: bool,
    /// Machine steps that one advance of a run makes at first; the session adapts it to a few milliseconds.
    pub first_budget: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { draft: Draft::default(), intel: true, first_budget: 100_000 }
    }
}

/// The configuration as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// "2".
    pub cpus: String,
    /// "0,4", or empty.
    pub apic_ids: String,
    /// "128M".
    pub memory: String,
    /// "64".
    pub quantum: String,
    /// Empty: round-robin.
    pub seed: String,
    /// Words for the kernel.
    pub options: String,
}

impl Draft {
    /// The text that stands for a configuration.
    pub fn of(config: &MachineConfig) -> Self {
        let _ = config;
        Self::default()
    }
}

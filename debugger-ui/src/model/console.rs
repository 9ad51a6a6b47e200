//! The guest's serial console: its text at or before now, and what was typed and not yet sent.

/// The console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Console {
    /// What the guest has printed up to now, as text: carriage returns and backspaces are carried out.
    pub lines: Vec<String>,
    /// The bytes as they came.
    pub bytes: Vec<u8>,
    /// Typed, not yet handed to the machine.
    pub typed: Vec<u8>,
    /// Bytes that came since the panel was looked at.
    pub unread: usize,
}

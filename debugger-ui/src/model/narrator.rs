//! One sentence about what just happened, at most 25 words, made from the events and the difference of two states.

use protocol::Position;

/// The last sentence and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrator {
    /// The sentence about the last stop.
    pub sentence: String,
    /// What the sentence is about, so that views can mark it.
    pub tone: Tone,
    /// Sentences of earlier stops with their positions, oldest first, bounded.
    pub log: Vec<(Position, String)>,
}

/// How a sentence is drawn (with a sign, never by colour alone).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Something happened.
    #[default]
    Plain,
    /// A turning point: a mode change, a SIPI.
    Moment,
    /// A fault.
    Fault,
    /// Nothing happened, and why.
    Refusal,
}

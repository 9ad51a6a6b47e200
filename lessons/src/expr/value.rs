//! What an expression can be worth: a number, true or false, or a word of the machine.

use std::fmt;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number or an address.
    Int(u64),
    /// Whether something holds.
    Bool(bool),
    /// A mode, an activity, a symbol's name, `none`.
    Word(String),
}

impl Value {
    /// The word for something that is not there: no root, no such event, no page.
    pub const NONE: &'static str = "none";

    /// A word.
    pub fn word(word: impl Into<String>) -> Self {
        Self::Word(word.into())
    }

    /// Something that is not there.
    pub fn none() -> Self {
        Self::word(Self::NONE)
    }

    /// A number, or `none`.
    pub fn optional(value: Option<u64>) -> Self {
        value.map_or_else(Self::none, Self::Int)
    }

    /// It is the word `none`.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Word(word) if word == Self::NONE)
    }

    /// As a number, where it is one; true is 1.
    pub fn as_int(&self) -> Option<u64> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some((*value).into()),
            Self::Word(_) => None,
        }
    }

    /// Whether it holds; a number holds if it is not 0, as in C. None: a word.
    pub fn holds(&self) -> Option<bool> {
        self.as_int().map(|value| value != 0)
    }

    /// Whether both are the same: numbers and truth by number, words by letters. `none` is like nothing but itself. None:
    /// a word and a number, which nobody means to compare.
    pub fn same(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Word(a), Self::Word(b)) => Some(a == b),
            (Self::Word(_), _) | (_, Self::Word(_)) => (self.is_none() || other.is_none()).then_some(false),
            _ => Some(self.as_int() == other.as_int()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value:#x}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Word(word) => f.write_str(word),
        }
    }
}

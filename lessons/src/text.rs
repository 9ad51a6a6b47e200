//! Text of lessons as views draw it: Markdown that was parsed once, with the learner's numbers put in.
//!
//! A lesson file's Markdown becomes [`Block`]s of [`Span`]s; expressions in braces stay expressions until
//! [`crate::player`] knows their values. Window and terminal draw the same blocks.

/// A block of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A paragraph.
    Paragraph(Vec<Span>),
    /// A list; each item is one line of spans.
    List {
        /// Numbered from 1, else bullets.
        numbered: bool,
        /// The items.
        items: Vec<Vec<Span>>,
    },
    /// Lines in a fixed font, as they stand.
    Code(String),
    /// A remark that stands apart (Markdown: a quotation).
    Note(Vec<Span>),
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Plain words.
    Text(String),
    /// Strong words.
    Strong(String),
    /// Emphasized words.
    Emphasis(String),
    /// Fixed font: a value, a register, a symbol. Where it is the name of a symbol, views may lead there.
    Code(String),
    /// A term of the glossary: `[wait-for-SIPI](term:wait-for-sipi)`. Views explain it.
    Term {
        /// Id in the glossary.
        id: String,
        /// As it stands in the sentence.
        text: String,
    },
    /// The key of a command, by the command's id in the window's catalog: `{key:step-cpu}`. Views put in the learner's key.
    Key(String),
    /// The instruction at a symbol, in the learner's syntax: `{insn:tr_set_pe}`.
    Instruction {
        /// Intel syntax.
        intel: String,
        /// AT&T syntax.
        att: String,
    },
    /// A link to a place in the course: `[step 4](step:where-it-stood)` or `[sixteen-bits](lesson:sixteen-bits)`.
    Link {
        /// `step:ID` or `lesson:ID`.
        to: String,
        /// As it stands in the sentence.
        text: String,
    },
}

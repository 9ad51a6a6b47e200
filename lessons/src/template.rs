//! Text of a lesson before the learner's numbers are put in: Markdown whose `{EXPR:FORMAT}` are still expressions.
//!
//! `markdown` reads it, once; [`fill()`] makes [`crate::text`] of it, at each stop. `{{` and `}}` are braces. An expression
//! in plain text comes out in the fixed font, where it is a number.

mod fill;
mod format;
pub(crate) mod markdown;
#[cfg(test)]
mod tests;

pub(crate) use fill::fill_words;
pub use fill::{fill, fill_line};
pub use format::Format;

use crate::expr::Expr;

/// A text: blocks, each with the line of the file on which it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// The blocks.
    pub blocks: Vec<(usize, Block)>,
}

/// A line of spans: a question, a hint, a sentence of feedback.
pub type Line = Vec<Span>;

/// A block, see [`crate::text::Block`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A paragraph.
    Paragraph(Line),
    /// A list.
    List {
        /// Numbered from 1, else bullets.
        numbered: bool,
        /// The items.
        items: Vec<Line>,
    },
    /// Lines in a fixed font.
    Code(Vec<Part>),
    /// A remark that stands apart.
    Note(Line),
}

/// A piece of a line, see [`crate::text::Span`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Plain words and values.
    Text(Vec<Part>),
    /// Strong.
    Strong(Vec<Part>),
    /// Emphasized.
    Emphasis(Vec<Part>),
    /// Fixed font.
    Code(Vec<Part>),
    /// A term of the glossary.
    Term {
        /// Its id.
        id: String,
        /// As it stands in the sentence.
        text: Vec<Part>,
        /// The line of the file.
        line: usize,
    },
    /// The key of a command.
    Key {
        /// The command's id.
        id: String,
        /// The line of the file.
        line: usize,
    },
    /// The instruction at a symbol.
    Instruction {
        /// The symbol.
        symbol: String,
        /// The line of the file.
        line: usize,
    },
    /// A link to `step:ID` or `lesson:ID`.
    Link {
        /// Where to.
        to: String,
        /// As it stands in the sentence.
        text: Vec<Part>,
        /// The line of the file.
        line: usize,
    },
}

/// Words, or a value that becomes words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// As they stand.
    Words(String),
    /// `{EXPR:FORMAT}`.
    Value {
        /// What.
        expr: Box<Expr>,
        /// How.
        format: Format,
        /// The line of the file.
        line: usize,
    },
}

impl Template {
    /// Nothing is written here.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// All spans, with the line on which their block begins.
    pub fn spans(&self) -> impl Iterator<Item = (usize, &Span)> {
        self.blocks.iter().flat_map(|(line, block)| block.spans().map(move |span| (*line, span)))
    }

    /// All expressions, with their lines.
    pub fn expressions(&self) -> Vec<(usize, &Expr)> {
        let code = self.blocks.iter().filter_map(|(_, block)| match block {
            Block::Code(parts) => Some(parts),
            _ => None,
        });
        let parts = code.flatten().chain(self.spans().flat_map(|(_, span)| span.parts()));
        parts.filter_map(Part::expression).collect()
    }

    /// How many words a learner reads; a value counts as one, code as none.
    pub fn words(&self) -> usize {
        self.blocks.iter().map(|(_, block)| block.plain().split_whitespace().count()).sum()
    }
}

impl Block {
    /// Its spans; a block of code has none.
    pub fn spans(&self) -> impl Iterator<Item = &Span> {
        let lines: Vec<&Line> = match self {
            Self::Paragraph(line) | Self::Note(line) => vec![line],
            Self::List { items, .. } => items.iter().collect(),
            Self::Code(_) => Vec::new(),
        };
        lines.into_iter().flatten()
    }

    /// Its words, a value as `0`; no code blocks.
    pub fn plain(&self) -> String {
        match self {
            Self::Paragraph(line) | Self::Note(line) => plain(line),
            Self::List { items, .. } => items.iter().map(plain).collect::<Vec<_>>().join("\n"),
            Self::Code(_) => String::new(),
        }
    }
}

impl Span {
    /// What stands in it.
    pub fn parts(&self) -> &[Part] {
        match self {
            Self::Text(parts) | Self::Strong(parts) | Self::Emphasis(parts) | Self::Code(parts) => parts,
            Self::Term { text, .. } | Self::Link { text, .. } => text,
            Self::Key { .. } | Self::Instruction { .. } => &[],
        }
    }
}

impl Part {
    /// The expression, with its line.
    pub fn expression(&self) -> Option<(usize, &Expr)> {
        match self {
            Self::Words(_) => None,
            Self::Value { expr, line, .. } => Some((*line, expr)),
        }
    }
}

/// The expressions of a line, with their lines in the file.
pub fn expressions(line: &Line) -> impl Iterator<Item = (usize, &Expr)> {
    line.iter().flat_map(Span::parts).filter_map(Part::expression)
}

/// The words of a line, a value, a key and an instruction as `0`.
pub fn plain(line: &Line) -> String {
    let mut text = String::new();
    for span in line {
        if matches!(span, Span::Key { .. } | Span::Instruction { .. }) {
            text.push('0');
        }
        for part in span.parts() {
            match part {
                Part::Words(words) => text.push_str(words),
                Part::Value { .. } => text.push('0'),
            }
        }
    }
    text
}

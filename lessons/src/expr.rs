//! Expressions: how a lesson says what the right answer is. `cpu1.cs.base + cpu1.ip`, `walk(root("init_top_pgt"), 0x9a000).ok`.
//!
//! The language has numbers, truth and words; registers, hidden segment parts and bits by name; memory, walks, TLBs, events
//! and bytes of the image; and arithmetic. It has no loops and no names of its own, its text, depth and size are bounded,
//! and it can change nothing. [`Expr::parse`] reads it (`lex`, `parse`, `tree`); [`Expr::eval`] asks [`Facts`] for
//! what it needs to know. What is not known yet is noted there as a request, the caller gets it answered and evaluates
//! again ([`NoValue::Missing`]): no I/O here. [`Moment`] is the `Facts` of a machine at one position.
//!
//! Operators are C's with Rust's precedence: `* / %`, `+ -`, `<< >>`, `&`, `^`, `|`, comparisons, `&&`, `||`, `a ? b : c`.
//! Numbers have 64 bits. A sum, product or shift that does not fit and a difference below 0 are errors, since each is a
//! mistake of the formula; where wrapping is meant, the formula says so with a mask: `(a - b) & 0xffff`. `~x` is the 64-bit
//! complement.

pub(crate) mod cpu_field;
mod eval;
mod events;
mod facts;
pub(crate) mod lex;
mod moment;
mod names;
mod parse;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod tree;
mod value;

pub use facts::Facts;
pub use moment::Moment;
pub use names::{address_of, instruction_at, name_at};
pub use parse::Scope;
pub use value::Value;

use protocol::CpuId;
use std::fmt;

/// An expression that was read and makes sense; what it is worth depends on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    text: String,
    node: tree::Node,
}

/// A mistake in an expression, found when it was read or when it met the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExprError {
    /// The expression.
    pub text: String,
    /// The character of it where the mistake is, from 1.
    pub column: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

impl fmt::Display for ExprError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short: String = self.text.chars().take(80).collect();
        let more = if short.len() < self.text.len() { "..." } else { "" };
        write!(f, "in `{short}{more}`, column {}: {}", self.column, self.what)
    }
}

impl std::error::Error for ExprError {}

/// Why an expression has no value now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoValue {
    /// The machine has to be asked first: [`Facts`] noted what.
    Missing,
    /// It makes no sense in this machine: a page that is not mapped, a division by zero.
    Wrong(ExprError),
}

impl Expr {
    /// Reads an expression. The scope says which drawn numbers there are.
    pub fn parse(text: &str, scope: &Scope<'_>) -> Result<Self, ExprError> {
        let wrong = |(column, what)| ExprError { text: text.to_owned(), column, what };
        let node = parse::parse(text, scope).map_err(wrong)?;
        Ok(Self { text: text.to_owned(), node })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it is worth. Everything that is missing is noted in `facts` at once, as far as it does not depend on
    /// something that is missing itself.
    pub fn eval(&self, facts: &mut dyn Facts) -> Result<Value, NoValue> {
        eval::eval(&self.node, facts).map_err(|fail| match fail {
            eval::Fail::Missing => NoValue::Missing,
            eval::Fail::Wrong(column, what) => NoValue::Wrong(ExprError { text: self.text.clone(), column, what }),
        })
    }

    /// Whether it holds: [`Self::eval`], and the value is true or a number other than 0.
    pub fn holds(&self, facts: &mut dyn Facts) -> Result<bool, NoValue> {
        let value = self.eval(facts)?;
        value.holds().ok_or_else(|| {
            let what = format!("it is the word `{value}`, where something that is true or false is needed");
            NoValue::Wrong(ExprError { text: self.text.clone(), column: 1, what })
        })
    }

    /// The number: [`Self::eval`], and the value is one.
    pub fn number(&self, facts: &mut dyn Facts) -> Result<u64, NoValue> {
        let value = self.eval(facts)?;
        value.as_int().ok_or_else(|| {
            let what = format!("it is the word `{value}`, where a number is needed");
            NoValue::Wrong(ExprError { text: self.text.clone(), column: 1, what })
        })
    }

    /// Asks, where the step stands, for what is needed later: what is inside `before(...)`, and the past that `..._ever`
    /// sees. To be called with the facts of that place before the machine runs on, until nothing is missing.
    pub fn prepare(&self, facts: &mut dyn Facts) -> Result<(), NoValue> {
        let mut missing = false;
        self.node.visit(&mut |node| match &node.kind {
            tree::Kind::Before(inner) => missing |= matches!(eval::eval(inner, facts), Err(eval::Fail::Missing)),
            tree::Kind::Events { ever: true, .. } => missing |= facts.events(true).is_none(),
            _ => {}
        });
        if missing { Err(NoValue::Missing) } else { Ok(()) }
    }

    /// The symbols and page-table roots that it names, with their columns.
    pub fn names(&self) -> Vec<(Named<'_>, usize)> {
        let mut found = Vec::new();
        self.node.visit(&mut |node| match &node.kind {
            tree::Kind::Symbol(name) => found.push((Named::Symbol(name), node.column)),
            tree::Kind::Root(name) => found.push((Named::Root(name), node.column)),
            _ => {}
        });
        found
    }

    /// The CPUs that it names.
    pub(crate) fn cpus(&self) -> Vec<CpuId> {
        let mut found = Vec::new();
        self.node.visit(&mut |node| found.extend(node.kind.cpu()));
        found
    }

    /// It uses this drawn number.
    pub(crate) fn uses(&self, drawn: &str) -> bool {
        let mut uses = false;
        self.node.visit(&mut |node| uses |= matches!(&node.kind, tree::Kind::Drawn(name) if name == drawn));
        uses
    }

    /// The place that it names, where it is nothing but a place: what an edit may change.
    pub(crate) fn as_target(&self) -> Option<Place> {
        match &self.node.kind {
            tree::Kind::Cpu(cpu, field) => Some(Place::Field(*cpu, field.clone())),
            tree::Kind::Memory { bytes, space, at } => {
                let cpu = match space {
                    tree::Space::Physical => None,
                    tree::Space::Linear(cpu) => Some(*cpu),
                    tree::Space::Image => return None,
                };
                let at = Expr { text: self.text.clone(), node: (**at).clone() };
                Some(Place::Memory { bytes: *bytes, cpu, at })
            }
            _ => None,
        }
    }

    /// It needs nothing but drawn numbers.
    pub fn is_constant(&self) -> bool {
        let mut constant = true;
        self.node.visit(&mut |node| constant &= node.kind.is_constant());
        constant
    }
}

/// A place in the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A part of a CPU's state.
    Field(CpuId, cpu_field::CpuField),
    /// Bytes of memory, by a CPU's linear address or physical.
    Memory { bytes: u8, cpu: Option<CpuId>, at: Expr },
}

/// A name of the profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// A symbol of the kernel or of a blob.
    Symbol(&'a str),
    /// A page-table root.
    Root(&'a str),
}

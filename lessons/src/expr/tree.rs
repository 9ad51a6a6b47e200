//! An expression as a tree. Made by [`super::parse`], which bounds depth and size; walked by [`super::eval`].

use super::cpu_field::CpuField;
use super::value::Value;
use crate::stop::EventPattern;
use protocol::CpuId;

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    /// Its first character in the text, or its operator, from 1.
    pub column: usize,
    pub kind: Kind,
}

/// The parts that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Value(Value),
    /// A number drawn from the learner's seed.
    Drawn(String),
    /// The linear address of a symbol.
    Symbol(String),
    /// The physical address of a page-table root, by its name.
    Root(String),
    /// The physical base of the real-mode blob.
    Blob,
    Position,
    Clock,
    Answer(AnswerPart),
    Cpu(CpuId, CpuField),
    Not(Box<Node>),
    Complement(Box<Node>),
    Binary(Op, Box<Node>, Box<Node>),
    Choose(Box<Node>, Box<Node>, Box<Node>),
    Memory {
        bytes: u8,
        space: Space,
        at: Box<Node>,
    },
    Walk {
        root: Root,
        linear: Box<Node>,
        part: WalkPart,
    },
    Entry {
        root: Root,
        linear: Box<Node>,
        level: Box<Node>,
    },
    Tlb(CpuId, TlbPart),
    Events {
        what: EventsWhat,
        ever: bool,
        pattern: EventPattern,
    },
    Hash {
        at: Box<Node>,
        len: Box<Node>,
    },
    Before(Box<Node>),
    Call(Function, Vec<Node>),
}

/// What of the learner's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerPart {
    Whole,
    Selector,
    Offset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    BitOr,
    BitXor,
    BitAnd,
    ShiftLeft,
    ShiftRight,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Where bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    Physical,
    Linear(CpuId),
    Image,
}

/// Which tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    Cpu(CpuId),
    At(Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WalkPart {
    Ok,
    Phys,
    Level,
    FailedLevel,
    Size,
    Write,
    User,
    Execute,
    Global,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TlbPart {
    Count,
    Global,
    CountIn(Box<Node>, Box<Node>),
    Has(Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventsWhat {
    Any,
    Count,
    /// A field of the first, the last or the nth.
    Field(Which, EventField),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The first, the second, ...
    Nth(u32),
    Last,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventField {
    Position,
    Clock,
    Cpu,
    From,
    To,
    Old,
    New,
    Register,
    Base,
    Limit,
    Delivery,
    Vector,
    Ignored,
    Error,
    At,
    Cr2,
    Faults,
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Min,
    Max,
    Bits,
    SegOff,
}

impl Kind {
    /// The same in every machine.
    pub fn is_constant(&self) -> bool {
        matches!(
            self,
            Self::Value(_)
                | Self::Drawn(_)
                | Self::Not(_)
                | Self::Complement(_)
                | Self::Binary(..)
                | Self::Choose(..)
                | Self::Call(..)
        )
    }
}

impl Kind {
    /// The CPU that it names.
    pub fn cpu(&self) -> Option<CpuId> {
        match self {
            Self::Cpu(cpu, _) | Self::Tlb(cpu, _) => Some(*cpu),
            Self::Memory { space: Space::Linear(cpu), .. } => Some(*cpu),
            Self::Walk { root: Root::Cpu(cpu), .. } | Self::Entry { root: Root::Cpu(cpu), .. } => Some(*cpu),
            _ => None,
        }
    }
}

impl Node {
    /// Shows every node, this one first.
    pub fn visit<'a>(&'a self, show: &mut dyn FnMut(&'a Node)) {
        show(self);
        for child in self.children() {
            child.visit(show);
        }
    }

    /// The nodes right inside.
    pub fn children(&self) -> Vec<&Node> {
        fn of_root(root: &Root) -> Option<&Node> {
            match root {
                Root::Cpu(_) => None,
                Root::At(node) => Some(node),
            }
        }
        match &self.kind {
            Kind::Not(a) | Kind::Complement(a) | Kind::Before(a) | Kind::Memory { at: a, .. } => vec![a],
            Kind::Binary(_, a, b) | Kind::Hash { at: a, len: b } => vec![a, b],
            Kind::Choose(a, b, c) => vec![a, b, c],
            Kind::Walk { root, linear, .. } => of_root(root).into_iter().chain([&**linear]).collect(),
            Kind::Entry { root, linear, level } => of_root(root).into_iter().chain([&**linear, &**level]).collect(),
            Kind::Tlb(_, TlbPart::CountIn(a, b)) => vec![a, b],
            Kind::Tlb(_, TlbPart::Has(a)) => vec![a],
            Kind::Call(_, arguments) => arguments.iter().collect(),
            Kind::Value(_)
            | Kind::Drawn(_)
            | Kind::Symbol(_)
            | Kind::Root(_)
            | Kind::Blob
            | Kind::Position
            | Kind::Clock
            | Kind::Answer(_)
            | Kind::Cpu(..)
            | Kind::Tlb(_, TlbPart::Count | TlbPart::Global)
            | Kind::Events { .. } => Vec::new(),
        }
    }
}

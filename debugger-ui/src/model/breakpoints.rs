//! What a run stops at.

use super::symbols::Symbols;
use protocol::LinearAddr;
use protocol::breakpoint::{Breakpoint, Condition};

/// All breakpoints, in the order they were set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breakpoints {
    /// As the server has them.
    pub list: Vec<Breakpoint>,
    /// The one that the last run stopped at.
    pub hit: Option<u32>,
}

impl Breakpoints {
    /// The breakpoint at an instruction.
    pub fn at(&self, linear: LinearAddr) -> Option<&Breakpoint> {
        self.list.iter().find(|breakpoint| breakpoint.condition == Condition::Execute(linear))
    }
}

/// A breakpoint as a line: "3  CPU 1 executes tr_set_pe (0009b044)".
pub fn words(_breakpoint: &Breakpoint, _symbols: &Symbols) -> String {
    String::new()
}

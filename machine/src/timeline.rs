//! A machine with its past: journal, checkpoints, log and breakpoints around a [`Machine`], and runs in both
//! directions.
//!
//! (Being built: the signatures stand, the bodies come.)

use crate::machine::Machine;
use protocol::breakpoint::{Breakpoint, Condition};
use protocol::request::{Advance, ConsoleText, Edit, Refusal, StopReason};
use protocol::{CpuId, CpuState, Event, Position};

/// A machine, what was put into it, and a way back to each of its positions.
#[derive(Debug)]
pub struct Timeline {
    machine: Machine,
}

impl Timeline {
    /// Around a machine at position 0. `memory_bytes` is what checkpoints may cost.
    pub fn new(machine: Machine, _memory_bytes: usize) -> Self {
        Self { machine }
    }

    /// The machine as it is at [`Timeline::position`]; read with [`crate::inspect`].
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Now.
    pub fn position(&self) -> Position {
        self.machine.position()
    }

    /// The last position that is recorded.
    pub fn end(&self) -> Position {
        panic!("being built")
    }

    /// The CPU that made the last step, or backwards, whose step was taken back. None: nothing moved yet.
    pub fn moved_cpu(&self) -> Option<CpuId> {
        panic!("being built")
    }

    /// There is an old future to go back to.
    pub fn can_undo(&self) -> bool {
        panic!("being built")
    }

    /// Goes up with each change of the past (edit, input or schedule by hand in the past, undo).
    pub fn epoch(&self) -> u64 {
        panic!("being built")
    }

    /// One piece of a run, at most `budget` steps of work in either direction; see [`Advance`]. Backwards,
    /// [`StopReason::Budget`] means that it was not found yet: the same request again goes on where this one stopped
    /// (the position may have moved back meanwhile). `wanted` is not looked at here.
    ///
    /// # Errors
    /// Where the request makes no sense: no such CPU, input backwards, hold without CPU.
    pub fn advance(&mut self, _request: &Advance) -> Result<StopReason, Refusal> {
        panic!("being built")
    }

    /// To any recorded position.
    ///
    /// # Errors
    /// Beyond [`Timeline::end`].
    pub fn seek(&mut self, _position: Position) -> Result<(), Refusal> {
        panic!("being built")
    }

    /// Changes the machine here and now. In the past this ends the future; [`Timeline::undo`] brings it back.
    ///
    /// # Errors
    /// In words, where there is no such register or memory, or the value does not fit.
    pub fn edit(&mut self, _edit: &Edit) -> Result<(), Refusal> {
        panic!("being built")
    }

    /// Takes the last edit back.
    ///
    /// # Errors
    /// [`Refusal::NothingToUndo`].
    pub fn undo(&mut self) -> Result<(), Refusal> {
        panic!("being built")
    }

    /// Bytes arrive at the serial port, here and now (journaled).
    pub fn serial_input(&mut self, _bytes: &[u8]) {
        panic!("being built")
    }

    /// The user presses reset (journaled).
    pub fn reset(&mut self) {
        panic!("being built")
    }

    /// The user sends an NMI to a CPU (journaled).
    ///
    /// # Errors
    /// No such CPU.
    pub fn nmi(&mut self, _cpu: CpuId) -> Result<(), Refusal> {
        panic!("being built")
    }

    /// Sets a breakpoint; it gets the next number.
    ///
    /// # Errors
    /// No such CPU, or an empty range.
    pub fn set_breakpoint(&mut self, _cpu: Option<CpuId>, _condition: Condition) -> Result<Breakpoint, Refusal> {
        panic!("being built")
    }

    /// Removes one.
    ///
    /// # Errors
    /// No breakpoint has that number.
    pub fn clear_breakpoint(&mut self, _id: u32) -> Result<(), Refusal> {
        panic!("being built")
    }

    /// All of them, oldest first.
    pub fn breakpoints(&self) -> &[Breakpoint] {
        panic!("being built")
    }

    /// State of all CPUs, with `Held` where the user holds them.
    pub fn cpu_states(&self) -> Vec<CpuState> {
        panic!("being built")
    }

    /// Events with `from < position <= to`, not beyond now; of more than `limit` the newest, oldest first.
    pub fn events(&self, _from: Position, _to: Position, _limit: usize) -> Vec<Event> {
        panic!("being built")
    }

    /// Console output from a byte offset on, up to now.
    pub fn console(&self, _offset: u64) -> ConsoleText {
        panic!("being built")
    }

    /// Hash of the whole architectural state, 32 bytes.
    pub fn hash(&self) -> [u8; 32] {
        panic!("being built")
    }
}

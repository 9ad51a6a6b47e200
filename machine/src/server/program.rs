//! What a program without a window does with its machine: [`Program`], asked by [`super::driver`] between pieces.

use crate::gdb::target::Target;
use protocol::request::{StopReason, Until};
use protocol::run::Run;
use protocol::{CpuId, Position};

/// What moves a machine that no client drives, and sees every movement, whoever causes it: `firstlight-machine`.
pub trait Program: Send {
    /// The machine stays put until the first client that drives has come and gone.
    fn waits_for_client(&self) -> bool;

    /// Bytes may come for the serial port, so that a machine in which all wait is no end.
    fn reads_input(&self) -> bool;

    /// What to run next.
    fn goal(&mut self, machine: &Target) -> Goal;

    /// The machine moved, or its past was changed.
    fn observe(&mut self, machine: &Target, moved: Moved);

    /// The run came to a stop. Some: the program ends with this exit status; None: go on.
    fn stopped(&mut self, machine: &Target, reason: &StopReason) -> Option<u8>;

    /// The program ends; `run` makes what is recorded up to here.
    fn ended(&mut self, _run: &dyn Fn() -> Run) {}

    /// The machine's thread panicked, with this message.
    fn crashed(&mut self, message: &str);

    /// A client's session ended, why in words.
    fn session_ended(&mut self, why: &str);
}

/// A piece of a program's run.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Whose steps, events and instructions count; None: anyone's.
    pub cpu: Option<CpuId>,
    /// What ends the run.
    pub until: Until,
    /// At most so many steps in this piece.
    pub max_steps: u64,
}

/// Where the machine was before it moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The position.
    pub from: Position,
    /// Bytes of console output up to there.
    pub console_from: u64,
    /// What was recorded after `from` is void.
    pub new_future: bool,
}

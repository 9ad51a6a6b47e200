//! What the player and its driver say to each other. The driver is a window, `cargo xtask lessons`, or a test: it has the
//! connection to the machine, the player has none.

use protocol::request::{Advance, Request, StopReason, Stopped};
use protocol::{CpuState, Position};

/// What a driver is to do, in the order in which it gets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ask and hand the answer to the player's `answer`. It only reads, or concerns the private copy.
    Read(Ticket, Request),
    /// Ask; the learner's machine moves. The driver reports the stop to the player's `stopped`, also where the answer
    /// is a `Hello` (it asks for the state then), or a refusal to the player's `refused`.
    Move(Request),
    /// Run, as a row of advances until the reason is another than the budget; then as for `Move`. Stops on the way may
    /// be reported with [`Seen::running`]. A `Move` or `Run` that comes meanwhile ends the run.
    Run(Advance),
}

/// Which answer belongs to which question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// What the learner does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Is this the answer?
    Check {
        /// [`crate::player::page::Question::number`].
        question: usize,
        /// As typed.
        text: String,
    },
    /// This is the answer.
    Choose {
        /// [`crate::player::page::Question::number`].
        question: usize,
        /// [`crate::player::page::Choice::letter`].
        letter: String,
    },
    /// The button of an action.
    Do(usize),
    /// One more hint.
    Hint,
    /// Let the machine do it, and fill in the answers.
    ShowMe,
    /// To the next step. Does nothing while tasks are open.
    Next,
    /// To the step before.
    Back,
    /// To the next step; open tasks are skipped.
    Skip,
    /// Back to the step's place.
    Return,
    /// Begin the lesson anew, with the same numbers.
    Again,
    /// To a step that was begun before, by its id.
    GoTo(String),
}

/// The learner's machine at a stop.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Why it stopped.
    pub reason: &'a StopReason,
    /// Where.
    pub position: Position,
    /// The last recorded position.
    pub end: Position,
    /// Goes up with every restart, edit and undo.
    pub epoch: u64,
    /// The last edit can be taken back.
    pub can_undo: bool,
    /// All CPUs, not only those that changed.
    pub cpus: &'a [CpuState],
    /// It goes on: a piece of a run.
    pub running: bool,
}

impl<'a> Seen<'a> {
    /// From the server's answer, where it holds all CPUs.
    pub fn of(stopped: &'a Stopped, running: bool) -> Self {
        Self {
            reason: &stopped.reason,
            position: stopped.position,
            end: stopped.end,
            epoch: stopped.epoch,
            can_undo: stopped.can_undo,
            cpus: &stopped.cpus,
            running,
        }
    }
}

//! What can go wrong while a lesson is played, in words: what happened, what it means, what to do. Never a dead end: the
//! buttons for going back to the step's place, skipping and beginning anew work in each case.

use protocol::request::{Refusal, StopReason};

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The server refused.
    Refused(Refusal),
    /// The place that was looked for never came, within a bound.
    NeverCame,
    /// The machine came to an end before the place that was looked for.
    Ended(StopReason),
    /// The learner paused the machine on its way.
    Paused,
    /// The machine was moved by somebody else again and again while the step was being prepared.
    Disturbed,
    /// An expression of the lesson failed: file and line, and why.
    Lesson(String),
    /// The answer is of another kind than the question.
    NoFit(&'static str),
    /// The machine runs another image than the one the lesson was begun with.
    OtherImage,
    /// The machine has another configuration than the lesson's.
    OtherMachine,
    /// The saved state could not be restored, why.
    StateLost(String),
}

const RETURN: &str = "[Back to this step's place] tries again; [Skip] goes on without it.";

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(Refusal::GdbDrives) => write!(
                f,
                "A gdb is attached and drives the machine, so the lesson cannot move it. Detach it there, or take over the \
                 machine. Then press [Back to this step's place]."
            ),
            Self::Refused(Refusal::Crashed(why)) => write!(
                f,
                "The machine's program failed ({why}). This is a mistake in Firstlight, not yours. [Begin again] starts it \
                 anew; your answers are kept."
            ),
            Self::Refused(Refusal::NothingToUndo) => write!(f, "There was no change to take back. {RETURN}"),
            Self::Refused(Refusal::Version(other)) => write!(
                f,
                "The machine's server speaks version {other}, this lesson needs {}. Use the server that came with this \
                 program.",
                protocol::request::VERSION
            ),
            Self::Refused(Refusal::Invalid(why)) => write!(f, "The machine's server refused: {why} {RETURN}"),
            Self::NeverCame => write!(
                f,
                "The machine ran for a long time and did not come to the place that this step is about. {RETURN}"
            ),
            Self::Ended(reason) => write!(
                f,
                "The machine stopped before the place that this step is about: {}. {RETURN}",
                in_words(reason)
            ),
            Self::Paused => write!(f, "You paused the machine on its way to this step's place. {RETURN}"),
            Self::Disturbed => write!(
                f,
                "The machine was moved while this step was being prepared. Leave it for a moment and press [Back to this \
                 step's place]."
            ),
            Self::Lesson(what) => write!(f, "This lesson has a mistake: {what}. {RETURN}"),
            Self::NoFit(what) => write!(
                f,
                "The machine's server gave an answer of another kind to {what}: program and server do not fit. {RETURN}"
            ),
            Self::OtherImage => write!(
                f,
                "The machine runs another kernel than the one this lesson was begun with. [Back to this step's place] looks \
                 up the answers anew in it."
            ),
            Self::OtherMachine => write!(
                f,
                "The machine was started with other settings than this lesson's, so its numbers differ. [Back to this step's \
                 place] starts the lesson's machine; what you did in this one is lost then."
            ),
            Self::StateLost(why) => write!(
                f,
                "The state of the machine when you left could not be restored: {why}. Your answers are kept; the machine \
                 stands where this step begins."
            ),
        }
    }
}

fn in_words(reason: &StopReason) -> String {
    match reason {
        StopReason::AllWaiting => "all CPUs wait, and nothing is on its way that could wake them".into(),
        StopReason::TripleFault { cpu } => format!("{cpu} shut down after a triple fault"),
        StopReason::Unsupported { cpu, what } => {
            format!("{cpu} met something that this machine does not have ({what})")
        }
        StopReason::PowerOff => "the kernel switched the machine off".into(),
        StopReason::Exit { value } => format!("the kernel ended the run with value {value}"),
        StopReason::CannotStep { why } => why.trim_end_matches('.').to_owned(),
        StopReason::StartOfTime => "it is at its first step".into(),
        StopReason::EndOfRecording => "the recording ends".into(),
        StopReason::None | StopReason::Reached | StopReason::Budget | StopReason::Interrupted => {
            "it was interrupted".into()
        }
        StopReason::Breakpoint { id, .. } => format!("breakpoint {id}"),
    }
}

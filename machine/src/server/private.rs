//! Private copies: a client's own machine, run ahead or tried out where nobody else sees it.
//!
//! [`Request::Copy`] makes one with [`Timeline::fork`], [`Request::Private`] asks it. It has a pace of its own, since its
//! pieces are cut like those of the machine ([`super::vendor`]), and goes when its client goes. A panic in it ends the
//! copy only.

use super::driver::{Driver, catch};
use super::mail::ClientId;
use super::pace::Pace;
use super::vendor::{Told, invalid, read, run_piece, stopped};
use crate::timeline::Timeline;
use protocol::request::{Answer, Refusal, Request, StopReason, Wanted};

/// What going back in a copy may cost, in bytes: it is run ahead once, and seldom looked at twice.
const HISTORY_BYTES: usize = 32 << 20;

/// A client's copy of the machine.
#[derive(Debug)]
pub struct Private {
    timeline: Timeline,
    pace: Pace,
    /// Added to the timeline's epoch: a new copy makes what the client knows of the old one void.
    epoch_base: u64,
}

impl Driver {
    /// Copies the machine as it stands for a client. Its older copy goes into the new one.
    pub(super) fn copy(&mut self, client: ClientId) -> Result<Answer, Refusal> {
        let index = self.index(client).ok_or_else(|| invalid("this client has gone"))?;
        let old = self.clients[index].private.take();
        let epoch_base = old.as_ref().map_or(0, |old| old.epoch_base + old.timeline.epoch() + 1);
        let (spare, pace) = match old {
            Some(old) => (Some(old.timeline), old.pace),
            None => (None, Pace::default()),
        };
        let timeline = self.target.timeline.fork(spare, HISTORY_BYTES);
        self.clients[index].private = Some(Private { timeline, pace, epoch_base });
        Ok(Answer::Done)
    }

    /// Asks a client's copy.
    pub(super) fn private(&mut self, client: ClientId, request: Request) -> Result<Answer, Refusal> {
        let told = Told { gdb_attached: self.gdb.is_some(), image_changed: self.target.image.changed(), epoch: 0 };
        let index = self.index(client).ok_or_else(|| invalid("this client has gone"))?;
        let private = self.clients[index].private.as_mut();
        let private =
            private.ok_or_else(|| invalid("this client has no copy of the machine yet; ask for one first"))?;
        let answer = catch("asking a private copy of the machine", || private.answer(request, told));
        answer.unwrap_or_else(|message| {
            // Whatever state it is in, nobody shall read it.
            self.clients[index].private = None;
            Err(Refusal::Crashed(message))
        })
    }
}

impl Private {
    fn answer(&mut self, request: Request, told: Told) -> Result<Answer, Refusal> {
        if let Some(answer) = read(&self.timeline, &request) {
            return answer;
        }
        let (reason, wanted) = match request {
            Request::Advance(mut request) => {
                let reason = run_piece(&mut self.timeline, &mut self.pace, &mut request)?;
                (reason, request.wanted)
            }
            Request::Seek { position, wanted } => {
                self.timeline.seek(position)?;
                (StopReason::Reached, wanted)
            }
            Request::State { wanted } => (StopReason::None, wanted),
            Request::Edit { edit, wanted } => {
                self.timeline.edit(&edit)?;
                (StopReason::None, wanted)
            }
            Request::Undo { wanted } => {
                self.timeline.undo()?;
                (StopReason::None, wanted)
            }
            other => {
                let name = format!("{other:?}");
                let name = name.split([' ', '(']).next().unwrap_or_default();
                return Err(invalid(format!("{name} concerns the machine itself; a private copy does not answer it")));
            }
        };
        Ok(self.stopped(reason, &wanted, told))
    }

    /// Where the copy is. Nothing is kept of what was sent: CPUs and trees always go out.
    fn stopped(&self, reason: StopReason, wanted: &Wanted, told: Told) -> Answer {
        let told = Told { epoch: self.epoch_base + self.timeline.epoch(), ..told };
        let (mut stopped, states, trees) = stopped(&self.timeline, reason, wanted, told);
        stopped.cpus = states;
        stopped.trees = trees.into_iter().map(|(_, tree)| tree).collect();
        Answer::Stopped(Box::new(stopped))
    }
}

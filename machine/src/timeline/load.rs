//! Playing a recorded run: a journal that came from a file is put in again, and log and checkpoints are written as at the
//! first time. Called by the server with runs that [`Journal::of_run`] took for possible.

use super::Timeline;
use super::journal::{Input, Journal};
use super::look::{Goal, Look};
use super::seek::Way;
use crate::machine::{Ran, Stop};

impl Timeline {
    /// Makes this run the recorded one, up to `end`, and stands there. What it has in common with the run that is recorded
    /// is not played again. False: they differ from the very beginning; nothing was done. The last edit can be taken back
    /// afterwards, whether it was played again or both runs have it.
    ///
    /// # Errors
    /// In words: the run cannot be played. All is then as before, but for the epoch.
    pub fn load(&mut self, journal: &Journal, end: u64) -> Result<bool, String> {
        let Some(common) = self.common_with(journal, end) else { return Ok(false) };
        let (here, kept) = (self.position().0, self.kept.take());
        self.go_to(common);
        self.branch(common, self.applied);
        let (replaced, in_common) = (self.kept.take(), self.applied);
        match self.play(journal, end) {
            Ok(()) => {
                // What was kept lies before an input that both runs have, unless a later edit was played.
                self.kept = self.kept.take().or(kept.filter(|kept| kept.applied < in_common));
                self.went_back = false;
                self.unfinished = None;
                Ok(true)
            }
            Err(why) => {
                self.kept = replaced;
                // It was kept a moment ago.
                let _ = self.undo();
                self.kept = kept;
                self.go_to(here);
                Err(why)
            }
        }
    }

    /// The last position up to which both runs are the same, inputs there included. None: not even the first one.
    fn common_with(&self, other: &Journal, end: u64) -> Option<u64> {
        let (start, end) = (self.start().0, end.min(self.end));
        if end < start {
            return None;
        }
        match self.journal.differs_at(other) {
            Some(position) if position <= start => None,
            Some(position) => Some(end.min(position - 1)),
            None => Some(end),
        }
    }

    /// Goes on from here, at the recorded end, with what the journal has for after it. Its last edit can be taken back as
    /// if it had just been made; what had been recorded before the edit is in no file.
    ///
    /// # Errors
    /// In words. The machine stands where it could not go on.
    pub fn play(&mut self, journal: &Journal, end: u64) -> Result<(), String> {
        loop {
            let position = self.position().0;
            while let Some(entry) = journal.entries().get(self.applied).filter(|entry| entry.position == position) {
                let input = entry.input.clone();
                let number = self.applied + 1;
                if matches!(input, Input::Edit(_)) {
                    self.branch(position, self.applied);
                }
                let events = self.apply(&input).map_err(|why| {
                    format!("input {number} of the run, at position {position}, cannot be put in: {why}")
                })?;
                self.write_down(input, events);
            }
            if position >= end {
                return Ok(());
            }
            let hold = journal.hold_at(position);
            let boundary = hold.map(|(_, end)| end).or_else(|| journal.next_hold_start(position));
            let input = journal.entries().get(self.applied).map(|entry| entry.position);
            let next = end.min(boundary.unwrap_or(end)).min(input.unwrap_or(end));
            let way = Way { end: next, cpu_steps: None, only: hold.map(|(cpu, _)| cpu), through: false };
            let ran = self.roll_pieces(way, &mut Look::new(Goal::None, &[], position, false));
            let reached = self.position().0;
            if reached < next {
                let why = match ran {
                    Ran::Stopped(Stop::AllWaiting) => "all CPUs that may run wait there".to_owned(),
                    Ran::Stopped(Stop::TripleFault { cpu }) => format!("{cpu} shut down there"),
                    Ran::Stopped(Stop::Exit { .. }) => "the guest ended the run there".to_owned(),
                    Ran::Stopped(Stop::PowerOff) => "the guest switched the machine off there".to_owned(),
                    Ran::Stopped(Stop::Unsupported { cpu, what }) => {
                        format!("{cpu} met {what}, which this machine lacks")
                    }
                    Ran::Limit | Ran::Before | Ran::After => "it stopped there".to_owned(),
                };
                return Err(format!(
                    "the run cannot be played further than position {reached}: {why}. It says that it goes on to {end}, so it \
                     was not made by this image and this machine, or it was changed by hand"
                ));
            }
        }
    }
}

//! Rolling along the timeline: recorded stretches are replayed from the journal, beyond the recorded end the run is
//! live and is written down. Going back is a checkpoint and a replay.

use super::Timeline;
use super::checkpoint::{Checkpoint, SPACING};
use super::journal::{Entry, Input};
use super::look::{Eye, Goal, Look};
use crate::inspect::edit;
use crate::machine::{Limits, Ran, Stop};
use protocol::event::EventKind;
use protocol::{CpuId, Event};
use std::sync::Arc;

/// Replays lay checkpoints only this close to where they go (in multiples of the spacing).
const DENSE_SPAN: u64 = 64 * SPACING;

/// How far to roll.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// Not beyond this position.
    pub end: u64,
    /// Not beyond so many steps of this CPU, counted since power-on.
    pub cpu_steps: Option<(CpuId, u64)>,
    /// Beyond the recorded end, only this CPU makes steps.
    pub only: Option<CpuId>,
    /// Where the machine ended once and was reset by the user, replay goes through.
    pub through: bool,
}

impl Way {
    /// Over what is recorded.
    pub fn replay(end: u64) -> Self {
        Self { end, cpu_steps: None, only: None, through: true }
    }
}

impl Timeline {
    /// Rolls forwards until the end of the way, a hit, or until the machine cannot go on.
    pub(super) fn roll(&mut self, way: Way, look: &mut Look) -> Ran {
        self.machine.bus.watch.points = self.breakpoints.watchpoints();
        self.machine.bus.watch.active = !self.machine.bus.watch.points.is_empty();
        let ran = self.roll_pieces(way, look);
        self.machine.bus.watch = crate::bus::Watch::default();
        if let Ran::Stopped(Stop::Unsupported { .. }) = ran {
            // The attempt filled the TLB and set A bits; the position is to look as if nobody had tried.
            let position = self.position().0;
            self.restore(&Arc::clone(self.checkpoints.before(position)));
            self.go_to(position);
        }
        ran
    }

    pub(super) fn roll_pieces(&mut self, way: Way, look: &mut Look) -> Ran {
        loop {
            self.apply_due(look);
            if look.hit.is_some() && !look.is_backward() {
                return Ran::After;
            }
            let position = self.machine.position().0;
            let live = position >= self.end;
            let piece = self.piece(way, live);
            let ran = self.run_piece(piece, live, look);
            let reached = self.machine.position().0;
            if live {
                self.end = reached;
                if let Some(cpu) = way.only {
                    self.journal.push_hold(position, reached - position, cpu);
                }
            }
            if let Ran::Stopped(Stop::Unsupported { .. }) = ran {
                return ran;
            }
            self.lay_checkpoint(way.end);
            let goes_through = way.through && reached < self.end && matches!(ran, Ran::Stopped(_));
            let cpu_done = |(cpu, end): (CpuId, u64)| self.machine.cpu(cpu).is_some_and(|cpu| cpu.steps >= end);
            let is_over = ran != Ran::Limit && !goes_through;
            if is_over || reached >= way.end || way.cpu_steps.is_some_and(cpu_done) {
                self.apply_due(look);
                return ran;
            }
        }
    }

    /// The stretch from here on over which nothing comes from outside and no checkpoint is due.
    pub(super) fn piece(&self, way: Way, live: bool) -> Limits {
        let position = self.machine.position().0;
        let last = self.checkpoints.before(position).position();
        let spacing = self.checkpoints.spacing();
        let due = if last + spacing > position { last + spacing } else { position + spacing };
        let mut end = way.end.min(due);
        let mut only = way.only;
        if !live {
            let hold = self.journal.hold_at(position);
            let boundary = hold.map(|(_, end)| end).or_else(|| self.journal.next_hold_start(position));
            let input = self.journal.entries().get(self.applied).map(|entry| entry.position);
            end = end.min(self.end).min(boundary.unwrap_or(u64::MAX)).min(input.unwrap_or(u64::MAX));
            only = hold.map(|(cpu, _)| cpu);
        }
        Limits { end, cpu_steps: way.cpu_steps, only }
    }

    fn run_piece(&mut self, piece: Limits, live: bool, look: &mut Look) -> Ran {
        let log = live.then_some(&mut self.log);
        if look.is_blind() && !self.machine.bus.watch.active {
            self.machine.run(piece, &mut Eye::<false> { look, log })
        } else {
            self.machine.run(piece, &mut Eye::<true> { look, log })
        }
    }

    /// Puts in what the journal has for this position. The log has it already.
    fn apply_due(&mut self, look: &mut Look) {
        while let Some(entry) = self.journal.entries().get(self.applied) {
            if entry.position != self.machine.position().0 {
                break;
            }
            let Entry { input, .. } = entry.clone();
            let events = self.apply(&input).expect("an input that was put in once can be put in again");
            self.applied += 1;
            events.iter().for_each(|event| look.see(event));
        }
    }

    /// Puts an input into the machine, here and now. Returns the events. Error in words: nothing was changed.
    pub(super) fn apply(&mut self, input: &Input) -> Result<Vec<Event>, String> {
        match input {
            Input::Serial(bytes) => self.machine.serial_input(bytes),
            Input::Keys(codes) => self.machine.press_keys(codes),
            Input::Nmi(cpu) => drop(self.machine.nmi(*cpu)),
            Input::Reset => {
                let (cpu, by) = match self.machine.ended() {
                    Some(&Stop::TripleFault { cpu }) => (cpu, "the chipset, since this CPU shut down"),
                    _ => (CpuId(0), "the user"),
                };
                return Ok(self.machine.reset(cpu, by));
            }
            Input::Edit(edit) => {
                let (cpu, what) = edit::apply(&mut self.machine, edit)?;
                return Ok(vec![self.machine.event(cpu, EventKind::Edit { what })]);
            }
        }
        Ok(Vec::new())
    }

    fn lay_checkpoint(&mut self, end: u64) {
        let position = self.machine.position().0;
        let last = self.checkpoints.before(position).position();
        let near = position >= self.end || end.saturating_sub(position) <= DENSE_SPAN;
        if position >= last + self.checkpoints.spacing() && near {
            let checkpoint = self.checkpoint_here();
            self.checkpoints.insert(checkpoint);
        }
    }

    pub(super) fn checkpoint_here(&mut self) -> Arc<Checkpoint> {
        Arc::new(Checkpoint { snapshot: self.machine.snapshot(), applied: self.applied })
    }

    pub(super) fn restore(&mut self, checkpoint: &Checkpoint) {
        self.machine.restore(&checkpoint.snapshot);
        self.applied = checkpoint.applied;
    }

    /// To a recorded position, with all inputs put in that act there.
    pub(super) fn go_to(&mut self, position: u64) {
        debug_assert!(position <= self.end);
        let nearest = Arc::clone(self.checkpoints.before(position));
        // Rolling on from here is shorter where no checkpoint lies between.
        let here = self.machine.position().0;
        if here > position || nearest.position() > here {
            self.restore(&nearest);
        }
        let mut blind = Look::new(Goal::None, &[], position, false);
        self.roll_pieces(Way::replay(position), &mut blind);
        debug_assert_eq!(self.machine.position().0, position, "what is recorded can be replayed");
    }
}

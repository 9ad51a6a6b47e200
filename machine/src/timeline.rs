//! A machine with its past: journal, checkpoints, log and breakpoints around a [`Machine`], and runs in both
//! directions.
//!
//! A position is reached again by restoring a checkpoint and replaying the journal (`timeline::seek`); log and recorded
//! end are written only by the first run over a stretch. What changes the past ends the future that was recorded; it is kept
//! until the next such change and [`Timeline::undo`] brings it back as it was. `timeline::search` answers requests.
//! Read by the server, with [`crate::inspect`] for the state at the present position.

mod breakpoints;
mod cause;
mod checkpoint;
pub mod journal;
mod load;
pub mod log;
mod look;
mod search;
mod seek;

use crate::inspect;
use crate::machine::Machine;
use breakpoints::{Breakpoints, known};
use checkpoint::{Checkpoint, Checkpoints};
use journal::{Input, Journal};
use log::{Log, Mark, Tail};
use protocol::breakpoint::{Breakpoint, Condition};
use protocol::request::{ConsoleText, Edit, Refusal};
use protocol::{Activity, CpuId, CpuState, Event, Position};
use search::{Search, Unfinished};
use std::sync::Arc;

/// What checkpoints may cost if nothing else is asked for, in bytes.
pub const DEFAULT_MEMORY_BYTES: usize = 512 << 20;

/// A machine, what was put into it, and a way back to each of its positions.
#[derive(Debug)]
pub struct Timeline {
    machine: Machine,
    journal: Journal,
    /// Inputs of the journal that are in the machine's state.
    applied: usize,
    checkpoints: Checkpoints,
    log: Log,
    breakpoints: Breakpoints,
    /// The last recorded position.
    end: u64,
    kept: Option<KeptFuture>,
    search: Option<Search>,
    unfinished: Option<Unfinished>,
    epoch: u64,
    /// The last run went back: the CPU that moved is the one whose step was taken back.
    went_back: bool,
}

/// The future "before my change".
#[derive(Debug)]
struct KeptFuture {
    /// The place where it was left.
    position: u64,
    applied: usize,
    journal: Journal,
    checkpoints: Vec<Arc<Checkpoint>>,
    log: Tail,
    end: u64,
}

impl Timeline {
    /// Around a machine at position 0. `memory_bytes` is what checkpoints may cost, see [`DEFAULT_MEMORY_BYTES`]; 0: nobody
    /// is going to go back, which would take long then.
    pub fn new(machine: Machine, memory_bytes: usize) -> Self {
        Self::around(machine, memory_bytes, Log::default())
    }

    /// A timeline of its own that begins here: the same state, an empty journal and log, no breakpoints. Positions and
    /// console offsets go on from where they are. `spare`, an older fork, makes it cheaper, see [`Machine::fork`].
    pub fn fork(&mut self, spare: Option<Self>, memory_bytes: usize) -> Self {
        let log = self.log.after(self.position());
        let machine = self.machine.fork(spare.map(|spare| spare.machine));
        Self::around(machine, memory_bytes, log)
    }

    fn around(mut machine: Machine, memory_bytes: usize, log: Log) -> Self {
        let end = machine.position().0;
        let checkpoints = Checkpoints::new(machine.snapshot(), memory_bytes);
        Self {
            machine,
            journal: Journal::default(),
            applied: 0,
            checkpoints,
            log,
            breakpoints: Breakpoints::default(),
            end,
            kept: None,
            search: None,
            unfinished: None,
            epoch: 0,
            went_back: false,
        }
    }

    /// The machine as it is at [`Timeline::position`]; read with [`crate::inspect`].
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What was put in from outside.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Now.
    pub fn position(&self) -> Position {
        self.machine.position()
    }

    /// The first position: 0, or where a fork was made.
    pub fn start(&self) -> Position {
        Position(self.checkpoints.first().position())
    }

    /// The last position that is recorded.
    pub fn end(&self) -> Position {
        Position(self.end)
    }

    /// The CPU that made the last step, or backwards, whose step was taken back. None: nothing moved yet.
    pub fn moved_cpu(&self) -> Option<CpuId> {
        if self.went_back { self.machine.next_stepper() } else { self.machine.last_cpu() }
    }

    /// There is an old future to go back to.
    pub fn can_undo(&self) -> bool {
        self.kept.is_some()
    }

    /// Goes up with each change of the past (edit, reset, input or schedule by hand in the past, undo): what a client has
    /// read of log and future is void.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// To any recorded position.
    ///
    /// # Errors
    /// Beyond [`Timeline::end`], or before [`Timeline::start`].
    pub fn seek(&mut self, position: Position) -> Result<(), Refusal> {
        if position.0 > self.end {
            let end = self.end;
            let words = format!("Position {position} is not recorded yet: the run was recorded up to {end}.");
            return Err(Refusal::Invalid(words));
        }
        if position < self.start() {
            let start = self.start();
            let words = format!("Position {position} lies before the place where this copy was made, {start}.");
            return Err(Refusal::Invalid(words));
        }
        self.went_back = position < self.position();
        self.go_to(position.0);
        Ok(())
    }

    /// Changes the machine here and now. In the past this ends the future; [`Timeline::undo`] brings it back.
    ///
    /// # Errors
    /// In words, where there is no such register or memory, or the value does not fit. Nothing is changed then.
    pub fn edit(&mut self, edit: &Edit) -> Result<(), Refusal> {
        let input = Input::Edit(edit.clone());
        let (position, applied) = (self.position().0, self.applied);
        let events = self.apply(&input).map_err(Refusal::Invalid)?;
        self.branch(position, applied);
        self.write_down(input, events);
        Ok(())
    }

    /// Takes the last change of the past back: position, machine, log and recorded future are as before it.
    ///
    /// # Errors
    /// [`Refusal::NothingToUndo`].
    pub fn undo(&mut self) -> Result<(), Refusal> {
        let kept = self.kept.take().ok_or(Refusal::NothingToUndo)?;
        self.checkpoints.split_off(kept.position, kept.applied);
        self.log.rejoin(kept.log);
        // Up to the change only what was there before it: an input at the same position is not put in yet.
        self.journal = kept.journal;
        self.end = kept.end;
        kept.checkpoints.into_iter().for_each(|checkpoint| self.checkpoints.insert(checkpoint));
        self.epoch += 1;
        self.search = None;
        self.restore(&Arc::clone(self.checkpoints.before(kept.position)));
        self.go_to(kept.position);
        self.went_back = false;
        Ok(())
    }

    /// Bytes arrive at the serial port, here and now (journaled).
    pub fn serial_input(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.put_in(Input::Serial(bytes.to_vec()));
        }
    }

    /// Keys are pressed, here and now: scan codes of set 2 (journaled).
    pub fn press_keys(&mut self, codes: &[u8]) {
        if !codes.is_empty() {
            self.put_in(Input::Keys(codes.to_vec()));
        }
    }

    /// The user presses reset (journaled).
    pub fn reset(&mut self) {
        self.put_in(Input::Reset);
    }

    /// The user sends an NMI to a CPU (journaled).
    ///
    /// # Errors
    /// No such CPU.
    pub fn nmi(&mut self, cpu: CpuId) -> Result<(), Refusal> {
        known(&self.machine, cpu)?;
        self.put_in(Input::Nmi(cpu));
        Ok(())
    }

    /// An input that cannot fail. In the past it ends the future.
    fn put_in(&mut self, input: Input) {
        if self.position().0 < self.end {
            self.branch(self.position().0, self.applied);
        }
        let events = self.apply(&input).expect("only an edit can be refused");
        self.write_down(input, events);
    }

    fn write_down(&mut self, input: Input, events: Vec<Event>) {
        self.journal.push(self.machine.position().0, input);
        self.applied += 1;
        // Events at a position that clients have already read up to.
        self.epoch += u64::from(!events.is_empty());
        events.into_iter().for_each(|event| self.log.push(event));
        self.search = None;
    }

    /// Ends the future that is recorded from a place on, and keeps it for [`Timeline::undo`].
    fn branch(&mut self, position: u64, applied: usize) {
        let mark: Mark = self.log.mark(Position(position));
        self.kept = Some(KeptFuture {
            position,
            applied,
            journal: self.journal.clone(),
            checkpoints: self.checkpoints.split_off(position, applied),
            log: self.log.split_off(mark),
            end: self.end,
        });
        self.journal.cut(applied, position);
        self.end = position;
        self.epoch += 1;
        self.search = None;
    }

    /// Sets a breakpoint; it gets the next number.
    ///
    /// # Errors
    /// No such CPU, or an empty range.
    pub fn set_breakpoint(&mut self, cpu: Option<CpuId>, condition: Condition) -> Result<Breakpoint, Refusal> {
        self.breakpoints.set(&self.machine, cpu, condition)
    }

    /// Removes one.
    ///
    /// # Errors
    /// No breakpoint has that number.
    pub fn clear_breakpoint(&mut self, id: u32) -> Result<(), Refusal> {
        self.breakpoints.clear(id)
    }

    /// All of them, oldest first.
    pub fn breakpoints(&self) -> &[Breakpoint] {
        self.breakpoints.list()
    }

    /// State of all CPUs. In a stretch of the past that was run by hand the others are `Held`.
    pub fn cpu_states(&self) -> Vec<CpuState> {
        let only = self.journal.hold_at(self.position().0).map(|(cpu, _)| cpu);
        let mut states: Vec<CpuState> =
            self.machine.cpus().iter().map(|cpu| inspect::state_of(&self.machine, cpu)).collect();
        for state in states.iter_mut().filter(|state| only.is_some_and(|only| only != state.cpu)) {
            if state.activity == Activity::Running {
                state.activity = Activity::Held;
            }
        }
        states
    }

    /// Events with `from < position <= to`, not beyond now; of more than `limit` the newest, oldest first.
    pub fn events(&self, from: Position, to: Position, limit: usize) -> Vec<Event> {
        self.log.events(from, to.min(self.position()), limit)
    }

    /// Events after this position are all in the log; older ones were dropped to bound its memory.
    pub fn events_complete_from(&self) -> Position {
        self.log.complete_from()
    }

    /// Console output from a byte offset on, up to now.
    pub fn console(&self, offset: u64) -> ConsoleText {
        self.log.console(offset, self.position())
    }

    /// Hash of the whole architectural state.
    pub fn hash(&self) -> [u8; 32] {
        crate::hash::of(&self.machine)
    }
}

//! What was put into the machine from outside, by position. With image, configuration and seed it determines every byte
//! of a run.
//!
//! Inputs act at a position, before its next step. Runs by hand (one CPU steps, the others are held) are stretches of
//! positions, so that holding is no state of the machine and leaves no trace where it ends.

use protocol::request::Edit;
use protocol::run::{self, InputKind, Run};
use protocol::{CpuId, Position};

/// Something from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Bytes on the serial line.
    Serial(Vec<u8>),
    /// Bytes from the keyboard.
    Keys(Vec<u8>),
    /// A debugger's change.
    Edit(Edit),
    /// The user presses reset.
    Reset,
    /// The user sends an NMI.
    Nmi(CpuId),
}

/// An input and where it acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Before the step from here.
    pub position: u64,
    /// What.
    pub input: Input,
}

/// A stretch of steps that one CPU made alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldRun {
    /// The first step leads on from here.
    pub start: u64,
    /// How many.
    pub steps: u64,
    /// Whose.
    pub cpu: CpuId,
}

impl HoldRun {
    fn end(&self) -> u64 {
        self.start + self.steps
    }
}

/// The whole journal, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    entries: Vec<Entry>,
    holds: Vec<HoldRun>,
}

impl Journal {
    /// All inputs.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All runs by hand.
    pub fn holds(&self) -> &[HoldRun] {
        &self.holds
    }

    /// Adds an input at the end.
    pub(super) fn push(&mut self, position: u64, input: Input) {
        debug_assert!(self.entries.last().is_none_or(|last| last.position <= position), "journals are ascending");
        self.entries.push(Entry { position, input });
    }

    /// Adds steps by hand at the end; goes on with the last run where it is the same CPU's.
    pub(super) fn push_hold(&mut self, start: u64, steps: u64, cpu: CpuId) {
        match self.holds.last_mut() {
            _ if steps == 0 => {}
            Some(last) if last.end() == start && last.cpu == cpu => last.steps += steps,
            _ => self.holds.push(HoldRun { start, steps, cpu }),
        }
    }

    /// The CPU that alone makes the step from a position, and where its run by hand ends.
    pub fn hold_at(&self, position: u64) -> Option<(CpuId, u64)> {
        let after = self.holds.partition_point(|hold| hold.start <= position);
        let hold = self.holds[..after].last().filter(|hold| position < hold.end())?;
        Some((hold.cpu, hold.end()))
    }

    /// Where the first run by hand after a position begins.
    pub(super) fn next_hold_start(&self, position: u64) -> Option<u64> {
        self.holds.get(self.holds.partition_point(|hold| hold.start <= position)).map(|hold| hold.start)
    }

    /// Forgets what came after so many inputs, and the steps by hand from a position on.
    pub(super) fn cut(&mut self, entries: usize, position: u64) {
        self.entries.truncate(entries);
        self.holds.retain(|hold| hold.start < position);
        if let Some(last) = self.holds.last_mut() {
            last.steps = last.steps.min(position - last.start);
        }
    }

    /// The first position at which this journal and another are not the same: before the step from there, or with it.
    /// None: they are the same.
    pub(super) fn differs_at(&self, other: &Self) -> Option<u64> {
        let same = self.entries.iter().zip(&other.entries).take_while(|(one, two)| one == two).count();
        let entries = [self, other].map(|journal| journal.entries.get(same).map(|entry| entry.position));
        let same = self.holds.iter().zip(&other.holds).take_while(|(one, two)| one == two).count();
        let holds = match (self.holds.get(same), other.holds.get(same)) {
            (Some(one), Some(two)) if one.start == two.start && one.cpu == two.cpu => Some(one.end().min(two.end())),
            (one, two) => one.into_iter().chain(two).map(|hold| hold.start).min(),
        };
        // A hold changes the step from its place on; what comes before it at the same position is the same.
        let holds = holds.map(|start| start.saturating_add(1));
        entries.into_iter().chain([holds]).flatten().min()
    }

    /// As a file has it.
    pub fn to_run(&self) -> (Vec<run::Input>, Vec<run::Hold>) {
        let input = |entry: &Entry| run::Input {
            position: Position(entry.position),
            kind: match &entry.input {
                Input::Serial(bytes) => InputKind::Serial(bytes.clone()),
                Input::Keys(codes) => InputKind::Keys(codes.clone()),
                Input::Edit(edit) => InputKind::Edit(edit.clone()),
                Input::Reset => InputKind::Reset,
                Input::Nmi(cpu) => InputKind::Nmi(*cpu),
            },
        };
        let hold = |hold: &HoldRun| run::Hold { start: Position(hold.start), steps: hold.steps, cpu: hold.cpu };
        (self.entries.iter().map(input).collect(), self.holds.iter().map(hold).collect())
    }

    /// From a file.
    ///
    /// # Errors
    /// In words: it is no journal that any machine of this configuration could have.
    pub fn of_run(run: &Run) -> Result<Self, String> {
        let mut journal = Self::default();
        let cpus = run.config.cpus;
        let there = |cpu: CpuId| {
            if cpu.0 < cpus {
                Ok(())
            } else {
                Err(format!("it speaks of {cpu}, and its machine has {cpus} CPUs (from 0)"))
            }
        };
        let mut last = 0;
        for (number, input) in (1..).zip(&run.inputs) {
            let position = input.position.0;
            if position < last {
                return Err(format!(
                    "input {number} is at position {position}, the one before it at {last}: not ascending"
                ));
            }
            if position > run.end.0 {
                return Err(format!("input {number} is at position {position}, beyond the run's end, {}", run.end));
            }
            last = position;
            let input = match &input.kind {
                InputKind::Serial(bytes) => Input::Serial(bytes.clone()),
                InputKind::Keys(codes) => Input::Keys(codes.clone()),
                InputKind::Edit(edit) => Input::Edit(edit.clone()),
                InputKind::Reset => Input::Reset,
                InputKind::Nmi(cpu) => {
                    there(*cpu)?;
                    Input::Nmi(*cpu)
                }
            };
            journal.entries.push(Entry { position, input });
        }
        let mut free = 0;
        for (number, hold) in (1..).zip(&run.holds) {
            there(hold.cpu)?;
            let start = hold.start.0;
            let end = start.checked_add(hold.steps).filter(|&end| end <= run.end.0 && hold.steps > 0);
            let Some(end) = end.filter(|_| start >= free) else {
                return Err(format!(
                    "stretch by hand {number} ({} steps from position {start}) is empty, overlaps the one before it or goes \
                     beyond the run's end, {}",
                    hold.steps, run.end
                ));
            };
            // Neighbours of one CPU are one stretch, as they are recorded.
            journal.push_hold(start, hold.steps, hold.cpu);
            free = end;
        }
        Ok(journal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: runs by hand are coded by length and found by position; method: two CPUs, then a cut in the middle.
    #[test]
    fn holds() {
        let mut journal = Journal::default();
        for start in 10..15 {
            journal.push_hold(start, 1, CpuId(1));
        }
        journal.push_hold(15, 5, CpuId(2));
        journal.push_hold(30, 5, CpuId(2));
        assert_eq!(journal.holds().len(), 3);
        assert_eq!(journal.hold_at(9), None);
        assert_eq!(journal.hold_at(14), Some((CpuId(1), 15)));
        assert_eq!(journal.hold_at(15), Some((CpuId(2), 20)));
        assert_eq!((journal.hold_at(20), journal.next_hold_start(20)), (None, Some(30)));
        journal.cut(0, 17);
        assert_eq!(journal.holds().last(), Some(&HoldRun { start: 15, steps: 2, cpu: CpuId(2) }));
    }
}

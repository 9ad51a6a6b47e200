//! Which step gave a register or bytes of memory the value that they have now.
//!
//! The recorded run is gone through backwards, stretch by stretch from checkpoint to checkpoint, each replayed forwards
//! with an eye on the value: the last change is the cause. Stretches in which nothing can have changed it are left out:
//! the CPU made no step, the page was not written, the log has no write of such a register. Afterwards the machine stands
//! where it stood. Called by the server.

use super::Timeline;
use super::breakpoints::known;
use super::checkpoint::{Checkpoint, SPACING};
use super::journal::Input;
use super::seek::Way;
use crate::bus::Bus;
use crate::bus::ram::PAGE_BYTES;
use crate::cpu::Cpu;
use crate::exception;
use crate::inspect;
use crate::inspect::register::Register;
use crate::machine::run::Nobody;
use crate::machine::{Limits, Machine, Observer, Ran, Stop};
use protocol::event::EventKind;
use protocol::request::{Cause, CauseOf, Refusal};
use protocol::{CpuId, Event, LinearAddr, PhysAddr, Position};
use std::sync::Arc;

/// Replay that looks at each step takes so many times as long as one that does not.
const LOOK_COST: u64 = 3;
/// Longest piece of memory that is looked at, in bytes.
const MAX_BYTES: u8 = 16;

/// What is looked at.
#[derive(Clone, Debug)]
enum Probe {
    /// A register of a CPU; some say in the log when they are written.
    Register { cpu: CpuId, register: Register, logged: Option<Logged> },
    /// Bytes of RAM.
    Memory { paddr: u64, len: usize },
}

/// How the log calls a register.
#[derive(Clone, Debug)]
enum Logged {
    Control(protocol::event::ControlRegister),
    Table(protocol::event::TableRegister),
}

impl Logged {
    fn named(name: &str) -> Option<Self> {
        use protocol::event::{ControlRegister, TableRegister};
        Some(match name {
            "cr0" => Self::Control(ControlRegister::Cr0),
            "cr3" => Self::Control(ControlRegister::Cr3),
            "cr4" => Self::Control(ControlRegister::Cr4),
            "efer" => Self::Control(ControlRegister::Efer),
            "gdtr_base" | "gdtr_limit" => Self::Table(TableRegister::Gdtr),
            "idtr_base" | "idtr_limit" => Self::Table(TableRegister::Idtr),
            _ => return None,
        })
    }

    /// The event may tell of another value in it.
    fn may_change(&self, cpu: CpuId, event: &Event) -> bool {
        match &event.kind {
            EventKind::Reset { .. } => true,
            // INIT, SIPI.
            EventKind::Activity { .. } => event.cpu == cpu,
            EventKind::Cr { register, .. } => {
                event.cpu == cpu && matches!(self, Self::Control(known) if known == register)
            }
            EventKind::DescriptorTable { register, .. } => {
                event.cpu == cpu && matches!(self, Self::Table(known) if known == register)
            }
            _ => false,
        }
    }
}

impl Probe {
    fn of(of: &CauseOf, machine: &Machine) -> Result<Self, Refusal> {
        match of {
            CauseOf::Register { cpu, name } => {
                known(machine, *cpu)?;
                let register = Register::named(name).ok_or_else(|| {
                    Refusal::Invalid(format!(
                        "There is no register {name:?}. Names are gdb's: rax, rip (the offset in CS), eflags, cs, cs_base, \
                         cs_limit, cs_attr, gdtr_base, cr0, cr3, cr4, efer, ..."
                    ))
                })?;
                Ok(Self::Register { cpu: *cpu, register, logged: Logged::named(name) })
            }
            CauseOf::Memory { phys: PhysAddr(paddr), len } => {
                let size = machine.bus().ram.size();
                if !(1..=MAX_BYTES).contains(len) {
                    return Err(Refusal::Invalid(format!(
                        "{len} bytes: the cause of 1 to {MAX_BYTES} can be looked for."
                    )));
                }
                if paddr.checked_add(u64::from(*len)).is_none_or(|end| end > size) {
                    return Err(Refusal::Invalid(format!(
                        "At physical {paddr:#x} there is no RAM: it ends at {size:#x}."
                    )));
                }
                Ok(Self::Memory { paddr: *paddr, len: usize::from(*len) })
            }
        }
    }

    /// A replay of the stretch at full speed tells whether it is worth looking at each step of it.
    fn may_be_written(&self, timeline: &mut Timeline, from: &Checkpoint, upper: &Upper) -> bool {
        let Self::Memory { paddr, len } = *self else { return true };
        timeline.restore(from);
        timeline.replay(upper, |timeline, piece| match piece {
            Some(limits) => timeline.machine.run(limits, &mut Nobody),
            None => Ran::Limit,
        });
        let ram = &timeline.machine.bus().ram;
        let last = paddr as usize + len - 1;
        (paddr as usize / PAGE_BYTES..=last / PAGE_BYTES).any(|page| ram.is_written(page))
    }

    fn read(&self, machine: &Machine) -> u128 {
        match self {
            Self::Register { cpu, register, .. } => machine.cpu(*cpu).map_or(0, |cpu| register.read(cpu)).into(),
            Self::Memory { paddr, len } => bytes_at(machine.bus(), *paddr, *len),
        }
    }

    /// A replay of the stretch cannot show a change: `now` is the value at its end, and nothing from outside came in it.
    fn is_untouched(&self, timeline: &Timeline, from: &Checkpoint, upper: &Upper, now: u128) -> bool {
        let Self::Register { cpu, register, logged } = self else { return false };
        let Some(then) = from.snapshot.cpus.get(usize::from(cpu.0)) else { return false };
        if u128::from(register.read(then)) != now {
            return false;
        }
        // The same value at both ends: either it was never touched, or it went and came back.
        let quiet = |logged: &Logged| {
            timeline.events_complete_from() <= timeline.start().max(Position(from.position()))
                && !timeline.log.any(from.position(), upper.position, |event| logged.may_change(*cpu, event))
        };
        then.steps == upper.steps || logged.as_ref().is_some_and(quiet)
    }
}

fn bytes_at(bus: &Bus, paddr: u64, len: usize) -> u128 {
    let mut bytes = [0; 16];
    let found = bus.ram.slice(paddr, len.min(16));
    bytes[..found.len()].copy_from_slice(found);
    u128::from_le_bytes(bytes)
}

/// Everything from here up to now was looked at.
#[derive(Clone, Copy, Debug)]
struct Upper {
    position: u64,
    /// Inputs of the journal that are put in here.
    applied: usize,
    /// Steps that the probe's CPU had made.
    steps: u64,
}

/// A change of the value.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// The first position at which the value is the new one.
    position: u64,
    /// An input of the journal did it, not a step.
    input: Option<usize>,
    /// A reset of the platform came in between: it may be what did it, here.
    reset: Option<u64>,
    old: u128,
    new: u128,
}

/// Looks at the value before each step that may change it.
struct Eye<'a> {
    probe: &'a Probe,
    value: u128,
    /// From here the last step was made that may have changed it.
    last: u64,
    reset: Option<u64>,
    change: Option<Change>,
}

impl Eye<'_> {
    fn look(&mut self, value: u128, after: u64) {
        let reset = self.reset.take();
        if value != self.value {
            self.change = Some(Change { position: after, input: None, reset, old: self.value, new: value });
            self.value = value;
        }
    }

    /// At a position where a piece of the run ends.
    fn look_at(&mut self, machine: &Machine) {
        let here = machine.position().0;
        let after = match self.probe {
            Probe::Register { .. } => self.last + 1,
            Probe::Memory { .. } => here,
        };
        self.look(self.probe.read(machine), after.min(here));
    }
}

impl Observer for Eye<'_> {
    const LOOKS: bool = true;

    #[inline]
    fn stops_before(&mut self, cpu: &Cpu, bus: &Bus, position: u64) -> bool {
        match *self.probe {
            Probe::Register { cpu: id, register, .. } if id == cpu.id => {
                self.look(register.read(cpu).into(), self.last + 1);
                self.last = position;
            }
            Probe::Register { .. } => {}
            Probe::Memory { paddr, len } => {
                let value = bytes_at(bus, paddr, len);
                if value != self.value {
                    self.look(value, position);
                }
            }
        }
        false
    }

    fn event(&mut self, event: Event) {
        if matches!(event.kind, EventKind::Reset { .. }) {
            self.reset = Some(event.position.0);
        }
    }

    fn console(&mut self, _position: u64, _bytes: &[u8]) {}
}

/// Keeps the events of a step.
struct Events(Vec<Event>);

impl Observer for Events {
    const LOOKS: bool = false;

    fn event(&mut self, event: Event) {
        self.0.push(event);
    }

    fn console(&mut self, _position: u64, _bytes: &[u8]) {}
}

impl Timeline {
    /// The last step (or input) at or before now after which something had another value than before it. None: there is
    /// none in the recorded run. About so many steps are replayed at most.
    ///
    /// # Errors
    /// No such register or memory; or the budget was not enough: how far was looked, in words.
    pub fn cause(&mut self, of: &CauseOf, budget: u64) -> Result<Option<Cause>, Refusal> {
        let probe = Probe::of(of, &self.machine)?;
        let here = self.position().0;
        let found = self.last_change(&probe, budget);
        let cause = match found {
            Ok(Some(change)) => Ok(Some(self.tell(&probe, change))),
            Ok(None) => Ok(None),
            Err(looked) => Err(Refusal::Invalid(format!(
                "Nothing changed it from position {looked} to here, {here}. Whatever gave it its value lies further back \
                 than can be looked in a short time. Go back to {looked} and ask again there."
            ))),
        };
        self.restore(&Arc::clone(self.checkpoints.before(here)));
        self.go_to(here);
        cause
    }

    /// Err: the position down to which was looked.
    fn last_change(&mut self, probe: &Probe, budget: u64) -> Result<Option<Change>, u64> {
        let value = probe.read(&self.machine);
        let steps_of = |cpu: CpuId, machine: &Machine| machine.cpu(cpu).map_or(0, |cpu| cpu.steps);
        let steps = match probe {
            Probe::Register { cpu, .. } => steps_of(*cpu, &self.machine),
            Probe::Memory { .. } => 0,
        };
        let mut upper = Upper { position: self.position().0, applied: self.applied, steps };
        let mut left = budget;
        loop {
            let from = Arc::clone(self.checkpoints.before(upper.position.saturating_sub(1)));
            let stretch = upper.position.saturating_sub(from.position());
            let inputs = upper.applied != from.applied;
            if inputs || !probe.is_untouched(self, &from, &upper, value) {
                if left == 0 {
                    return Err(upper.position);
                }
                if stretch > 2 * SPACING && upper.position > from.position() {
                    // Lays checkpoints, so that the next look is at a short stretch.
                    self.go_to(upper.position - 1);
                    left = left.saturating_sub(stretch);
                    let nearest = self.checkpoints.before(upper.position - 1).position();
                    if nearest > from.position() {
                        continue;
                    }
                }
                if probe.may_be_written(self, &from, &upper) {
                    if let Some(change) = self.changes(probe, &from, &upper) {
                        return Ok(Some(change));
                    }
                    left = left.saturating_sub(stretch * LOOK_COST);
                }
                left = left.saturating_sub(stretch);
            }
            if from.position() <= self.start().0 {
                return Ok(None);
            }
            let steps = match probe {
                Probe::Register { cpu, .. } => from.snapshot.cpu_steps(*cpu),
                Probe::Memory { .. } => 0,
            };
            upper = Upper { position: from.position(), applied: from.applied, steps };
        }
    }

    /// Replays a stretch; the last change in it.
    fn changes(&mut self, probe: &Probe, from: &Checkpoint, upper: &Upper) -> Option<Change> {
        self.restore(from);
        let value = probe.read(&self.machine);
        let mut eye = Eye { probe, value, last: from.position(), reset: None, change: None };
        self.replay(upper, |timeline, piece| match piece {
            Some(limits) => {
                let ran = timeline.machine.run(limits, &mut eye);
                eye.look_at(&timeline.machine);
                ran
            }
            None => {
                let (position, value) = (timeline.position().0, probe.read(&timeline.machine));
                if value != eye.value {
                    let input = Some(timeline.applied - 1);
                    eye.change = Some(Change { position, input, reset: None, old: eye.value, new: value });
                    eye.value = value;
                }
                Ran::Limit
            }
        });
        eye.change
    }

    /// From where the machine stands to the upper end: `run` is given each piece to be run, and None after each input of
    /// the journal that was put in.
    fn replay(&mut self, upper: &Upper, mut run: impl FnMut(&mut Self, Option<Limits>) -> Ran) {
        loop {
            while self.applied < upper.applied
                && let Some(entry) = self.journal.entries().get(self.applied)
                && entry.position == self.machine.position().0
            {
                let input = entry.input.clone();
                // It was put in once, so that it can be put in again.
                let _ = self.apply(&input);
                self.applied += 1;
                run(self, None);
            }
            let before = self.position().0;
            if before >= upper.position {
                return;
            }
            let piece = self.piece(Way::replay(upper.position), false);
            run(self, Some(piece));
            let goes_on =
                self.journal.entries().get(self.applied).is_some_and(|next| next.position == self.position().0);
            if self.position().0 == before && !goes_on {
                return;
            }
        }
    }

    /// Who did it and how: the step is made once more, or the input is looked up.
    fn tell(&mut self, probe: &Probe, change: Change) -> Cause {
        let (old, new) = (change.old as u64, change.new as u64);
        if let Some(input) = change.input {
            // Where a CPU had shut down, going on is a reset that the chipset makes: nobody asked for it.
            let shut_down = change.position > 0 && {
                self.step_to(change.position);
                matches!(self.machine.ended(), Some(Stop::TripleFault { .. }))
            };
            let what = match self.journal.entries().get(input).map(|entry| &entry.input) {
                Some(Input::Reset) if shut_down => "the reset that followed the shutdown",
                Some(Input::Reset) => "a reset by the user",
                Some(Input::Serial(_)) => "serial input",
                Some(Input::Keys(_)) => "keys that were pressed",
                Some(Input::Nmi(_)) => "an NMI from the user",
                Some(Input::Edit(_)) | None => "an edit",
            };
            let (what, what_att) = (what.to_owned(), what.to_owned());
            return Cause { position: Position(change.position), cpu: None, linear: None, what, what_att, old, new };
        }
        let mut position = change.position;
        let mut events = self.step_to(position);
        if let Some(reset) = change.reset.filter(|&reset| reset > position)
            && probe.read(&self.machine) != change.new
        {
            position = reset;
            events = self.step_to(position);
        }
        let cpu = self.machine.last_cpu();
        self.stand_at(position - 1);
        let (linear, what, what_att) = match cpu.and_then(|cpu| self.machine.cpu(cpu)) {
            Some(cpu) => told(cpu, &self.machine, &events),
            None => (None, "a step".to_owned(), "a step".to_owned()),
        };
        Cause { position: Position(position), cpu, linear, what, what_att, old, new }
    }

    fn stand_at(&mut self, position: u64) {
        self.restore(&Arc::clone(self.checkpoints.before(position)));
        self.go_to(position);
    }

    /// Makes the recorded step to a position again. Returns its events.
    fn step_to(&mut self, position: u64) -> Vec<Event> {
        self.stand_at(position - 1);
        let mut events = Events(Vec::new());
        let piece = self.piece(Way::replay(position), false);
        self.machine.run(piece, &mut events);
        events.0
    }
}

/// What a CPU's step does, from the state before it and the events of the step: where the instruction is, and words.
fn told(cpu: &Cpu, machine: &Machine, events: &[Event]) -> (Option<LinearAddr>, String, String) {
    if let Some(due) = exception::due(cpu) {
        let words = due.to_string();
        return (None, words.clone(), words);
    }
    let linear = LinearAddr(cpu.linear_pc());
    let lines = inspect::code(machine, cpu.id, linear, 0, 1).unwrap_or_default();
    let (intel, att) = lines.into_iter().next().map_or_else(Default::default, |line| (line.intel, line.att));
    // A step that raises an exception is its delivery: the instruction had no effect.
    let fault = events.iter().filter(|event| event.cpu == cpu.id).find_map(|event| match event.kind {
        EventKind::Fault { vector, .. } => Some(exception::mnemonic(vector)),
        _ => None,
    });
    let words = |text: String| match fault {
        Some(fault) => format!("{fault}, raised by {text}"),
        None => text,
    };
    (Some(linear), words(intel), words(att))
}

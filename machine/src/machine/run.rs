//! The step and the loop around it: slices of the schedule, the clock, timers, and what a step leaves in the outbox.
//!
//! A step is composed as `exception::service_pending`, else `execute::step_instruction`, else `exception::raise`; see
//! ARCHITECTURE.md. Everything rare (an event, an interrupt to route, a timer, a change of mode) leaves the inner loop,
//! so that an instruction pays a few compares, and a row of plain ones
//! ([`execute::plain`]) pays them once.

use super::{Machine, can_step};
use crate::bus::{Bus, routing};
use crate::cpu::Cpu;
use crate::fault::Trap;
use crate::{exception, execute};
use protocol::event::EventKind;
use protocol::request::StopReason;
use protocol::{Activity, CpuId, Event};
use std::sync::Arc;

pub use crate::bus::STEP_NS;

/// Why a machine cannot go on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All CPUs (or the only one that may step) wait, and no timer wakes one.
    AllWaiting,
    /// A CPU shut down.
    TripleFault {
        /// Which.
        cpu: CpuId,
    },
    /// An instruction or device that this machine lacks. The step was not made, but it may have filled the TLB.
    Unsupported {
        /// Which CPU.
        cpu: CpuId,
        /// What.
        what: String,
    },
    /// The guest switched the machine off.
    PowerOff,
    /// The guest wrote the debug exit port.
    Exit {
        /// Value written.
        value: u8,
    },
}

impl From<Stop> for StopReason {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::AllWaiting => Self::AllWaiting,
            Stop::TripleFault { cpu } => Self::TripleFault { cpu },
            Stop::Unsupported { cpu, what } => Self::Unsupported { cpu, what },
            Stop::Exit { value } => Self::Exit { value },
            Stop::PowerOff => Self::PowerOff,
        }
    }
}

/// How far a run goes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Not beyond this position.
    pub end: u64,
    /// Not beyond so many steps of this CPU, counted since power-on.
    pub cpu_steps: Option<(CpuId, u64)>,
    /// Only this CPU makes steps; the schedule stands still.
    pub only: Option<CpuId>,
}

impl Limits {
    /// To a position.
    pub fn to(end: u64) -> Self {
        Self { end, cpu_steps: None, only: None }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ran {
    /// At one of the [`Limits`].
    Limit,
    /// The observer stopped it before a step.
    Before,
    /// The observer stopped it after a step.
    After,
    /// It cannot go on.
    Stopped(Stop),
}

/// Who looks on. With [`Observer::LOOKS`] false, nothing is asked on the hot path.
pub trait Observer {
    /// [`Observer::stops_before`] and [`Observer::stops_after`] are to be asked.
    const LOOKS: bool;

    /// Asked before each step with the CPU whose turn it is, at this position. True: the run stops here.
    fn stops_before(&mut self, _cpu: &Cpu, _bus: &Bus, _position: u64) -> bool {
        false
    }

    /// Asked after each step that logged an event or hit a watchpoint. True: the run stops here.
    fn stops_after(&mut self, _bus: &mut Bus, _position: u64) -> bool {
        false
    }

    /// Something happened.
    fn event(&mut self, event: Event);

    /// The serial port sent bytes in the step that led to this position.
    fn console(&mut self, position: u64, bytes: &[u8]);
}

/// Nobody looks on.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Observer for Nobody {
    const LOOKS: bool = false;

    fn event(&mut self, _event: Event) {}

    fn console(&mut self, _position: u64, _bytes: &[u8]) {}
}

/// How the inner loop ended.
enum SliceEnd {
    /// All its steps were made.
    Done,
    /// The last step needs [`Machine::finish_step`]: the CPU's mode and activity before it.
    Finish(protocol::Mode, Activity),
    /// The observer stopped it.
    Before,
    /// An instruction that this machine lacks.
    Unsupported(Box<str>),
}

impl Machine {
    /// One step. Err: it could not be made.
    pub fn step(&mut self) -> Result<(), Stop> {
        match self.run(Limits::to(self.state.position + 1), &mut Nobody) {
            Ran::Stopped(stop) if !matches!(stop, Stop::TripleFault { .. } | Stop::Exit { .. } | Stop::PowerOff) => {
                Err(stop)
            }
            _ => Ok(()),
        }
    }

    /// Makes steps until a limit, the observer or the machine itself ends it.
    pub fn run<O: Observer>(&mut self, limits: Limits, observer: &mut O) -> Ran {
        loop {
            let Some(room) = self.room(&limits) else { return Ran::Limit };
            if let Some(stop) = self.still_ended() {
                return Ran::Stopped(stop);
            }
            let before = self.state.schedule;
            let Some((id, slice)) = self.next_slice(limits.only) else {
                let Some(wake_ns) = self.next_wake_ns(limits.only) else { return Ran::Stopped(Stop::AllWaiting) };
                self.bus.clock_ns = self.bus.clock_ns.max(wake_ns);
                self.tick_timers();
                continue;
            };
            let room = match limits.cpu_steps {
                Some((cpu, end)) if cpu == id => room.min(end - self.cpus[usize::from(id.0)].steps),
                _ => room,
            };
            let steps = u64::from(slice).min(room) as u32;
            let (made, end) = self.run_slice(id, steps, observer);
            if made == 0 {
                // Nothing was done with the new slice: the schedule must not show that somebody looked.
                self.state.schedule = before;
            } else {
                self.state.last_cpu = Some(id);
                if limits.only.is_none() {
                    self.state.schedule.spend(made);
                }
            }
            match end {
                SliceEnd::Done => {}
                SliceEnd::Before => return Ran::Before,
                SliceEnd::Unsupported(what) => return Ran::Stopped(Stop::Unsupported { cpu: id, what: what.into() }),
                SliceEnd::Finish(mode, activity) => {
                    self.finish_step(id, mode, activity, observer);
                    if let Some(stop) = self.state.ended.clone() {
                        return Ran::Stopped(stop);
                    }
                    if O::LOOKS && observer.stops_after(&mut self.bus, self.state.position) {
                        return Ran::After;
                    }
                }
            }
        }
    }

    /// Steps that may be made; None: a limit is reached.
    fn room(&self, limits: &Limits) -> Option<u64> {
        let cpu_done = |(cpu, end): (CpuId, u64)| self.cpus[usize::from(cpu.0)].steps >= end;
        let room = limits.end.saturating_sub(self.state.position);
        (room != 0 && !limits.cpu_steps.is_some_and(cpu_done)).then_some(room)
    }

    /// A machine that ended stays so, but a CPU in shutdown may have been sent what leaves it.
    fn still_ended(&mut self) -> Option<Stop> {
        if let Some(Stop::TripleFault { cpu }) = self.state.ended
            && exception::is_due(&self.cpus[usize::from(cpu.0)])
        {
            self.state.ended = None;
        }
        self.state.ended.clone()
    }

    fn next_slice(&mut self, only: Option<CpuId>) -> Option<(CpuId, u32)> {
        if let Some(only) = only {
            return can_step(&self.cpus[usize::from(only.0)]).then_some((only, u32::MAX));
        }
        let cpus = &self.cpus;
        let able = *self.able.get_or_insert_with(|| {
            let mut bits = [0; 4];
            for (index, _) in cpus.iter().enumerate().filter(|(_, cpu)| can_step(cpu)) {
                bits[index / 64] |= 1 << (index % 64);
            }
            bits
        });
        let is_alone = able.iter().map(|bits| bits.count_ones()).sum::<u32>() == 1;
        let able = |id: CpuId| able[usize::from(id.0) / 64] & 1 << (id.0 % 64) != 0;
        let (id, left) = self.state.schedule.slice(self.cpus.len() as u16, able)?;
        Some((id, if is_alone { self.state.schedule.alone() } else { left }))
    }

    /// The hot loop: steps of one CPU until something rare happens. Returns how many were made.
    fn run_slice<O: Observer>(&mut self, id: CpuId, steps: u32, observer: &mut O) -> (u32, SliceEnd) {
        let (bus, first) = (&mut self.bus, self.state.position);
        let cpu = Arc::make_mut(&mut self.cpus[usize::from(id.0)]);
        let (mode, activity) = (cpu.mode(), cpu.activity);
        let serial_waits = !self.state.serial.is_empty();
        let mut made = 0;
        let mut end = SliceEnd::Done;
        while made < steps {
            if O::LOOKS && observer.stops_before(cpu, bus, first + u64::from(made)) {
                end = SliceEnd::Before;
                break;
            }
            bus.extra_ns = 0;
            let start_ns = bus.clock_ns;
            let mut done = 1;
            let is_quiet = exception::is_quiet(cpu);
            if is_quiet || !exception::service_pending(cpu, bus) {
                // What could end the slice before its time, other than the instructions themselves.
                let most = if O::LOOKS || serial_waits || !is_quiet {
                    1
                } else {
                    let ns_left = self.next_deadline_ns.saturating_sub(bus.clock_ns);
                    (ns_left / STEP_NS).clamp(1, u64::from(steps - made)) as u32
                };
                let (count, result) = execute::step_instructions(cpu, bus, most);
                done = count;
                match result {
                    Ok(()) => {}
                    Err(Trap::Fault(fault)) => {
                        // The fault is a step of its own. The chain of a triple fault is in the event; the activity
                        // tells the rest.
                        drop(exception::raise(cpu, bus, *fault));
                        done += 1;
                    }
                    Err(Trap::Unsupported(what)) => end = SliceEnd::Unsupported(what),
                }
            }
            cpu.steps += u64::from(done);
            made += done;
            bus.clock_ns = start_ns + STEP_NS * u64::from(done) + bus.extra_ns;
            if matches!(end, SliceEnd::Unsupported(_)) {
                break;
            }
            if !bus.out.is_empty()
                || bus.clock_ns >= self.next_deadline_ns
                || cpu.mode() != mode
                || cpu.activity != activity
                || cpu.activity != Activity::Running
                || serial_waits
                || O::LOOKS && bus.watch.hit.is_some()
            {
                end = SliceEnd::Finish(mode, activity);
                break;
            }
        }
        self.state.position = first + u64::from(made);
        (made, end)
    }

    /// What a step left to be done: routing, timers, serial input that waited, events, reset, the end.
    #[cold]
    fn finish_step<O: Observer>(&mut self, id: CpuId, mode: protocol::Mode, activity: Activity, observer: &mut O) {
        self.able = None;
        routing::deliver(&mut self.cpus, &mut self.bus);
        if self.bus.out.timers_changed {
            self.look_up_derived();
        }
        if self.bus.clock_ns >= self.next_deadline_ns {
            self.tick_timers();
        }
        if !self.state.serial.is_empty() {
            self.feed_serial();
            routing::deliver(&mut self.cpus, &mut self.bus);
        }
        let cpu = &self.cpus[usize::from(id.0)];
        push_change(&mut self.bus.out.events, id, (mode, activity), cpu);
        if cpu.activity == Activity::Shutdown && activity != Activity::Shutdown {
            self.state.ended = Some(Stop::TripleFault { cpu: id });
        }
        self.count_online();
        let mut events = std::mem::take(&mut self.bus.out.events);
        for (cpu, kind) in events.drain(..) {
            observer.event(self.event(cpu, kind));
        }
        self.bus.out.events = events;
        if !self.bus.out.console.is_empty() {
            observer.console(self.state.position, &self.bus.out.console);
            self.bus.out.console.clear();
        }
        if let Some(value) = self.bus.out.exit.take() {
            self.state.ended = Some(Stop::Exit { value });
        }
        if std::mem::take(&mut self.bus.out.power_off) {
            self.state.ended = Some(Stop::PowerOff);
        }
        self.bus.out.timers_changed = false;
        if let Some(by) = self.bus.out.reset.take() {
            self.reset(id, by).into_iter().for_each(|event| observer.event(event));
        }
    }

    fn count_online(&mut self) {
        let announced = std::mem::take(&mut self.bus.out.online);
        for (cpu, online) in announced {
            let known = &mut self.state.online[usize::from(cpu.0)];
            if std::mem::replace(known, online) != online && online {
                let count = self.online();
                self.bus.out.events.push((cpu, EventKind::Online { count }));
            }
        }
    }
}

/// Events for a change of mode or activity. A CPU in wait-for-SIPI has no mode to speak of: coming out of it is a change
/// from None, going into it is told by the activity alone.
fn push_change(
    events: &mut Vec<(CpuId, EventKind)>,
    id: CpuId,
    (mode, activity): (protocol::Mode, Activity),
    now: &Cpu,
) {
    if now.activity != activity {
        events.push((id, EventKind::Activity { from: activity, to: now.activity }));
    }
    if now.activity == Activity::WaitForSipi {
        return;
    }
    if activity == Activity::WaitForSipi {
        events.push((id, EventKind::Mode { from: None, to: now.mode() }));
    } else if now.mode() != mode {
        events.push((id, EventKind::Mode { from: Some(mode), to: now.mode() }));
    }
}

/// The same, between two states of a CPU.
pub(super) fn push_changes(events: &mut Vec<(CpuId, EventKind)>, before: &Cpu, now: &Cpu) {
    push_change(events, now.id, (before.mode(), before.activity), now);
}

//! What a run looks for: breakpoints and the goal of a request, seen through the eyes of [`Observer`].
//!
//! Forwards a run stops at the first hit after its start; backwards a stretch is run forwards and the last hit before
//! the place where the search began is kept. A hit has the position at which a run stops because of it: an instruction
//! where it would be executed next; a watchpoint after the access forwards, before it backwards; an event where it first
//! lies in the past.

use super::breakpoints::takes;
use super::log::Log;
use crate::bus::Bus;
use crate::cpu::{Cpu, gpr};
use crate::exception;
use crate::inspect::code::{Flow, flow_at};
use crate::machine::{Machine, Observer};
use protocol::breakpoint::{Breakpoint, Condition, EventFilter};
use protocol::{CpuId, Event};

/// What a request asks for beside breakpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Nothing.
    None,
    /// Execution at a linear address, by this CPU or any.
    Address(Option<CpuId>, u64),
    /// An event that the filter takes.
    Event(Option<CpuId>, EventFilter),
    /// This CPU is about to make its step of this number (counted from 0).
    CpuStep(CpuId, u64),
    /// This CPU is about to execute at a linear address with its stack pointer at or above: a call has returned.
    Next { cpu: CpuId, linear: u64, sp: u64 },
    /// This CPU has returned to above this stack pointer.
    Returned { cpu: CpuId, sp: u64 },
    /// Backwards: this CPU is about to execute an instruction with its stack pointer at or above.
    Above { cpu: CpuId, sp: u64 },
    /// Backwards: this CPU comes to this linear address from elsewhere.
    ArrivedAt { cpu: CpuId, linear: u64 },
    /// Backwards: the call (or interrupt) that led to this stack pointer and has not returned.
    CallerOf { cpu: CpuId, sp: u64 },
}

/// Why a position is one to stop at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hit {
    /// A breakpoint: its number and the CPU.
    Breakpoint(u32, CpuId),
    /// The goal.
    Goal,
}

/// What the CPU of a goal was about to do when it was last looked at.
#[derive(Clone, Copy, Debug)]
struct Last {
    position: u64,
    linear: u64,
    sp: u64,
    interrupted: bool,
}

/// One look at a stretch of the run.
#[derive(Clone, Debug)]
pub(super) struct Look {
    goal: Goal,
    execute: Vec<(u64, Option<CpuId>, u32)>,
    events: Vec<(EventFilter, Option<CpuId>, u32)>,
    /// Forwards: the start, where nothing hits. Backwards: the place where the search began; only before it.
    edge: u64,
    backward: bool,
    /// What was hit: the first forwards, the last backwards.
    pub hit: Option<(u64, Hit)>,
    last: Option<Last>,
    /// Backwards, [`Goal::CallerOf`]: calls of this stretch that have not returned, outermost first.
    open_calls: Vec<(u64, u64)>,
    /// The highest stack pointer of the goal's CPU after this stretch, and in it.
    high_sp: u64,
    stretch_high_sp: u64,
    stopped: bool,
}

impl Look {
    pub fn new(goal: Goal, breakpoints: &[Breakpoint], edge: u64, backward: bool) -> Self {
        let mut execute = Vec::new();
        let mut events = Vec::new();
        for point in breakpoints {
            match &point.condition {
                Condition::Execute(linear) => execute.push((linear.0, point.cpu, point.id)),
                Condition::Event(filter) => events.push((filter.clone(), point.cpu, point.id)),
                Condition::Write { .. } | Condition::Read { .. } | Condition::Access { .. } => {}
            }
        }
        let high_sp = match goal {
            Goal::CallerOf { sp, .. } => sp,
            _ => 0,
        };
        Self {
            goal,
            execute,
            events,
            edge,
            backward,
            hit: None,
            last: None,
            open_calls: Vec::new(),
            high_sp,
            stretch_high_sp: 0,
            stopped: false,
        }
    }

    /// There is nothing that could hit; watchpoints aside.
    pub fn is_blind(&self) -> bool {
        self.goal == Goal::None && self.execute.is_empty() && self.events.is_empty()
    }

    /// Only events can hit; watchpoints aside.
    pub fn only_events(&self) -> bool {
        matches!(self.goal, Goal::None | Goal::Event(..)) && self.execute.is_empty()
    }

    /// Where and why the event is one to stop at.
    pub fn event_hit(&self, event: &Event) -> Option<Hit> {
        if let Goal::Event(cpu, filter) = &self.goal
            && takes(filter, *cpu, event)
        {
            return Some(Hit::Goal);
        }
        let hit = self.events.iter().find(|(filter, cpu, _)| takes(filter, *cpu, event));
        hit.map(|&(_, _, id)| Hit::Breakpoint(id, event.cpu))
    }

    /// Hits are collected, not stopped at.
    pub fn is_backward(&self) -> bool {
        self.backward
    }

    /// Told of an event that did not come out of a step.
    pub fn see(&mut self, event: &Event) {
        if let Some(hit) = self.event_hit(event) {
            self.note(event.position.0, hit);
        }
    }

    /// What is still looked for.
    pub fn goal(&self) -> Goal {
        self.goal.clone()
    }

    /// Looks at the position where the machine stands, as a run that went on from here would first.
    pub fn look_here(&mut self, machine: &Machine) {
        if let Some(cpu) = machine.next_cpu().and_then(|cpu| machine.cpu(cpu)) {
            Eye::<true> { look: self, log: None }.stops_before(cpu, machine.bus(), machine.position().0);
        }
    }

    /// Backwards: the next stretch is an earlier one.
    pub fn begin_stretch(&mut self) {
        self.high_sp = self.high_sp.max(self.stretch_high_sp);
        self.stretch_high_sp = 0;
        self.hit = None;
        self.last = None;
        self.open_calls.clear();
    }

    /// Backwards: what the stretch holds, now that it was run to its end. Some goals also need what came of the last step
    /// of their CPU in it.
    pub fn end_stretch(&mut self, machine: &Machine) -> Option<(u64, Hit)> {
        let (Goal::ArrivedAt { cpu, .. } | Goal::CallerOf { cpu, .. }) = self.goal else { return self.hit };
        let Some(cpu) = machine.cpu(cpu) else { return self.hit };
        let (position, interrupted) = (machine.position().0, is_interrupted(cpu));
        if self.goal_before(cpu, machine.bus(), position, cpu.linear_pc(), interrupted) {
            self.note(position, Hit::Goal);
        }
        let open = self.open_calls.iter().rev().find(|&&(_, sp)| sp > self.high_sp);
        let caller = open.map(|&(position, _)| (position, Hit::Goal));
        self.hit = self.hit.max_by_position(caller);
        self.hit
    }

    /// A hit that lies on the right side of the edge is kept; forwards it ends the run.
    fn note(&mut self, position: u64, hit: Hit) -> bool {
        if self.backward {
            if position < self.edge {
                self.hit = self.hit.max_by_position(Some((position, hit)));
            }
            return false;
        }
        if position == self.edge || self.hit.is_some() {
            return false;
        }
        self.hit = Some((position, hit));
        true
    }

    fn goal_before(&mut self, cpu: &Cpu, bus: &Bus, position: u64, linear: u64, interrupted: bool) -> bool {
        let sp = cpu.gpr[gpr::RSP];
        let is_mine = |id: CpuId| id == cpu.id;
        match self.goal {
            Goal::None | Goal::Event(..) => false,
            Goal::Address(only, at) => linear == at && !interrupted && only.is_none_or(is_mine),
            Goal::CpuStep(id, steps) => is_mine(id) && cpu.steps == steps,
            Goal::Next { cpu: id, linear: at, sp: least } => linear == at && is_mine(id) && !interrupted && sp >= least,
            Goal::Above { cpu: id, sp: least } => is_mine(id) && !interrupted && sp >= least,
            Goal::ArrivedAt { cpu: id, linear: at } if is_mine(id) => {
                let before = self.last.replace(Last { position, linear, sp, interrupted });
                linear == at && before.is_some_and(|last| last.linear != at)
            }
            Goal::Returned { cpu: id, sp: above } if is_mine(id) => {
                let before = self.last.replace(Last { position, linear, sp, interrupted });
                let Some(last) = before.filter(|_| sp > above) else { return false };
                if flow_at(cpu, bus, last.linear) == Flow::Return {
                    return true;
                }
                self.goal = Goal::Returned { cpu: id, sp };
                false
            }
            Goal::CallerOf { cpu: id, .. } if is_mine(id) => {
                self.follow_calls(cpu, bus, Last { position, linear, sp, interrupted });
                false
            }
            Goal::ArrivedAt { .. } | Goal::Returned { .. } | Goal::CallerOf { .. } => false,
        }
    }

    /// Keeps the calls that have not returned: one is made where the stack grew by a call, and is over once the stack
    /// pointer is back where it was.
    fn follow_calls(&mut self, cpu: &Cpu, bus: &Bus, now: Last) {
        if let Some(last) = self.last
            && now.sp < last.sp
            && (last.interrupted || flow_at(cpu, bus, last.linear) == Flow::Call)
        {
            self.open_calls.push((last.position, last.sp));
        }
        while self.open_calls.last().is_some_and(|&(_, sp)| now.sp >= sp) {
            self.open_calls.pop();
        }
        self.stretch_high_sp = self.stretch_high_sp.max(now.sp);
        self.last = Some(now);
    }
}

/// The CPU's next step accepts an interrupt, NMI, INIT or SIPI instead of executing the instruction it points at.
pub(super) fn is_interrupted(cpu: &Cpu) -> bool {
    cpu.pending.init || !cpu.interrupt_shadow && exception::is_due(cpu)
}

/// Of two hits the one at the later position.
trait MaxByPosition {
    fn max_by_position(self, other: Self) -> Self;
}

impl MaxByPosition for Option<(u64, Hit)> {
    fn max_by_position(self, other: Self) -> Self {
        match (self, other) {
            (Some(a), Some(b)) => Some(if b.0 > a.0 { b } else { a }),
            (a, b) => a.or(b),
        }
    }
}

/// A [`Look`] as an observer, which also writes the log where the run is a first one. `LOOKS` false: nothing can hit.
pub(super) struct Eye<'a, const LOOKS: bool> {
    pub look: &'a mut Look,
    pub log: Option<&'a mut Log>,
}

impl<const LOOKS: bool> Observer for Eye<'_, LOOKS> {
    const LOOKS: bool = LOOKS;

    #[inline]
    fn stops_before(&mut self, cpu: &Cpu, bus: &Bus, position: u64) -> bool {
        let linear = cpu.linear_pc();
        let mut stops = false;
        if let Some(&(_, _, id)) =
            self.look.execute.iter().find(|(at, only, _)| *at == linear && only.is_none_or(|only| only == cpu.id))
            && !is_interrupted(cpu)
        {
            stops = self.look.note(position, Hit::Breakpoint(id, cpu.id));
        }
        if self.look.goal != Goal::None {
            let interrupted = is_interrupted(cpu);
            if self.look.goal_before(cpu, bus, position, linear, interrupted) {
                stops |= self.look.note(position, Hit::Goal);
            }
        }
        stops
    }

    fn stops_after(&mut self, bus: &mut Bus, position: u64) -> bool {
        if let Some((id, cpu)) = bus.watch.hit.take() {
            let at = if self.look.backward { position - 1 } else { position };
            self.look.stopped |= self.look.note(at, Hit::Breakpoint(id, cpu));
        }
        std::mem::take(&mut self.look.stopped)
    }

    fn event(&mut self, event: Event) {
        if let Some(hit) = self.look.event_hit(&event) {
            self.look.stopped |= self.look.note(event.position.0, hit);
        }
        if let Some(log) = &mut self.log {
            log.push(event);
        }
    }

    fn console(&mut self, position: u64, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log.push_console(position, bytes);
        }
    }
}

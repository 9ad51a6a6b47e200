//! Answers [`Advance`]: runs forwards, and searches backwards.
//!
//! A search takes the recorded run in stretches from checkpoint to checkpoint, the latest first: each is replayed
//! forwards and its last hit counts. A piece of work is bounded by the budget; when it is used up, the machine stands at
//! the beginning of what was searched, and the same request goes on from there.

use super::Timeline;
use super::breakpoints::known;
use super::checkpoint::SPACING;
use super::look::{Goal, Hit, Look, is_interrupted};
use super::seek::Way;
use crate::cpu::{Cpu, gpr};
use crate::inspect::code::{Flow, flow, flow_at, instruction_at};
use crate::machine::{Ran, Stop};
use protocol::request::{Advance, Direction, Refusal, StopReason, Until};
use protocol::{Activity, CpuId};
use std::sync::Arc;

/// Longer stretches are first divided by checkpoints.
const LONG_STRETCH: u64 = 2 * SPACING;

/// A search backwards that is not over yet.
#[derive(Clone, Debug)]
pub(super) struct Search {
    cpu: Option<CpuId>,
    until: Until,
    /// Breakpoints as they were when it began.
    generation: u64,
    /// Everything from here up to where it began was searched. The machine stands here between two pieces of work.
    upper: u64,
    /// Nothing further down is looked at: the run goes here, for this reason.
    lower: u64,
    at_lower: StopReason,
    look: Look,
}

/// A step over or out that used up its budget: where it stands, and what it looks for since it began elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Unfinished {
    cpu: Option<CpuId>,
    until: Until,
    position: u64,
    goal: Goal,
}

/// What a request asks for, in terms of a look.
struct Plan {
    goal: Goal,
    lower: u64,
    at_lower: StopReason,
}

impl Plan {
    fn find(goal: Goal) -> Self {
        Self { goal, lower: 0, at_lower: StopReason::StartOfTime }
    }

    fn go_to(lower: u64) -> Self {
        Self { goal: Goal::None, lower, at_lower: StopReason::Reached }
    }

    /// A search ends where the timeline begins.
    fn not_before(self, first: u64) -> Self {
        Self { lower: self.lower.max(first), ..self }
    }
}

impl Timeline {
    /// One piece of a run, at most `budget` steps of work in either direction; see [`Advance`].
    ///
    /// [`StopReason::Budget`] means that it is not over: the same request again goes on where this one stopped (backwards,
    /// the position may have moved back meanwhile). Only steps are counted from each request's own start: ask for those
    /// that are left. `wanted` is not looked at here.
    ///
    /// # Errors
    /// Where the request makes no sense: no such CPU, input backwards, hold, over or out without CPU.
    pub fn advance(&mut self, request: &Advance) -> Result<StopReason, Refusal> {
        let refuse = |words: &str| Err(Refusal::Invalid(words.into()));
        if let Some(cpu) = request.cpu {
            known(&self.machine, cpu)?;
        } else if request.hold_others {
            return refuse("To hold the others, say which CPU is to run.");
        } else if matches!(request.until, Until::Over | Until::Out) {
            return refuse("Stepping over and out is done by one CPU: say which.");
        }
        match request.direction {
            Direction::Forward => Ok(self.forward(request)),
            Direction::Backward if !request.serial_input.is_empty() || !request.keys.is_empty() => {
                refuse("Input needs a run forwards: the past cannot be written backwards.")
            }
            Direction::Backward => Ok(self.backward(request)),
        }
    }

    fn forward(&mut self, request: &Advance) -> StopReason {
        self.went_back = false;
        self.search = None;
        self.serial_input(&request.serial_input);
        self.press_keys(&request.keys);
        let goes_on = matches!(request.until, Until::Breakpoint | Until::Event(_) | Until::Address(_));
        if goes_on && !request.hold_others && self.position().0 == self.end && self.machine.waits_for_reset() {
            // The chipset resets a PC where a CPU shut down; here it waits until somebody has looked at it.
            self.reset();
        }
        let start = self.position().0;
        let mut way = Way { end: start.saturating_add(request.budget), cpu_steps: None, only: None, through: false };
        if let Some(cpu) = request.cpu.filter(|_| request.hold_others) {
            way.only = Some(cpu);
            match self.journal.hold_at(start).filter(|_| start < self.end) {
                Some((held_for, end)) if held_for == cpu => way.end = way.end.min(end),
                _ if start < self.end => self.branch(start, self.applied),
                _ => {}
            }
        }
        let unfinished = self
            .unfinished
            .take()
            .filter(|run| run.position == start && run.cpu == request.cpu && run.until == request.until);
        let goal = match unfinished {
            Some(run) => run.goal,
            None => self.forward_goal(request, &mut way),
        };
        let mut look = Look::new(goal, self.breakpoints.list(), start, false);
        let ran = self.roll(way, &mut look);
        self.went_back = false;
        if look.hit.is_none() && ran == Ran::Limit && self.forward_limit(request, start, way) == StopReason::Budget {
            // The next piece would take this position for its start and see nothing there.
            look.look_here(&self.machine);
            if look.hit.is_none() && matches!(request.until, Until::Over | Until::Out) {
                let (cpu, until, position) = (request.cpu, request.until.clone(), self.position().0);
                self.unfinished = Some(Unfinished { cpu, until, position, goal: look.goal() });
            }
        }
        match (look.hit, ran) {
            (Some((_, Hit::Breakpoint(id, cpu))), _) => StopReason::Breakpoint { id, cpu },
            (Some((_, Hit::Goal)), _) => StopReason::Reached,
            (None, Ran::Stopped(Stop::AllWaiting)) => match request.cpu {
                Some(cpu) if !matches!(request.until, Until::Breakpoint) => {
                    StopReason::CannotStep { why: self.why_it_waits(cpu) }
                }
                _ => StopReason::AllWaiting,
            },
            (None, Ran::Stopped(stop)) => stop.into(),
            (None, _) => self.forward_limit(request, start, way),
        }
    }

    /// What to look for and how far to go at most.
    fn forward_goal(&self, request: &Advance, way: &mut Way) -> Goal {
        match (&request.until, request.cpu.and_then(|cpu| self.machine.cpu(cpu))) {
            (Until::Steps(steps), Some(cpu)) => way.cpu_steps = Some((cpu.id, cpu.steps.saturating_add(*steps))),
            (Until::Steps(steps), None) => way.end = way.end.min(self.position().0.saturating_add(*steps)),
            (Until::Over, Some(cpu)) => return self.over(cpu, way),
            (Until::Out, Some(cpu)) => return Goal::Returned { cpu: cpu.id, sp: cpu.gpr[gpr::RSP] },
            (Until::Event(filter), _) => return Goal::Event(request.cpu, filter.clone()),
            (Until::Address(linear), _) => return Goal::Address(request.cpu, linear.0),
            (Until::Over | Until::Out | Until::Breakpoint, _) => {}
        }
        Goal::None
    }

    /// Over a call, a REP instruction, HLT or the jump that ends a loop: to the next instruction. Over anything else: a
    /// step.
    fn over(&self, cpu: &Cpu, way: &mut Way) -> Goal {
        let instruction = instruction_at(cpu, &self.machine.bus, cpu.linear_pc());
        let is_plain = matches!(flow(&instruction), Flow::Plain | Flow::Return);
        if is_plain || cpu.activity != Activity::Running || is_interrupted(cpu) {
            way.cpu_steps = Some((cpu.id, cpu.steps + 1));
            return Goal::None;
        }
        let linear = cpu.linear_pc().wrapping_add(instruction.len() as u64);
        Goal::Next { cpu: cpu.id, linear, sp: cpu.gpr[gpr::RSP] }
    }

    /// Which limit ended a run that hit nothing.
    fn forward_limit(&self, request: &Advance, start: u64, way: Way) -> StopReason {
        let made = self.position().0 - start;
        let is_done = match way.cpu_steps {
            Some((cpu, end)) => self.machine.cpu(cpu).is_some_and(|cpu| cpu.steps >= end),
            None => matches!(request.until, Until::Steps(steps) if made >= steps),
        };
        if is_done { StopReason::Reached } else { StopReason::Budget }
    }

    /// What a CPU that cannot step waits for, and what would wake it.
    pub fn why_it_waits(&self, cpu: CpuId) -> String {
        let Some(state) = self.machine.cpu(cpu) else { return format!("There is no {cpu}.") };
        match state.activity {
            Activity::WaitForSipi => format!(
                "{cpu} waits for a start-up IPI, and no other CPU is on its way to send one. Run or step the machine \
                 (CPU 0 sends INIT and SIPI when the kernel starts it)."
            ),
            Activity::Halted if state.rflags & crate::cpu::flags::IF == 0 => {
                format!("{cpu} is halted with interrupts disabled (IF = 0): only an NMI, INIT or a reset wakes it.")
            }
            Activity::Halted => format!(
                "{cpu} is halted and waits for an interrupt, and no timer that would wake it runs. Type something into \
                 the console, send it an IPI from the kernel's shell, or send an NMI."
            ),
            Activity::Shutdown => {
                format!("{cpu} shut down after a triple fault: only an NMI, INIT or a reset wakes it.")
            }
            Activity::Running | Activity::Held => format!("{cpu} is ready to step."),
        }
    }

    fn backward(&mut self, request: &Advance) -> StopReason {
        self.went_back = true;
        let resumed = self.search.take().filter(|search| {
            search.upper == self.position().0
                && search.cpu == request.cpu
                && search.until == request.until
                && search.generation == self.breakpoints.generation
        });
        let mut search = match resumed {
            Some(search) => search,
            None => match self.begin_search(request) {
                Ok(search) => search,
                Err(reason) => return reason,
            },
        };
        match self.search_piece(&mut search, request.budget.max(1)) {
            Some((position, reason)) => {
                self.go_to(position);
                reason
            }
            None => {
                self.go_to(search.upper);
                self.search = Some(search);
                StopReason::Budget
            }
        }
    }

    fn begin_search(&mut self, request: &Advance) -> Result<Search, StopReason> {
        let start = self.position().0;
        if start == self.start().0 {
            return Err(StopReason::StartOfTime);
        }
        let here = self.checkpoint_here();
        let plan = self.backward_plan(request)?;
        let search = Search {
            cpu: request.cpu,
            until: request.until.clone(),
            generation: self.breakpoints.generation,
            upper: start,
            lower: plan.lower,
            at_lower: plan.at_lower,
            look: Look::new(plan.goal, self.breakpoints.list(), start, true),
        };
        if !self.is_settled(&search.look) {
            // The last stretch ends here, and here is where an unfinished search waits.
            self.checkpoints.insert(here);
        }
        Ok(search)
    }

    /// Nothing can hit: there is nothing to replay.
    fn is_settled(&self, look: &Look) -> bool {
        look.is_blind() && self.breakpoints.watchpoints().is_empty()
    }

    fn backward_plan(&mut self, request: &Advance) -> Result<Plan, StopReason> {
        let (start, first) = (self.position().0, self.start().0);
        let cpu = request.cpu.and_then(|cpu| self.machine.cpu(cpu)).cloned();
        Ok(match (&request.until, cpu) {
            (Until::Steps(steps), None) if *steps > start - first => Plan::find(Goal::None),
            (Until::Steps(steps), None) => Plan::go_to(start - steps),
            (Until::Steps(steps), Some(cpu)) => match self.earlier_step(&cpu, *steps) {
                Some(target) => Plan::go_to(self.position_of_step(&cpu, target)?),
                None => Plan::find(Goal::None),
            },
            (Until::Over, Some(cpu)) => self.back_over(&cpu)?,
            (Until::Out, Some(cpu)) => Plan::find(Goal::CallerOf { cpu: cpu.id, sp: cpu.gpr[gpr::RSP] }),
            (Until::Event(filter), _) => {
                let goal = Goal::Event(request.cpu, filter.clone());
                let look = Look::new(goal.clone(), &[], start, true);
                match self.log.last_before(start, |event| look.event_hit(event).is_some()) {
                    Some(position) => Plan::go_to(position),
                    // The log is whole: there is none.
                    None if self.log_is_whole() => Plan::find(Goal::None),
                    None => Plan::find(goal),
                }
            }
            (Until::Address(linear), _) => Plan::find(Goal::Address(request.cpu, linear.0)),
            (Until::Over | Until::Out | Until::Breakpoint, _) => Plan::find(Goal::None),
        }
        .not_before(first))
    }

    /// The number of the step that a CPU made so many steps ago. None: not on this timeline.
    fn earlier_step(&self, cpu: &Cpu, steps: u64) -> Option<u64> {
        cpu.steps.checked_sub(steps).filter(|&step| step >= self.checkpoints.first().snapshot.cpu_steps(cpu.id))
    }

    /// No event of this timeline was dropped from the log.
    fn log_is_whole(&self) -> bool {
        self.log.complete_from() <= self.start()
    }

    /// Where a CPU makes (or is about to make) its step of this number, counted from 0.
    fn position_of_step(&mut self, cpu: &Cpu, number: u64) -> Result<u64, StopReason> {
        if number == cpu.steps {
            return Ok(self.position().0);
        }
        let end = self.position().0;
        let nearest = Arc::clone(self.checkpoints.before_cpu_step(cpu.id, number));
        self.restore(&nearest);
        // Breakpoints are not looked at: the stretch in between is searched for them afterwards.
        let mut look = Look::new(Goal::CpuStep(cpu.id, number), &[], u64::MAX, false);
        let way = Way { cpu_steps: Some((cpu.id, number + 1)), ..Way::replay(end) };
        self.roll(way, &mut look);
        Ok(self.position().0)
    }

    /// To before the instruction that led here; to before the call if that was a return; to before the first iteration of
    /// a REP instruction.
    fn back_over(&mut self, cpu: &Cpu) -> Result<Plan, StopReason> {
        let Some(last) = self.earlier_step(cpu, 1) else { return Err(StopReason::StartOfTime) };
        let position = self.position_of_step(cpu, last)?;
        let before = self.machine.cpu(cpu.id).expect("CPUs do not vanish");
        let linear = before.linear_pc();
        if before.activity != Activity::Running || is_interrupted(before) {
            return Ok(Plan::go_to(position));
        }
        Ok(match flow_at(before, &self.machine.bus, linear) {
            Flow::Return => Plan::find(Goal::Above { cpu: cpu.id, sp: cpu.gpr[gpr::RSP] }),
            Flow::Rep => Plan::find(Goal::ArrivedAt { cpu: cpu.id, linear }),
            _ => Plan::go_to(position),
        })
    }

    /// Searches until something is found, or the lower end is reached, or the budget is used up (None).
    fn search_piece(&mut self, search: &mut Search, budget: u64) -> Option<(u64, StopReason)> {
        if self.is_settled(&search.look) {
            return Some((search.lower, search.at_lower.clone()));
        }
        let watches = !self.breakpoints.watchpoints().is_empty();
        if search.look.only_events() && !watches && self.log_is_whole() {
            return Some(self.search_log(search));
        }
        let mut left = budget;
        while search.upper > search.lower {
            let nearest = Arc::clone(self.checkpoints.before(search.upper - 1));
            let stretch = search.upper - nearest.position();
            self.restore(&nearest);
            if stretch > LONG_STRETCH {
                let divide = nearest.position() + left.max(SPACING).min(stretch - SPACING);
                self.go_to(divide);
                let checkpoint = self.checkpoint_here();
                self.checkpoints.insert(checkpoint);
                left = left.saturating_sub(divide - nearest.position());
            } else {
                search.look.begin_stretch();
                self.roll(Way::replay(search.upper), &mut search.look);
                let found = search.look.end_stretch(&self.machine);
                if let Some((position, hit)) = found.filter(|&(position, _)| position >= search.lower) {
                    return Some((position, reason(hit)));
                }
                search.upper = nearest.position();
                left = left.saturating_sub(stretch);
            }
            if left == 0 && search.upper > search.lower {
                return None;
            }
        }
        Some((search.lower, search.at_lower.clone()))
    }

    fn search_log(&self, search: &Search) -> (u64, StopReason) {
        let found = self.log.last_before(search.upper, |event| search.look.event_hit(event).is_some());
        let Some(position) = found.filter(|&position| position >= search.lower) else {
            return (search.lower, search.at_lower.clone());
        };
        let here = self.log.events(protocol::Position(position - 1), protocol::Position(position), usize::MAX);
        let hit = here.iter().find_map(|event| search.look.event_hit(event)).unwrap_or(Hit::Goal);
        (position, reason(hit))
    }
}

fn reason(hit: Hit) -> StopReason {
    match hit {
        Hit::Breakpoint(id, cpu) => StopReason::Breakpoint { id, cpu },
        Hit::Goal => StopReason::Reached,
    }
}

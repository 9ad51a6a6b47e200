//! vCont: what gdb wants run, and running it in bounded pieces.
//!
//! gdbstub hands over a vCont action by action ([`Plan`]); `resume` turns them into a [`Run`], which the driver moves on
//! with [`Target::run_piece`] until there is a stop to report. A stop that is no breakpoint of gdb's own is a plain
//! SIGTRAP (gdb runs on silently from others), with a line of text that tells why.

use super::breakpoints::Kind;
use super::target::{Target, cpu_of, tid};
use gdbstub::common::{Signal, Tid};
use gdbstub::stub::MultiThreadStopReason;
use gdbstub::target::ext::base::multithread::{
    MultiThreadRangeStepping, MultiThreadRangeSteppingOps, MultiThreadResume, MultiThreadSchedulerLocking,
    MultiThreadSchedulerLockingOps, MultiThreadSingleStep, MultiThreadSingleStepOps,
};
use gdbstub::target::ext::base::reverse_exec::{ReplayLogPosition, ReverseContOps, ReverseStepOps};
use protocol::CpuId;
use protocol::request::{Advance, Direction, Refusal, StopReason, Until, Wanted};
use std::convert::Infallible;
use std::ops::Range;

/// Machine steps that `stepi` of a CPU that waits may take before it gives up: seconds of host time.
const WAIT_BUDGET_STEPS: u64 = 200_000_000;

/// Actions of a vCont.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    step: Option<CpuId>,
    range: Option<(CpuId, Range<u64>)>,
    resumed: Vec<CpuId>,
    locked: bool,
}

/// What gdb wants run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// One step of a CPU, the others held or not.
    Step {
        /// Which.
        cpu: CpuId,
        /// The others are held.
        hold: bool,
        /// Machine steps spent so far.
        spent: u64,
    },
    /// Steps of a CPU until it leaves a range of linear addresses.
    Range {
        /// Which.
        cpu: CpuId,
        /// Where it stays.
        range: Range<u64>,
        /// The others are held.
        hold: bool,
        /// Machine steps spent in the step that runs.
        spent: u64,
    },
    /// Until something stops it; with only one CPU running or all.
    Continue {
        /// The only one that runs.
        only: Option<CpuId>,
    },
    /// One step of a CPU is taken back.
    StepBack {
        /// Which.
        cpu: CpuId,
    },
    /// Back to a breakpoint.
    ContinueBack,
}

/// What became of a piece of a run.
#[derive(Clone, Copy, Debug)]
pub enum Piece {
    /// It is not over.
    GoesOn,
    /// It is not over, but only input from outside can move it.
    Idle,
    /// It is over; to be told to gdb.
    Stopped(MultiThreadStopReason<u64>),
}

impl Run {
    fn request(&self, budget: u64) -> Advance {
        let (cpu, hold_others, direction, until) = match *self {
            Self::Step { cpu, hold, .. } | Self::Range { cpu, hold, .. } => {
                (Some(cpu), hold, Direction::Forward, Until::Steps(1))
            }
            Self::Continue { only } => (only, only.is_some(), Direction::Forward, Until::Breakpoint),
            Self::StepBack { cpu } => (Some(cpu), false, Direction::Backward, Until::Steps(1)),
            Self::ContinueBack => (None, false, Direction::Backward, Until::Breakpoint),
        };
        let wanted = Wanted::default();
        Advance { cpu, hold_others, direction, until, budget, serial_input: Vec::new(), keys: Vec::new(), wanted }
    }

    fn cpu(&self) -> Option<CpuId> {
        match self {
            Self::Step { cpu, .. } | Self::Range { cpu, .. } | Self::StepBack { cpu } => Some(*cpu),
            Self::Continue { only } => *only,
            Self::ContinueBack => None,
        }
    }

    /// It goes back.
    pub fn is_backward(&self) -> bool {
        matches!(self, Self::StepBack { .. } | Self::ContinueBack)
    }
}

impl Target {
    /// Runs what gdb wants, for at most so many steps. `input_can_come`: a machine in which all wait is no stop, since
    /// somebody may still type.
    pub fn run_piece(&mut self, budget: u64, input_can_come: bool) -> Piece {
        let Some(run) = self.run.clone() else { return Piece::Idle };
        let before = self.timeline.position().0;
        let reason = match self.timeline.advance(&run.request(budget)) {
            Ok(reason) => reason,
            Err(refusal) => {
                self.said.push(refusal_in_words(&refusal));
                return Piece::Stopped(self.stop(run.cpu()));
            }
        };
        match &reason {
            StopReason::Budget => self.spend(run, self.timeline.position().0.abs_diff(before)),
            StopReason::Reached => match run {
                Run::Range { cpu, ref range, hold, .. } if self.is_inside(cpu, range) => {
                    self.run = Some(Run::Range { cpu, range: range.clone(), hold, spent: 0 });
                    Piece::GoesOn
                }
                _ => Piece::Stopped(self.stop(run.cpu())),
            },
            StopReason::AllWaiting if input_can_come && !run.is_backward() => Piece::Idle,
            _ => Piece::Stopped(self.stop_for(&run, &reason)),
        }
    }

    fn is_inside(&self, cpu: CpuId, range: &Range<u64>) -> bool {
        self.timeline.machine().cpu(cpu).is_some_and(|cpu| range.contains(&cpu.linear_pc()))
    }

    /// A piece is used up. A CPU whose step does not come must not keep gdb for ever.
    fn spend(&mut self, mut run: Run, steps: u64) -> Piece {
        if let Run::Step { cpu, spent, .. } | Run::Range { cpu, spent, .. } = &mut run {
            *spent += steps;
            if *spent >= WAIT_BUDGET_STEPS {
                let cpu = *cpu;
                self.said
                    .push(format!("{cpu} waits, and nothing woke it in {WAIT_BUDGET_STEPS} steps of the machine."));
                return Piece::Stopped(self.stop(Some(cpu)));
            }
        }
        self.run = Some(run);
        Piece::GoesOn
    }

    fn stop_for(&mut self, run: &Run, reason: &StopReason) -> MultiThreadStopReason<u64> {
        match reason {
            StopReason::Breakpoint { id, cpu } => {
                let tid = tid(*cpu);
                match self.breakpoints.iter().find(|point| point.id == *id).map(|point| (point.kind, point.linear)) {
                    Some((Kind::Software, _)) => MultiThreadStopReason::SwBreak(tid),
                    Some((Kind::Hardware, _)) => MultiThreadStopReason::HwBreak(tid),
                    Some((Kind::Watch(kind, _), addr)) => MultiThreadStopReason::Watch { tid, kind, addr },
                    None => {
                        self.said.push(format!("{cpu}: breakpoint {id}, which another client set."));
                        self.stop(Some(*cpu))
                    }
                }
            }
            StopReason::StartOfTime => self.log_end(run, ReplayLogPosition::Begin),
            StopReason::EndOfRecording if run.is_backward() => self.log_end(run, ReplayLogPosition::Begin),
            StopReason::EndOfRecording => self.log_end(run, ReplayLogPosition::End),
            StopReason::TripleFault { cpu } => {
                self.say_reason(reason);
                self.stop(Some(*cpu))
            }
            StopReason::Unsupported { cpu, .. } => {
                self.say_reason(reason);
                self.stop(Some(*cpu))
            }
            _ => {
                self.say_reason(reason);
                self.stop(run.cpu())
            }
        }
    }

    fn say_reason(&mut self, reason: &StopReason) {
        self.said.extend(crate::server::narrate::stop(reason));
    }

    fn log_end(&self, run: &Run, pos: ReplayLogPosition) -> MultiThreadStopReason<u64> {
        MultiThreadStopReason::ReplayLog { tid: Some(tid(self.focus(run.cpu()))), pos }
    }

    /// A plain SIGTRAP on the CPU that was asked for, or that moved.
    fn stop(&self, cpu: Option<CpuId>) -> MultiThreadStopReason<u64> {
        MultiThreadStopReason::SignalWithThread { tid: tid(self.focus(cpu)), signal: Signal::SIGTRAP }
    }

    /// The stop that answers ^C.
    pub fn interrupted(&self) -> MultiThreadStopReason<u64> {
        let cpu = self.run.as_ref().and_then(Run::cpu);
        MultiThreadStopReason::SignalWithThread { tid: tid(self.focus(cpu)), signal: Signal::SIGINT }
    }

    /// Which CPU to show: the one asked for, else the one that moved, else the one that will.
    fn focus(&self, cpu: Option<CpuId>) -> CpuId {
        // A client may name a thread that there is not.
        let cpu = cpu.filter(|&cpu| self.timeline.machine().cpu(cpu).is_some());
        cpu.or(self.timeline.moved_cpu()).or(self.timeline.machine().next_cpu()).unwrap_or_default()
    }
}

/// Why the timeline would not.
pub(crate) fn refusal_in_words(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Invalid(why) => why.clone(),
        Refusal::GdbDrives => "gdb is attached and drives the machine; take over first".into(),
        Refusal::NothingToUndo => "there is no edit to take back".into(),
        Refusal::Crashed(why) => {
            format!("the machine's thread crashed: {why}. This is a bug in Firstlight; restart the machine")
        }
        Refusal::Version(version) => format!("the server speaks version {version} of the vendor packets"),
    }
}

impl MultiThreadResume for Target {
    fn resume(&mut self) -> Result<(), Infallible> {
        let plan = std::mem::take(&mut self.plan);
        let hold = plan.locked;
        self.run = Some(match plan {
            Plan { step: Some(cpu), .. } => Run::Step { cpu, hold, spent: 0 },
            Plan { range: Some((cpu, range)), .. } => Run::Range { cpu, range, hold, spent: 0 },
            // Locked with several CPUs is no command that gdb has in all-stop mode; all run then.
            Plan { resumed, locked: true, .. } if resumed.len() == 1 => {
                Run::Continue { only: resumed.first().copied() }
            }
            _ => Run::Continue { only: None },
        });
        Ok(())
    }

    fn clear_resume_actions(&mut self) -> Result<(), Infallible> {
        self.plan = Plan::default();
        Ok(())
    }

    // Signals are gdb's idea of a Unix process: a CPU has none to be sent.
    fn set_resume_action_continue(&mut self, tid: Tid, _signal: Option<Signal>) -> Result<(), Infallible> {
        self.plan.resumed.push(cpu_of(tid));
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<MultiThreadSingleStepOps<'_, Self>> {
        Some(self)
    }

    fn support_range_step(&mut self) -> Option<MultiThreadRangeSteppingOps<'_, Self>> {
        Some(self)
    }

    fn support_reverse_step(&mut self) -> Option<ReverseStepOps<'_, Tid, Self>> {
        Some(self)
    }

    fn support_reverse_cont(&mut self) -> Option<ReverseContOps<'_, Tid, Self>> {
        Some(self)
    }

    fn support_scheduler_locking(&mut self) -> Option<MultiThreadSchedulerLockingOps<'_, Self>> {
        Some(self)
    }
}

impl MultiThreadSingleStep for Target {
    fn set_resume_action_step(&mut self, tid: Tid, _signal: Option<Signal>) -> Result<(), Infallible> {
        self.plan.step = Some(cpu_of(tid));
        Ok(())
    }
}

impl MultiThreadRangeStepping for Target {
    fn set_resume_action_range_step(&mut self, tid: Tid, start: u64, end: u64) -> Result<(), Infallible> {
        self.plan.range = Some((cpu_of(tid), start..end));
        Ok(())
    }
}

impl MultiThreadSchedulerLocking for Target {
    fn set_resume_action_scheduler_lock(&mut self) -> Result<(), Infallible> {
        self.plan.locked = true;
        Ok(())
    }
}

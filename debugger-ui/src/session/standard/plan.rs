//! What a run on a server that is not ours is for, and when it has come there. Such a server steps and runs; stepping over
//! a call, out of a function and to an address are put together here from steps and a breakpoint of our own.

use protocol::breakpoint::{Breakpoint, Condition};
use protocol::request::{Advance, StopReason, Until};
use protocol::{CpuId, CpuState, LinearAddr};

/// Most steps on the way out of a function.
const MOST_STEPS: u32 = 100_000;

/// A run under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it is for.
    pub until: Until,
    /// Whose steps count; None: whoever comes.
    pub cpu: Option<CpuId>,
    /// The others stand still.
    pub hold_others: bool,
    /// Our own breakpoint, where one is set.
    pub target: Option<LinearAddr>,
    /// The step under way leaves the function.
    pub leaves: bool,
    steps: u32,
}

/// What comes after a stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// The run is over.
    Over(StopReason),
    /// Another CPU came to our breakpoint: on.
    GoOn,
    /// The CPU has made its step, or has come back from a call: the next one.
    Next,
}

impl Plan {
    /// Begins a run.
    pub fn new(advance: &Advance) -> Self {
        Self {
            until: advance.until.clone(),
            cpu: advance.cpu,
            hold_others: advance.hold_others,
            target: None,
            leaves: false,
            steps: 0,
        }
    }

    /// A CPU has stopped by SIGTRAP, here is its state; these are the user's breakpoints.
    pub fn stopped(&mut self, state: &CpuState, breakpoints: &[Breakpoint]) -> After {
        let at = state.linear_pc();
        let mine = self.cpu.is_none_or(|cpu| cpu == state.cpu);
        let hit = breakpoints.iter().find(|known| known.condition == Condition::Execute(at));
        let hit = hit.map(|hit| StopReason::Breakpoint { id: hit.id, cpu: state.cpu });
        if self.target == Some(at) && !mine {
            return hit.map_or(After::GoOn, After::Over);
        }
        match self.until {
            Until::Out if mine && !self.leaves => {
                self.steps += 1;
                match hit {
                    Some(hit) => After::Over(hit),
                    None if self.steps >= MOST_STEPS => After::Over(StopReason::Budget),
                    None => After::Next,
                }
            }
            Until::Breakpoint => After::Over(hit.unwrap_or(StopReason::None)),
            _ if mine && (self.target.is_none() || self.target == Some(at)) => After::Over(StopReason::Reached),
            _ => After::Over(hit.unwrap_or(StopReason::None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Mode;
    use protocol::request::{Direction, Wanted};

    fn plan(until: Until, cpu: Option<u16>) -> Plan {
        Plan::new(&Advance {
            cpu: cpu.map(CpuId),
            hold_others: false,
            direction: Direction::Forward,
            until,
            budget: 0,
            serial_input: Vec::new(),
            keys: Vec::new(),
            wanted: Wanted::default(),
        })
    }

    fn at(cpu: u16, ip: u64) -> CpuState {
        CpuState { cpu: CpuId(cpu), ip, mode: Mode::Long, ..CpuState::default() }
    }

    /// Goal: a run over a call ends where its CPU comes back, not where another comes by; method: both, and a breakpoint
    /// of the user on the way.
    #[test]
    fn over() {
        let mut over = plan(Until::Over, Some(1));
        over.target = Some(LinearAddr(0x105));
        let breakpoint = Breakpoint { id: 7, cpu: None, condition: Condition::Execute(LinearAddr(0x200)) };
        let breakpoints = std::slice::from_ref(&breakpoint);
        assert_eq!(over.stopped(&at(0, 0x105), breakpoints), After::GoOn);
        assert_eq!(over.stopped(&at(1, 0x105), breakpoints), After::Over(StopReason::Reached));
        let hit = StopReason::Breakpoint { id: 7, cpu: CpuId(1) };
        assert_eq!(over.stopped(&at(1, 0x200), breakpoints), After::Over(hit));
    }

    /// Goal: the way out of a function goes on until a return was executed; method: steps, then the return.
    #[test]
    fn out() {
        let mut out = plan(Until::Out, Some(0));
        assert_eq!(out.stopped(&at(0, 0x100), &[]), After::Next);
        out.leaves = true;
        assert_eq!(out.stopped(&at(0, 0x900), &[]), After::Over(StopReason::Reached));
    }
}

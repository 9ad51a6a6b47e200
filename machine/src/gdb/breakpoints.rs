//! gdb's breakpoints and watchpoints: the timeline's, never bytes in RAM, so that Z0 and Z1 are the same.

use super::target::Target;
use gdbstub::target::TargetResult;
use gdbstub::target::ext::breakpoints::{
    Breakpoints, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint, SwBreakpointOps, WatchKind,
};
use protocol::LinearAddr;
use protocol::breakpoint::Condition;

/// What gdb set, so that a hit can be told in its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Z0.
    Software,
    /// Z1.
    Hardware,
    /// Z2 to Z4, with the length in bytes.
    Watch(WatchKind, u64),
}

/// A breakpoint of gdb's.
#[derive(Clone, Copy, Debug)]
pub(super) struct GdbBreakpoint {
    pub linear: u64,
    pub kind: Kind,
    /// The timeline's number.
    pub id: u32,
}

impl Target {
    fn set(&mut self, linear: u64, kind: Kind) -> TargetResult<bool, Self> {
        // gdb sets a breakpoint again that it has, for example after a reconnect: it must be there once.
        if self.breakpoints.iter().any(|point| point.linear == linear && point.kind == kind) {
            return Ok(true);
        }
        let at = LinearAddr(linear);
        let condition = match kind {
            Kind::Software | Kind::Hardware => Condition::Execute(at),
            Kind::Watch(WatchKind::Write, len) => Condition::Write { linear: at, len },
            Kind::Watch(WatchKind::Read, len) => Condition::Read { linear: at, len },
            Kind::Watch(WatchKind::ReadWrite, len) => Condition::Access { linear: at, len },
        };
        let Ok(point) = self.timeline.set_breakpoint(None, condition) else { return Ok(false) };
        self.breakpoints.push(GdbBreakpoint { linear, kind, id: point.id });
        Ok(true)
    }

    fn clear(&mut self, linear: u64, kind: Kind) -> TargetResult<bool, Self> {
        let found = self.breakpoints.iter().position(|point| point.linear == linear && point.kind == kind);
        let Some(index) = found else { return Ok(false) };
        let point = self.breakpoints.swap_remove(index);
        Ok(self.timeline.clear_breakpoint(point.id).is_ok())
    }

    /// gdb is gone: so are its breakpoints.
    pub fn clear_gdb_breakpoints(&mut self) {
        for point in std::mem::take(&mut self.breakpoints) {
            // One that another client removed meanwhile is gone already.
            let _ = self.timeline.clear_breakpoint(point.id);
        }
    }
}

impl Breakpoints for Target {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Target {
    fn add_sw_breakpoint(&mut self, linear: u64, _kind: usize) -> TargetResult<bool, Self> {
        self.set(linear, Kind::Software)
    }

    fn remove_sw_breakpoint(&mut self, linear: u64, _kind: usize) -> TargetResult<bool, Self> {
        self.clear(linear, Kind::Software)
    }
}

impl HwBreakpoint for Target {
    fn add_hw_breakpoint(&mut self, linear: u64, _kind: usize) -> TargetResult<bool, Self> {
        self.set(linear, Kind::Hardware)
    }

    fn remove_hw_breakpoint(&mut self, linear: u64, _kind: usize) -> TargetResult<bool, Self> {
        self.clear(linear, Kind::Hardware)
    }
}

impl HwWatchpoint for Target {
    fn add_hw_watchpoint(&mut self, linear: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        self.set(linear, Kind::Watch(kind, len))
    }

    fn remove_hw_watchpoint(&mut self, linear: u64, len: u64, kind: WatchKind) -> TargetResult<bool, Self> {
        self.clear(linear, Kind::Watch(kind, len))
    }
}

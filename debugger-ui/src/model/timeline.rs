//! Where in the run we stand, what happened up to where it was run, and where the user has been.

use protocol::event::Event;
use protocol::request::StopReason;
use protocol::{CpuId, Position};

/// Position, clock, events, history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Where we stand.
    pub position: Position,
    /// The last position that was run: beyond it nothing is known.
    pub end: Position,
    /// The machine's clock in nanoseconds since power-on.
    pub clock_ns: u64,
    /// Whose turn is next.
    pub next_cpu: Option<CpuId>,
    /// Who made the last step.
    pub moved_cpu: Option<CpuId>,
    /// Why we stopped here.
    pub reason: Option<StopReason>,
    /// Changes with each restart, edit and undo.
    pub epoch: u64,
    /// An edit can be taken back.
    pub can_undo: bool,
    /// Events in order, up to where they were read; those after `position` are the recorded future.
    pub events: Vec<Event>,
    /// Events are known up to here.
    pub events_to: Position,
    /// Where the user was before jumps in time.
    pub back: Vec<Position>,
    /// Where the user was after them.
    pub forward: Vec<Position>,
}

impl Timeline {
    /// The events that lie in the past of where we stand.
    pub fn past(&self) -> &[Event] {
        &self.events[..self.events.partition_point(|event| event.position <= self.position)]
    }

    /// The recorded future's events.
    pub fn future(&self) -> &[Event] {
        &self.events[self.events.partition_point(|event| event.position <= self.position)..]
    }
}

/// An event as a line for lists: "step 1204311  CPU 0  sends SIPI 9A to CPU 1".
pub fn event_words(_event: &Event) -> String {
    String::new()
}

/// A count in words: "1.2 M", "38 k", "117".
pub fn count_words(count: u64) -> String {
    count.to_string()
}

/// A time span in words: "10 ms", "200 us".
pub fn time_words(ns: u64) -> String {
    format!("{ns} ns")
}

/// A position with its digits in groups: "1 204 311".
pub fn position_words(position: Position) -> String {
    position.to_string()
}

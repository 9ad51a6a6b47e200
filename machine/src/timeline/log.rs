//! Events and console output by position. Written once, when a position is reached for the first time; a replay makes
//! the same again and is not asked. "At or before now" is a prefix.
//!
//! Bounded: beyond `MAX_EVENTS` events or `MAX_CONSOLE` bytes the oldest eighth is dropped, and the log says from
//! which position (or offset) on it is complete. Console offsets go on counting.

use protocol::request::ConsoleText;
use protocol::{Event, Position};
use std::collections::VecDeque;

/// Events kept: some 150 MB.
const MAX_EVENTS: usize = 1 << 20;
/// Console bytes kept.
const MAX_CONSOLE: usize = 1 << 22;

/// The log of a timeline.
#[derive(Clone, Debug, Default)]
pub struct Log {
    events: VecDeque<Event>,
    /// Events dropped from the front, and the position of the last of them.
    dropped_events: u64,
    complete_from: u64,
    console: VecDeque<ConsoleByte>,
    dropped_console: u64,
}

/// A byte of output and the position after the step that sent it.
#[derive(Clone, Copy, Debug)]
struct ConsoleByte {
    position: u64,
    byte: u8,
}

/// A place in the log: so many events and bytes since power-on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    events: u64,
    console: u64,
}

/// What came after a mark.
#[derive(Clone, Debug)]
pub(super) struct Tail {
    mark: Mark,
    events: VecDeque<Event>,
    console: VecDeque<ConsoleByte>,
}

impl Log {
    /// An empty log that goes on from `now`: nothing before it is told, console offsets go on counting.
    pub(super) fn after(&self, now: Position) -> Self {
        Self { complete_from: now.0, dropped_console: self.mark(now).console, ..Self::default() }
    }

    pub(super) fn push(&mut self, event: Event) {
        if self.events.len() == MAX_EVENTS {
            let old = self.events.drain(..MAX_EVENTS / 8).next_back();
            self.complete_from = old.map_or(self.complete_from, |event| event.position.0);
            self.dropped_events += MAX_EVENTS as u64 / 8;
        }
        self.events.push_back(event);
    }

    pub(super) fn push_console(&mut self, position: u64, bytes: &[u8]) {
        if self.console.len() + bytes.len() > MAX_CONSOLE {
            let old = self.console.drain(..MAX_CONSOLE / 8).count();
            self.dropped_console += old as u64;
        }
        self.console.extend(bytes.iter().map(|&byte| ConsoleByte { position, byte }));
    }

    /// Events after this position are all here.
    pub fn complete_from(&self) -> Position {
        Position(self.complete_from)
    }

    fn events_until(&self, position: Position) -> usize {
        self.events.partition_point(|event| event.position <= position)
    }

    /// Events with `from < position <= to`, oldest first; of more than `limit` the newest.
    pub fn events(&self, from: Position, to: Position, limit: usize) -> Vec<Event> {
        let (start, end) = (self.events_until(from), self.events_until(to));
        let start = start.max(end.saturating_sub(limit));
        self.events.range(start.min(end)..end).cloned().collect()
    }

    /// There is an event with `from < position <= to` that `takes`.
    pub(super) fn any(&self, from: u64, to: u64, takes: impl Fn(&Event) -> bool) -> bool {
        let (start, end) = (self.events_until(Position(from)), self.events_until(Position(to)));
        self.events.range(start.min(end)..end).any(takes)
    }

    /// The last position before `before` with an event that `takes`.
    pub(super) fn last_before(&self, before: u64, takes: impl Fn(&Event) -> bool) -> Option<u64> {
        let end = self.events.partition_point(|event| event.position.0 < before);
        self.events.range(..end).rev().find(|event| takes(event)).map(|event| event.position.0)
    }

    /// Output from an offset on, as of `now`.
    pub fn console(&self, offset: u64, now: Position) -> ConsoleText {
        let end = self.console.partition_point(|byte| byte.position <= now.0);
        let start = (offset.saturating_sub(self.dropped_console) as usize).min(end);
        ConsoleText {
            offset: self.dropped_console + start as u64,
            bytes: self.console.range(start..end).map(|byte| byte.byte).collect(),
            total: self.dropped_console + end as u64,
        }
    }

    /// The place after everything that happened up to `now`.
    pub(super) fn mark(&self, now: Position) -> Mark {
        Mark {
            events: self.dropped_events + self.events_until(now) as u64,
            console: self.dropped_console + self.console.partition_point(|byte| byte.position <= now.0) as u64,
        }
    }

    /// Takes away what came after a mark.
    pub(super) fn split_off(&mut self, mark: Mark) -> Tail {
        let events = (mark.events.saturating_sub(self.dropped_events) as usize).min(self.events.len());
        let console = (mark.console.saturating_sub(self.dropped_console) as usize).min(self.console.len());
        Tail { mark, events: self.events.split_off(events), console: self.console.split_off(console) }
    }

    /// Puts a tail back in place of what came after its mark since.
    pub(super) fn rejoin(&mut self, tail: Tail) {
        self.split_off(tail.mark);
        self.events.extend(tail.events);
        self.console.extend(tail.console);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{CpuId, EventKind};

    fn event(position: u64) -> Event {
        Event {
            position: Position(position),
            clock_ns: 0,
            cpu: CpuId(0),
            kind: EventKind::Interrupt { vector: position as u8 },
        }
    }

    /// Goal: only what lies at or before now is seen, and a tail comes back; method: split in the middle of two events of
    /// one position, and rejoin over something else.
    #[test]
    fn prefix_and_tail() {
        let mut log = Log::default();
        [1, 3, 3, 8].into_iter().for_each(|position| log.push(event(position)));
        log.push_console(2, b"ab");
        log.push_console(5, b"c");
        assert_eq!(log.events(Position(1), Position(3), 9), [event(3), event(3)]);
        assert_eq!(log.events(Position(0), Position(8), 1), [event(8)]);
        assert_eq!(log.console(1, Position(4)), ConsoleText { offset: 1, bytes: b"b".to_vec(), total: 2 });
        assert_eq!(log.last_before(8, |_| true), Some(3));
        let tail = log.split_off(log.mark(Position(2)));
        log.push(event(4));
        log.push_console(4, b"xyz");
        log.rejoin(tail);
        assert_eq!(log.events(Position(0), Position(9), 9), [event(1), event(3), event(3), event(8)]);
        assert_eq!(log.console(0, Position(9)).bytes, b"abc");
    }
}

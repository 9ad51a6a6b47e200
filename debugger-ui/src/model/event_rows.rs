//! The event list with repetitions folded: what happens again and again in the same way, as the ticks of a timer do, is
//! shown once, with how often.

use super::timeline::Timeline;
use protocol::event::Event;
use std::ops::Range;

/// Longest pattern that is looked for, in events.
const LONGEST: usize = 4;
/// So often a pattern must come in a row to be folded.
const LEAST: usize = 3;

/// A row of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventRow {
    /// This event.
    One(usize),
    /// What the rows above show came again: these events are not shown.
    Again {
        /// They are.
        events: Range<usize>,
        /// Events in the pattern.
        pattern: usize,
        /// How often the pattern came in all, the shown one counted.
        times: usize,
    },
}

impl EventRow {
    /// The (last) event of the row: where going to it leads.
    pub fn event(&self) -> usize {
        match self {
            Self::One(at) => *at,
            Self::Again { events, .. } => events.end.saturating_sub(1),
        }
    }
}

/// The rows of all known events, or of the past ones alone. A fold does not reach over NOW, and what the user opened
/// stays open.
pub fn rows(timeline: &Timeline, past_only: bool, open: impl Fn(usize) -> bool) -> Vec<EventRow> {
    let past = timeline.past().len();
    let mut out = Vec::new();
    fold(&timeline.events[..past], 0, &open, &mut out);
    if !past_only {
        fold(&timeline.events[past..], past, &open, &mut out);
    }
    out
}

fn fold(events: &[Event], base: usize, open: &impl Fn(usize) -> bool, out: &mut Vec<EventRow>) {
    let mut at = 0;
    while at < events.len() {
        let found = (1..=LONGEST).map(|pattern| (pattern, times(&events[at..], pattern))).find(|(_, n)| *n >= LEAST);
        let (shown, hidden) = match found {
            Some((pattern, times)) => (pattern, (times - 1) * pattern),
            None => (1, 0),
        };
        out.extend((at..at + shown).map(|at| EventRow::One(base + at)));
        let events = base + at + shown..base + at + shown + hidden;
        if open(events.start) {
            out.extend(events.clone().map(EventRow::One));
        } else if hidden > 0 {
            out.push(EventRow::Again { events, pattern: shown, times: hidden / shown + 1 });
        }
        at += shown + hidden;
    }
}

/// How often the first `pattern` events come in a row.
fn times(events: &[Event], pattern: usize) -> usize {
    let Some(first) = events.get(..pattern) else { return 0 };
    let alike = |chunk: &[Event]| chunk.iter().zip(first).all(|(one, other)| same(one, other));
    events.chunks_exact(pattern).take_while(|chunk| alike(chunk)).count()
}

/// The same thing on the same CPU, whenever.
fn same(one: &Event, other: &Event) -> bool {
    one.cpu == other.cpu && one.kind == other.kind
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::event::EventKind;
    use protocol::{Activity, CpuId, Position};

    /// h: halts, w: wakes, i: interrupt.
    fn timeline(text: &str, past: usize) -> Timeline {
        let (halted, running) = (Activity::Halted, Activity::Running);
        let event = |(at, sign): (usize, char)| Event {
            position: Position(at as u64 + 1),
            clock_ns: 0,
            cpu: CpuId(0),
            kind: match sign {
                'h' => EventKind::Activity { from: running, to: halted },
                'w' => EventKind::Activity { from: halted, to: running },
                _ => EventKind::Interrupt { vector: 0x20 },
            },
        };
        let events = text.chars().enumerate().map(event).collect();
        Timeline { position: Position(past as u64), events, ..Timeline::default() }
    }

    fn shape(text: &str, past: usize) -> String {
        let row = |row: EventRow| match row {
            EventRow::One(at) => text[at..=at].to_owned(),
            EventRow::Again { pattern, times, .. } => format!("({pattern}x{times})"),
        };
        rows(&timeline(text, past), false, |_| false).into_iter().map(row).collect()
    }

    /// Goal: repetitions fold, also of several events, and nothing else does; method: rows as letters.
    #[test]
    fn folding() {
        assert_eq!(shape("iiiii", 5), "i(1x5)");
        assert_eq!(shape("hwihwihwih", 10), "hwi(3x3)h");
        assert_eq!(shape("ii", 2), "ii");
        assert_eq!(shape("hwiihw", 6), "hwiihw");
        assert_eq!(shape("", 0), "");
    }

    /// Goal: NOW parts a fold, and an opened one is shown; method: four ticks, two of them past; an open one.
    #[test]
    fn now_and_open() {
        assert_eq!(shape("iiiiiii", 3), "i(1x3)i(1x4)");
        let open = rows(&timeline("iiii", 4), false, |at| at == 1);
        assert_eq!(open, [0, 1, 2, 3].map(EventRow::One));
        assert_eq!(rows(&timeline("iiii", 1), true, |_| false), [EventRow::One(0)]);
        assert_eq!(EventRow::Again { events: 1..4, pattern: 1, times: 4 }.event(), 3);
    }
}

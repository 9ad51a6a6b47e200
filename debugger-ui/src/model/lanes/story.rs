//! From events to columns and tracks. While the run only grows, only its new events are looked at.

use super::{Arrow, Column, ColumnKind, Lanes, Mark, MarkKind, Now};
use crate::model::cpus::{Cpus, mode_phrase};
use crate::model::timeline::{Timeline, count_words, ipi_label, time_words};
use protocol::event::{ControlRegister, Event, EventKind};
use protocol::{Activity, CpuId, Mode, PhysAddr, Position};
use std::collections::BTreeSet;

/// A stretch of at least so many steps without events becomes a column of its own.
const GAP_STEPS: u64 = 256;
/// Parts that an opened gap has.
const SLICES: u64 = 8;
/// Time per step, in nanoseconds, above which a stretch is waiting and not work: a PAUSE takes 1000, a step 10.
const WAITING_NS: u64 = 50;
/// CR0.PG.
const CR0_PG: u64 = 1 << 31;

/// What is remembered between updates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Story {
    /// One for each CPU.
    pub tracks: Vec<Track>,
    epoch: u64,
    events: usize,
    visits: usize,
    /// The gaps that were open.
    open: BTreeSet<Position>,
    /// Position and clock of the last column.
    last: (Position, u64),
}

impl Story {
    /// Of tracks that were made without events: nothing to go on from.
    pub(super) fn of(tracks: Vec<Track>) -> Self {
        Self { tracks, ..Self::default() }
    }
}

/// One CPU's way through the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Track {
    /// Changes, by column: from there on it stands like this.
    pub stands: Vec<(usize, Stand)>,
    /// Marks.
    pub marks: Vec<Mark>,
    cr0: u64,
    cr3: u64,
}

/// How a CPU stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stand {
    pub activity: Activity,
    pub mode: Mode,
    pub root: Option<PhysAddr>,
}

/// Brings columns, arrows and tracks up to what the timeline knows.
pub(super) fn extend(lanes: &mut Lanes, timeline: &Timeline, cpus: &Cpus) {
    let story = &lanes.story;
    let grows = story.epoch == timeline.epoch
        && story.events <= timeline.events.len()
        && story.visits == timeline.visits.len()
        && story.open == lanes.open
        && story.tracks.len() == cpus.states.len();
    if !grows {
        begin(lanes, timeline, cpus);
    }
    if matches!(lanes.columns.last(), Some(Column { kind: ColumnKind::Tail { .. }, .. })) {
        lanes.columns.pop();
    }
    let fresh = lanes.story.events;
    let mut at = fresh;
    let mut visits = timeline.visits.range(Position(lanes.story.last.0.0 + 1)..).peekable();
    while at < timeline.events.len() {
        let position = timeline.events[at].position;
        while let Some((&visited, visit)) = visits.next_if(|(visited, _)| **visited < position) {
            gap(lanes, visited, None);
            push_label(lanes, visited, visit.label.clone());
        }
        visits.next_if(|(visited, _)| **visited == position);
        let last = at + timeline.events[at..].iter().take_while(|event| event.position == position).count();
        gap(lanes, position, Some(timeline.events[at].clock_ns));
        push_events(lanes, timeline, at..last);
        at = last;
    }
    for (&visited, visit) in visits {
        gap(lanes, visited, None);
        push_label(lanes, visited, visit.label.clone());
    }
    lanes.story.events = timeline.events.len();
    tail(lanes, timeline);
}

fn begin(lanes: &mut Lanes, timeline: &Timeline, cpus: &Cpus) {
    lanes.arrows.clear();
    lanes.columns.clear();
    let kind = ColumnKind::Start;
    lanes.columns.push(Column { kind, from: Position(0), to: Position(0), label: "power-on".to_owned() });
    lanes.story = Story {
        tracks: cpus.states.iter().map(|cpu| first_stand(cpu, &timeline.events)).collect(),
        epoch: timeline.epoch,
        events: 0,
        visits: timeline.visits.len(),
        open: lanes.open.clone(),
        last: (Position(0), 0),
    };
}

/// How a CPU stood at power-on: before its first changes, or as it stands where nothing has changed.
fn first_stand(cpu: &protocol::CpuState, events: &[Event]) -> Track {
    let (mut activity, mut mode, mut cr0, mut cr3) = (None, None, None, None);
    for event in events.iter().filter(|event| event.cpu == cpu.cpu) {
        match event.kind {
            EventKind::Activity { from, .. } => activity = activity.or(Some(from)),
            EventKind::Mode { from, .. } => mode = mode.or(Some(from.unwrap_or(Mode::Real))),
            EventKind::Cr { register: ControlRegister::Cr0, old, .. } => cr0 = cr0.or(Some(old)),
            EventKind::Cr { register: ControlRegister::Cr3, old, .. } => cr3 = cr3.or(Some(old)),
            _ => {}
        }
    }
    let (cr0, cr3) = (cr0.unwrap_or(cpu.cr0), cr3.unwrap_or(cpu.cr3));
    let activity = activity.unwrap_or(cpu.activity);
    let stand = Stand { activity, mode: mode.unwrap_or(cpu.mode), root: root(cr0, cr3) };
    Track { stands: vec![(0, stand)], marks: Vec::new(), cr0, cr3 }
}

fn root(cr0: u64, cr3: u64) -> Option<PhysAddr> {
    (cr0 & CR0_PG != 0).then_some(PhysAddr(cr3 & 0x000f_ffff_ffff_f000))
}

/// A gap column, if there are enough steps between the last column and this position.
fn gap(lanes: &mut Lanes, next: Position, clock_ns: Option<u64>) {
    let (last, last_ns) = lanes.story.last;
    let steps = next.0.saturating_sub(last.0);
    if steps >= GAP_STEPS {
        let ns = clock_ns.map_or(0, |clock| clock.saturating_sub(last_ns));
        let label = gap_words(&lanes.story.tracks, steps, ns);
        let (from, to) = (Position(last.0 + 1), Position(next.0 - 1));
        if lanes.open.contains(&from) {
            slices(lanes, from, to, &label);
        } else {
            lanes.columns.push(Column { kind: ColumnKind::Gap { steps, ns }, from, to, label });
        }
    }
    lanes.story.last = (next, clock_ns.unwrap_or(last_ns));
}

/// An opened gap: equal parts of its steps, to go to. There is no event in them, else there would be no gap.
fn slices(lanes: &mut Lanes, gap: Position, to: Position, words: &str) {
    let steps = to.0 - gap.0 + 1;
    for part in 0..SLICES {
        let from = Position(gap.0 + steps * part / SLICES);
        let to = Position(gap.0 + steps * (part + 1) / SLICES - 1);
        let label = format!("part {} of {SLICES} of: {words}. No event lies inside", part + 1);
        lanes.columns.push(Column { kind: ColumnKind::Slice { part, gap }, from, to, label });
    }
}

fn gap_words(tracks: &[Track], steps: u64, ns: u64) -> String {
    let runs = |track: &&Track| track.stands.last().is_some_and(|(_, stand)| stand.activity == Activity::Running);
    let running: Vec<usize> = tracks.iter().enumerate().filter(|(_, track)| runs(track)).map(|(cpu, _)| cpu).collect();
    let waits = ns / steps.max(1) > WAITING_NS;
    let who = match (running.as_slice(), waits) {
        ([], _) => "all CPUs wait".to_owned(),
        ([one], true) => format!("CPU {one} waits"),
        ([one], false) => format!("CPU {one} runs"),
        (many, true) => format!("{} CPUs wait", many.len()),
        (many, false) => format!("{} CPUs run", many.len()),
    };
    let time = if ns == 0 { String::new() } else { format!(" {},", time_words(ns)) };
    format!("{who}{time} {} steps", count_words(steps))
}

fn push_label(lanes: &mut Lanes, position: Position, label: String) {
    lanes.columns.push(Column { kind: ColumnKind::Label, from: position, to: position, label });
}

fn push_events(lanes: &mut Lanes, timeline: &Timeline, range: std::ops::Range<usize>) {
    let column = lanes.columns.len();
    let events = &timeline.events[range.clone()];
    let position = events[0].position;
    let label = timeline.visits.get(&position).map(|visit| visit.label.clone());
    let label = label.unwrap_or_else(|| column_words(events));
    lanes.columns.push(Column { kind: ColumnKind::Event, from: position, to: position, label });
    for (event, at) in events.iter().zip(range) {
        if let EventKind::Ipi { delivery, from, to, vector, ignored } = event.kind {
            let label = ipi_label(delivery, vector);
            lanes.arrows.push(Arrow { column, from, to, label, delivery, ignored: ignored.map(|why| why.words()) });
            continue;
        }
        if let Some(track) = lanes.story.tracks.get_mut(usize::from(event.cpu.0)) {
            apply(track, column, at, &event.kind);
        }
    }
}

/// The register that an edit wrote, where it decides the root: CR0 (true) or CR3, and its new value.
fn edited(what: &str) -> Option<(bool, u64)> {
    let (whose, values) = what.split_once(": ")?;
    let (_, register) = whose.rsplit_once(' ')?;
    let value = u64::from_str_radix(values.rsplit_once("-> ")?.1, 16).ok()?;
    match register {
        "cr0" => Some((true, value)),
        "cr3" => Some((false, value)),
        _ => None,
    }
}

fn apply(track: &mut Track, column: usize, event: usize, kind: &EventKind) {
    let mut stand = track.stands.last().map(|(_, stand)| *stand).unwrap_or_default();
    let mark = match kind {
        EventKind::Mode { to, .. } => {
            stand.mode = *to;
            None
        }
        EventKind::Activity { to, .. } => {
            stand.activity = *to;
            if *to == Activity::WaitForSipi {
                // INIT clears CR0.PG and CR3 (SDM 3A, processor state after INIT) whether or not that was logged.
                (track.cr0, track.cr3) = (0, 0);
            }
            None
        }
        EventKind::Cr { register, new, .. } => {
            match register {
                ControlRegister::Cr0 => track.cr0 = *new,
                ControlRegister::Cr3 => track.cr3 = *new,
                _ => {}
            }
            Some(MarkKind::Register)
        }
        EventKind::DescriptorTable { .. } => Some(MarkKind::Register),
        EventKind::Interrupt { .. } => Some(MarkKind::Interrupt),
        EventKind::Fault { .. } => Some(MarkKind::Fault),
        EventKind::FarTransfer { .. } => Some(MarkKind::FarTransfer),
        EventKind::TripleFault { .. } => Some(MarkKind::TripleFault),
        EventKind::Online { .. } => Some(MarkKind::Online),
        EventKind::Edit { what } => {
            if let Some((cr0, value)) = edited(what) {
                *(if cr0 { &mut track.cr0 } else { &mut track.cr3 }) = value;
            }
            Some(MarkKind::Edit)
        }
        EventKind::Reset { .. } => Some(MarkKind::Reset),
        EventKind::Ipi { .. } => None,
    };
    stand.root = root(track.cr0, track.cr3);
    if let Some(kind) = mark {
        track.marks.push(Mark { column, event, kind });
    }
    match track.stands.last_mut() {
        Some((_, last)) if *last == stand => {}
        Some((from, last)) if *from == column => *last = stand,
        _ => track.stands.push((column, stand)),
    }
}

/// A few words for an event column: its most telling event.
fn column_words(events: &[Event]) -> String {
    let rank = |event: &&Event| match &event.kind {
        EventKind::TripleFault { .. } => 0,
        EventKind::Fault { .. } => 1,
        EventKind::Ipi { .. } => 2,
        EventKind::Mode { .. } => 3,
        EventKind::Online { .. } => 4,
        EventKind::Cr { .. } => 5,
        EventKind::Activity { .. } => 6,
        _ => 7,
    };
    let Some(event) = events.iter().min_by_key(rank) else { return String::new() };
    match &event.kind {
        EventKind::Ipi { delivery, to, vector, .. } => match to {
            Some(CpuId(to)) => format!("{} to CPU {to}", ipi_label(*delivery, *vector)),
            None => format!("{} to nobody", ipi_label(*delivery, *vector)),
        },
        EventKind::Mode { to, .. } => mode_phrase(*to).to_owned(),
        EventKind::Online { count } => format!("{count} online"),
        EventKind::Cr { register, .. } => register.word().to_uppercase(),
        EventKind::DescriptorTable { register, .. } => register.word().to_uppercase(),
        EventKind::Activity { to, .. } => crate::model::cpus::activity_phrase(*to).to_owned(),
        EventKind::Fault { vector, error, .. } => crate::model::timeline::fault_name(*vector, *error),
        EventKind::TripleFault { .. } => "triple fault".to_owned(),
        EventKind::Interrupt { vector } => format!("interrupt {vector:02x}"),
        EventKind::FarTransfer { to_cs, .. } => format!("CS {to_cs:04x}"),
        EventKind::Edit { .. } => "your edit".to_owned(),
        EventKind::Reset { .. } => "reset".to_owned(),
    }
}

/// The stretch from the last event to the end of what was run.
fn tail(lanes: &mut Lanes, timeline: &Timeline) {
    let last = lanes.story.last.0;
    let steps = timeline.end.0.saturating_sub(last.0);
    if steps > 0 {
        let from = Position(last.0 + 1);
        let label = format!("{} steps", count_words(steps));
        lanes.columns.push(Column { kind: ColumnKind::Tail { steps }, from, to: timeline.end, label });
    }
}

/// Where a position lies among the columns.
pub(super) fn now(columns: &[Column], position: Position) -> Now {
    let after = columns.partition_point(|column| column.from <= position);
    let Some(at) = after.checked_sub(1) else { return Now::default() };
    let column = &columns[at];
    let share = |part: u64, whole: u64| part as f32 / whole.max(1) as f32;
    if position <= column.to {
        let steps = column.to.0 - column.from.0;
        let inside = if steps == 0 { 1.0 } else { share(position.0 - column.from.0 + 1, steps + 2) };
        return Now { column: at, inside };
    }
    let next = columns.get(after).map_or(position.0 + 1, |next| next.from.0);
    Now { column: after, inside: share(position.0 - column.to.0, next - column.to.0) }
}

#[cfg(test)]
mod tests;

//! Lanes from the story of one AP: INIT, a long wait, SIPI, a second SIPI that is ignored, real to long mode.

use super::*;
use crate::model::symbols::Symbols;
use protocol::CpuState;
use protocol::event::{Delivery, Ignored};

fn event(position: u64, cpu: u16, kind: EventKind) -> Event {
    Event { position: Position(position), clock_ns: position * 10, cpu: CpuId(cpu), kind }
}

fn ipi(position: u64, delivery: Delivery, ignored: Option<Ignored>) -> Event {
    let kind = EventKind::Ipi { delivery, from: CpuId(0), to: Some(CpuId(1)), vector: 0x9a, ignored };
    event(position, 0, kind)
}

fn cr(position: u64, register: ControlRegister, old: u64, new: u64) -> Event {
    event(position, 1, EventKind::Cr { register, old, new })
}

fn boot() -> Vec<Event> {
    let mut wait = ipi(1_000_100, Delivery::Sipi, None);
    wait.clock_ns = 1_000_000_000;
    let mut events = vec![
        ipi(100, Delivery::Init, None),
        wait,
        event(1_000_101, 1, EventKind::Activity { from: Activity::WaitForSipi, to: Activity::Running }),
        event(1_000_101, 1, EventKind::Mode { from: None, to: Mode::Real }),
        ipi(1_000_140, Delivery::Sipi, Some(Ignored::NotInWaitForSipi)),
        cr(1_000_150, ControlRegister::Cr0, 0x10, 0x11),
        event(1_000_150, 1, EventKind::Mode { from: Some(Mode::Real), to: Mode::Protected16 }),
        cr(1_000_160, ControlRegister::Cr3, 0, 0x9c000),
        cr(1_000_170, ControlRegister::Cr0, 0x11, 0x8000_0011),
        event(1_000_170, 1, EventKind::Mode { from: Some(Mode::Protected16), to: Mode::Compat }),
    ];
    events.iter_mut().skip(2).for_each(|event| event.clock_ns = 1_000_000_000 + event.position.0);
    events
}

fn cpus(count: u16) -> Cpus {
    let state = |cpu| CpuState {
        cpu: CpuId(cpu),
        activity: if cpu == 0 { Activity::Running } else { Activity::WaitForSipi },
        ..CpuState::default()
    };
    Cpus { states: (0..count).map(state).collect(), selected: CpuId(1), ..Cpus::default() }
}

fn timeline(events: Vec<Event>, position: u64) -> Timeline {
    let end = events.last().map_or(Position(0), |event| event.position);
    let mut timeline = Timeline { position: Position(position), end, epoch: 1, ..Timeline::default() };
    timeline.take_events(events, end);
    timeline
}

fn lanes(timeline: &Timeline, cpus: &Cpus) -> Lanes {
    let mut lanes = Lanes::default();
    lanes.update(timeline, cpus, &Symbols::default());
    lanes
}

/// Goal: long stretches fold into a gap with words, short ones do not; method: the boot's columns.
#[test]
fn columns() {
    let lanes = lanes(&timeline(boot(), 100), &cpus(2));
    let labels: Vec<&str> = lanes.columns.iter().map(|column| column.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "power-on",
            "INIT to CPU 1",
            "CPU 0 waits 999 ms, 1.0 M steps",
            "SIPI 9A to CPU 1",
            "real mode",
            "SIPI 9A to CPU 1",
            "protected mode, 16-bit",
            "CR3",
            "compatibility mode",
        ]
    );
}

/// Goal: a lane shows activity, mode and root over the columns; method: CPU 1's segments.
#[test]
fn segments() {
    let lanes = lanes(&timeline(boot(), 0), &cpus(2));
    let told: Vec<_> =
        lanes.rows[1].segments.iter().map(|s| (s.from, s.to, s.activity.unwrap(), s.mode.unwrap(), s.root)).collect();
    let root = Some(PhysAddr(0x9c000));
    assert_eq!(
        told,
        [
            (0, 4, Activity::WaitForSipi, Mode::Real, None),
            (4, 6, Activity::Running, Mode::Real, None),
            (6, 8, Activity::Running, Mode::Protected16, None),
            (8, 9, Activity::Running, Mode::Compat, root),
        ]
    );
    assert_eq!(Lanes::visible(&lanes.rows[1], &(5..7)).len(), 2);
}

/// Goal: IPIs are arrows, an ignored one says why; method: the three of the boot.
#[test]
fn arrows() {
    let lanes = lanes(&timeline(boot(), 0), &cpus(2));
    let told: Vec<_> = lanes.arrows.iter().map(|arrow| (arrow.column, arrow.label.as_str(), arrow.ignored)).collect();
    assert_eq!(told, [(1, "INIT", None), (3, "SIPI 9A", None), (5, "SIPI 9A", Some("not in wait-for-SIPI"))]);
    assert_eq!(lanes.visible_arrows(&(2..4)).len(), 1);
}

/// Goal: NOW lies where the position lies; method: at an event, in the gap, between two columns, at the end.
#[test]
fn now_among_columns() {
    let columns = lanes(&timeline(boot(), 0), &cpus(2)).columns;
    let at = |position| {
        let now = now(&columns, Position(position));
        (now.column, (now.inside * 10.0).round() as u8)
    };
    assert_eq!(at(0), (0, 10));
    assert_eq!(at(100), (1, 10));
    assert_eq!(at(500_100), (2, 5));
    assert_eq!(at(1_000_145), (6, 5));
    assert_eq!(at(1_000_170), (8, 10));
}

/// Goal: growing step by step gives the same lanes as looking at all at once, also over an edit; method: compare.
#[test]
fn growing_is_the_same() {
    let cpus = cpus(2);
    let all = boot();
    let mut grown = Lanes::default();
    // Answers end at positions: events of one position come together.
    for count in [0, 1, 2, 4, 5, 7, 8, 10] {
        let mut part = timeline(all[..count].to_vec(), 0);
        part.end = part.end.max(Position(50));
        grown.update(&part, &cpus, &Symbols::default());
    }
    assert_eq!(grown, lanes(&timeline(all.clone(), 0), &cpus));
    let mut edited = timeline(all[..4].to_vec(), 1_000_101);
    edited.epoch = 2;
    grown.update(&edited, &cpus, &Symbols::default());
    assert_eq!(grown, lanes(&edited, &cpus));
}

/// Goal: a label where the user stopped is a column; method: stop between two events.
#[test]
fn labels() {
    let mut timeline = timeline(boot(), 1_000_155);
    timeline.visit(CpuId(1), "tr_load_cr3".to_owned());
    let lanes = lanes(&timeline, &cpus(2));
    let labels: Vec<&str> = lanes.columns[6..9].iter().map(|column| column.label.as_str()).collect();
    assert_eq!(labels, ["protected mode, 16-bit", "tr_load_cr3", "CR3"]);
    assert_eq!((lanes.now.column, lanes.now.inside), (7, 1.0));
}

/// Goal: CPUs that stand alike fold from 5 on, the selected one stays open; method: 64 CPUs, CPU 1 selected.
#[test]
fn folding() {
    let lanes = lanes(&timeline(boot(), 0), &cpus(64));
    let labels: Vec<&str> = lanes.rows.iter().map(|row| row.label.as_str()).collect();
    assert_eq!(labels, ["CPU 0", "CPU 1", "CPU 2-63: real, wait-for-SIPI, none"]);
    assert_eq!(lanes.row_of(CpuId(40)), Some(2));
    assert!(lanes.rows[1].selected);
}

/// Goal: cheap with 64 CPUs; method: count what one more step looks at: 20 000 events are not gone through again.
#[test]
fn growth_looks_at_new_events_only() {
    let cpus = cpus(64);
    let halt = |at: u64| {
        let (from, to) = (Activity::Halted, Activity::Running);
        let (from, to) = if at.is_multiple_of(2) { (from, to) } else { (to, from) };
        event(at * 10, (at % 64) as u16, EventKind::Activity { from, to })
    };
    let mut timeline = timeline((1..20_000).map(halt).collect(), 0);
    let mut lanes = lanes(&timeline, &cpus);
    let before = lanes.columns.len();
    // A past event that changed would be seen by a rebuild: growing must not look at it.
    timeline.events[0].kind = EventKind::Online { count: 1 };
    timeline.take_events(vec![halt(20_000)], Position(200_000));
    timeline.end = Position(200_000);
    lanes.update(&timeline, &cpus, &Symbols::default());
    assert_eq!(lanes.columns.len(), before + 1);
    assert_ne!(lanes.columns[1].label, "1 online");
}

/// Goal: an opened gap has parts to go to, which cover it and say that nothing lies inside, and closes again; method:
/// the boot's gap.
#[test]
fn opening_a_gap() {
    let (timeline, cpus) = (timeline(boot(), 100), cpus(2));
    let closed = lanes(&timeline, &cpus);
    let gap = closed.gap_at(2).unwrap();
    let mut open = closed.clone();
    open.open.insert(gap);
    open.update(&timeline, &cpus, &Symbols::default());
    assert_eq!(open.columns.len(), closed.columns.len() + 7);
    let parts = &open.columns[2..10];
    assert_eq!((parts[0].from, parts[7].to), (closed.columns[2].from, closed.columns[2].to));
    assert!(parts.windows(2).all(|pair| pair[1].from.0 == pair[0].to.0 + 1));
    assert!(parts[3].label.ends_with("No event lies inside"), "{}", parts[3].label);
    assert_eq!((open.gap_at(5), open.gap_at(1)), (Some(gap), None));
    open.open.remove(&gap);
    open.update(&timeline, &cpus, &Symbols::default());
    assert_eq!(open.columns, closed.columns);
}

/// Goal: a root that was edited is the one that the lane tells; method: edits of CR3 and CR0, and others, in the words that
/// the server has for them.
#[test]
fn edited_roots() {
    assert_eq!(edited("CPU 1 cr3: 0008e000 -> 00000000"), Some((false, 0)));
    assert_eq!(edited("CPU 1 cr0: 80050033 -> 00050033"), Some((true, 0x5_0033)));
    assert_eq!(edited("CPU 1 cr4: 000006a0 -> 00000680"), None);
    assert_eq!(edited("8 bytes at phys 00001000"), None);
}

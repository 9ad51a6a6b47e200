//! The whole way from a command to the model, over an in-memory pipe, against a server that answers as ours does.

mod fake;

use super::*;
use crate::command::{Command, apply};
use crate::model::connection::Link;
use crate::model::outbox::Purpose;
use crate::platform::Moment;
use fake::Fake;
use protocol::request::{Direction, StopReason};
use protocol::{CpuId, LinearAddr, Position};
use std::time::Duration;

/// Pumps until the model is as it shall be.
fn until(session: &mut Session, model: &mut Model, what: &str, done: impl Fn(&Model) -> bool) {
    let begun = Moment::now();
    while !done(model) {
        session.wait(model, Duration::from_millis(5));
        assert!(begun.elapsed() < Duration::from_secs(20), "never {what}: {:?}", model.connection.link);
    }
}

fn started(fake: Fake) -> (Session, Model) {
    let mut session = Session::start(fake.target(), || {}).unwrap();
    let mut model = Model::default();
    until(&mut session, &mut model, "connected", |model| model.connection.ready() && model.cpus.states.len() == 2);
    (session, model)
}

/// Goal: a step goes out as an advance and comes back as state, sentence and code; method: s and Shift+S.
#[test]
fn step_and_back() {
    let (mut session, mut model) = started(Fake::default());
    for (direction, position) in [(Direction::Forward, 101), (Direction::Backward, 100)] {
        apply(Command::StepCpu(direction), &mut model);
        until(&mut session, &mut model, "stopped", |model| {
            model.connection.ready() && model.timeline.position == Position(position)
        });
    }
    until(&mut session, &mut model, "code came", |model| model.code.current.is_some());
    assert_eq!(model.code.cpu, CpuId(0));
}

/// Goal: a run is many advances, shown as it goes, and Pause ends it soon; method: run a machine that never stops.
#[test]
fn run_and_pause() {
    let (mut session, mut model) = started(Fake::default());
    apply(Command::Run(Direction::Forward), &mut model);
    until(&mut session, &mut model, "under way", |model| model.timeline.position > Position(1_000_000));
    assert!(model.connection.long_run());
    apply(Command::TypeConsole(b"hi".to_vec()), &mut model);
    until(&mut session, &mut model, "echoed", |model| model.console.lines.join("").contains("hi"));
    apply(Command::Pause, &mut model);
    until(&mut session, &mut model, "paused", |model| model.connection.ready());
    assert_eq!(model.timeline.reason, Some(StopReason::Interrupted));
}

/// Goal: an answer of many pages is put together; method: a tree larger than a page.
#[test]
fn pages() {
    let (mut session, mut model) = started(Fake::default());
    let from = protocol::request::Place::Phys(protocol::PhysAddr(0));
    let request = protocol::request::Request::Memory { from, len: protocol::request::MAX_MEMORY };
    model.outbox.read(Purpose::BlobBase(0), request);
    // The model has no blob 0 and leaves the answer out; that it came whole shows in that nothing was lost.
    apply(Command::StepMachine(Direction::Forward), &mut model);
    until(&mut session, &mut model, "stepped", |model| model.timeline.position == Position(101));
    assert!(model.connection.ready());
}

/// Goal: garbage, a closed connection and a panic are states with words, and reconnecting works; method: each.
#[test]
fn trouble() {
    let lost = |fake: Fake| {
        let mut session = Session::start(fake.target(), || {}).unwrap();
        let mut model = Model::default();
        until(&mut session, &mut model, "lost", |model| {
            matches!(model.connection.link, Link::Lost { .. } | Link::Crashed { .. })
        });
        let link = model.connection.link.clone();
        apply(Command::Reconnect, &mut model);
        until(&mut session, &mut model, "connected again", |model| model.connection.ready());
        link
    };
    let words = |link: Link| match link {
        Link::Lost { why } => why,
        other => format!("{other:?}"),
    };
    assert!(words(lost(Fake { garbage: true, ..Fake::default() })).contains("does not speak gdb's remote protocol"));
    assert!(words(lost(Fake { closes: true, ..Fake::default() })).contains("ended the connection"));
    assert_eq!(
        lost(Fake { panics: true, ..Fake::default() }),
        Link::Crashed { message: "guest ate the host".to_owned() }
    );
}

/// Goal: a server that is not ours is served by gdb's own packets, its code is decoded here; method: step one that has
/// nothing else, over a call, and back, which it cannot.
#[test]
fn standard_server() {
    let mut session = Session::start(fake::plain_gdb_server(false), || {}).unwrap();
    let mut model = Model::default();
    until(&mut session, &mut model, "connected", |model| model.connection.ready() && model.cpus.states.len() == 2);
    assert!(!model.connection.offers.vendor && !model.connection.offers.story && !model.connection.offers.tables);
    assert!(model.connection.offers.foreign.as_ref().is_some_and(|foreign| foreign.cpus.contains("worked out")));
    assert_eq!(model.cpus.states[1].cr0, 0x11);
    assert_eq!(model.cpus.states[1].mode, protocol::Mode::Protected32);
    let call =
        |model: &Model| model.code.instruction_at(LinearAddr(0x1000)).is_some_and(|line| line.intel.contains("call"));
    until(&mut session, &mut model, "code came", call);
    apply(Command::Over(Direction::Forward), &mut model);
    until(&mut session, &mut model, "over", |model| model.connection.ready() && model.cpus.states[0].ip == 0x1003);
    assert_eq!(model.timeline.position, Position(1), "a stop, not a step, is counted");
    apply(Command::StepCpu(Direction::Forward), &mut model);
    until(&mut session, &mut model, "stepped", |model| model.connection.ready() && model.cpus.states[0].ip == 0x1004);
    apply(Command::ShowPageTables(true), &mut model);
    assert!(model.page_tables.views[0].empty.as_deref().is_some_and(|why| why.contains("Not available")));
    apply(Command::StepCpu(Direction::Backward), &mut model);
    until(&mut session, &mut model, "refused", |model| model.narrator.sentence.contains("cannot go back"));
    apply(Command::Event(Direction::Forward), &mut model);
    until(&mut session, &mut model, "refused", |model| model.narrator.sentence.contains("Set a breakpoint"));
}

/// Goal: what QEMU's monitor tells makes modes certain, and halted CPUs are known; method: a server that has it, and
/// physical memory.
#[test]
fn qemu_like_server() {
    let mut session = Session::start(fake::plain_gdb_server(true), || {}).unwrap();
    let mut model = Model::default();
    until(&mut session, &mut model, "connected", |model| model.connection.ready() && model.cpus.states.len() == 2);
    assert!(model.connection.offers.tables && model.connection.offers.hidden_state);
    assert_eq!(model.cpus.states[1].mode, protocol::Mode::Protected16, "CS.D is 0");
    assert_eq!(model.cpus.states[1].activity, protocol::Activity::Halted);
    assert_eq!(model.lanes.columns.len(), 1);
    let request = protocol::request::Request::Memory {
        from: protocol::request::Place::Phys(protocol::PhysAddr(0x1000)),
        len: protocol::request::MAX_MEMORY,
    };
    model.outbox.read(Purpose::BlobBase(0), request);
    apply(Command::StepCpu(Direction::Forward), &mut model);
    until(&mut session, &mut model, "stepped", |model| model.connection.ready() && model.cpus.states[0].ip == 0x1001);
    assert_eq!(model.lanes.columns.len(), 2);
}

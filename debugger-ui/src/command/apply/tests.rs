//! Commands leave the right orders, and refuse with words where they can do nothing.

use super::*;
use crate::model::inbox::Incoming;
use crate::model::inbox::tests::stopped;
use protocol::CpuState;
use protocol::request::Stopped;

/// Two CPUs, CPU 0 running and CPU 1 in wait-for-SIPI, connected, at position 100 of 200.
fn model() -> Model {
    let mut model = Model::default();
    let offers = crate::model::connection::Offers { vendor: true, ..Default::default() };
    model.absorb(Incoming::Connected { offers, hello: None });
    let cpu0 = CpuState { steps: 90, ..CpuState::default() };
    let cpu1 = CpuState { cpu: CpuId(1), activity: Activity::WaitForSipi, ..CpuState::default() };
    let stop = Stopped { cpus: vec![cpu0, cpu1], end: Position(200), ..stopped(Position(100)) };
    model.absorb(Incoming::Stopped(Box::new(stop)));
    model.outbox.take();
    model
}

fn run_of(model: &mut Model) -> Option<Advance> {
    model.outbox.take().into_iter().find_map(|order| match order {
        Order::Run(advance) => Some(advance),
        _ => None,
    })
}

/// Goal: a step names its CPU and counts one step; method: CPU 0 steps, and back.
#[test]
fn steps() {
    for direction in [Direction::Forward, Direction::Backward] {
        let mut model = model();
        apply(Command::StepCpu(direction), &mut model);
        let run = run_of(&mut model).unwrap();
        assert_eq!((run.cpu, run.direction, run.until), (Some(CpuId(0)), direction, Until::Steps(1)));
        assert!(model.connection.running() && !model.connection.long_run());
    }
}

/// Goal: a CPU that waits is not stepped, and the key that helps works; method: s and r on CPU 1.
#[test]
fn waiting_cpu() {
    let mut model = model();
    apply(Command::SelectCpu(CpuId(1)), &mut model);
    apply(Command::StepCpu(Direction::Forward), &mut model);
    assert_eq!(run_of(&mut model), None);
    assert!(model.narrator.sentence.contains("Press r"), "{}", model.narrator.sentence);
    apply(Command::StepCpu(Direction::Backward), &mut model);
    assert!(model.narrator.sentence.contains("nothing to take back"));
    apply(Command::RunToWake, &mut model);
    let until = Until::Event(EventFilter::Activity(Some(Activity::Running)));
    assert_eq!(run_of(&mut model).unwrap().until, until);
}

/// Goal: keys struck during a step wait for its end, during a run they do not; method: two steps, then a run.
#[test]
fn keys_wait() {
    let mut model = model();
    apply(Command::StepCpu(Direction::Forward), &mut model);
    apply(Command::StepMachine(Direction::Forward), &mut model);
    assert_eq!(model.outbox.take().len(), 1);
    model.absorb(Incoming::Stopped(Box::new(stopped(Position(101)))));
    assert_eq!(run_of(&mut model).unwrap().cpu, None, "the machine's step came after the CPU's");
    model.absorb(Incoming::Stopped(Box::new(stopped(Position(102)))));
    apply(Command::Run(Direction::Forward), &mut model);
    model.outbox.take();
    apply(Command::StepCpu(Direction::Forward), &mut model);
    assert_eq!(model.outbox.take(), []);
    assert!(model.notice.as_deref().unwrap().contains("F6"));
    apply(Command::Pause, &mut model);
    assert_eq!(model.outbox.take(), [Order::Cancel]);
}

/// Goal: jumps in time are remembered; method: seek, back, forward; and beyond the end.
#[test]
fn seeking() {
    let mut model = model();
    apply(Command::GoTo("step 50".to_owned()), &mut model);
    assert!(matches!(&model.outbox.take()[..], [Order::Move(Request::Seek { position: Position(50), .. })]));
    model.absorb(Incoming::Stopped(Box::new(Stopped { end: Position(200), ..stopped(Position(50)) })));
    model.outbox.take();
    apply(Command::History(Direction::Backward), &mut model);
    assert!(matches!(&model.outbox.take()[..], [Order::Move(Request::Seek { position: Position(100), .. })]));
    model.absorb(Incoming::Stopped(Box::new(Stopped { end: Position(200), ..stopped(Position(100)) })));
    apply(Command::Seek(Position(300)), &mut model);
    assert!(model.narrator.sentence.contains("has not been run yet"));
}

/// Goal: edits parse what was typed; method: a symbol, a bit, nonsense.
#[test]
fn edits() {
    let mut model = model();
    model.symbols = crate::model::symbols::tests::sample();
    let edit = |name: &str, value: &str| Command::EditRegister {
        cpu: CpuId(0),
        name: name.to_owned(),
        value: value.to_owned(),
    };
    let sent = |model: &mut Model| match model.outbox.take().as_slice() {
        [Order::Move(Request::Edit { edit: Edit::Register { value, .. }, .. })] => Some(*value),
        _ => None,
    };
    apply(edit("rax", "start_secondary"), &mut model);
    assert_eq!(sent(&mut model), Some(0xffff_ffff_8000_0100));
    apply(Command::ToggleBit { cpu: CpuId(0), name: "cr4".to_owned(), bit: 5 }, &mut model);
    assert_eq!(sent(&mut model), Some(0x20));
    apply(edit("rax", "nonsense"), &mut model);
    assert_eq!(sent(&mut model), None);
    assert!(model.notice.is_some());
}

/// Goal: what is typed enters with the next advance, at once where all CPUs wait; method: both.
#[test]
fn console() {
    let mut model = model();
    apply(Command::TypeConsole(b"he".to_vec()), &mut model);
    assert_eq!(run_of(&mut model), None);
    // All CPUs wait, and a lesson has just gone there.
    let halted = |cpu| CpuState { cpu, activity: Activity::Halted, ..CpuState::default() };
    let cpus = vec![halted(CpuId(0)), halted(CpuId(1))];
    let mut placed = self::model();
    let there = Stopped { reason: StopReason::Reached, end: Position(200), cpus, ..stopped(Position(200)) };
    placed.absorb(Incoming::Stopped(Box::new(there)));
    placed.outbox.take();
    apply(Command::TypeConsole(b"h".to_vec()), &mut placed);
    assert_eq!(run_of(&mut placed).unwrap().serial_input, b"h", "nothing else would happen: it runs at once");

    let waiting = Stopped { reason: StopReason::AllWaiting, end: Position(200), ..stopped(Position(200)) };
    model.absorb(Incoming::Stopped(Box::new(waiting)));
    apply(Command::TypeConsole(b"lp\r".to_vec()), &mut model);
    assert_eq!(run_of(&mut model).unwrap().serial_input, b"help\r");
    apply(Command::TypeConsole(b"x".to_vec()), &mut model);
    assert_eq!(model.outbox.take(), [Order::Type(Typed::serial(*b"x"))]);
}

/// Goal: keys go the same way as what is typed at the console, and both may wait for the same run. Method: both, then a run.
#[test]
fn keys() {
    let mut model = model();
    apply(Command::PressKeys(vec![0x1c]), &mut model);
    apply(Command::TypeConsole(b"a".to_vec()), &mut model);
    apply(Command::Run(Direction::Forward), &mut model);
    let run = run_of(&mut model).unwrap();
    assert_eq!((run.keys, run.serial_input), (vec![0x1c], b"a".to_vec()));
    apply(Command::PressKeys(vec![0x1b]), &mut model);
    assert_eq!(model.outbox.take(), [Order::Type(Typed::keys([0x1b]))]);
}

/// Goal: a breakpoint is set where there is none and cleared where there is one; method: toggle twice.
#[test]
fn breakpoints() {
    let mut model = model();
    let at = LinearAddr(0x9b000);
    apply(Command::ToggleBreakpoint(at), &mut model);
    let condition = Condition::Execute(at);
    let set = Request::SetBreakpoint { cpu: None, condition: condition.clone() };
    assert_eq!(model.outbox.take(), [Order::Read(Purpose::Breakpoints, set)]);
    let answer =
        protocol::request::Answer::BreakpointSet(protocol::breakpoint::Breakpoint { id: 7, cpu: None, condition });
    model.absorb(Incoming::Answer(Purpose::Breakpoints, answer));
    apply(Command::ToggleBreakpoint(at), &mut model);
    assert_eq!(model.outbox.take(), [Order::Read(Purpose::Cleared(7), Request::ClearBreakpoint { id: 7 })]);
    model.absorb(Incoming::Answer(Purpose::Cleared(7), protocol::request::Answer::Done));
    assert_eq!(model.breakpoints.list, []);
}

/// Goal: while gdb drives the window only observes, and says so; method: step.
#[test]
fn gdb_drives() {
    let mut model = model();
    model.connection.gdb.attached = true;
    apply(Command::StepCpu(Direction::Forward), &mut model);
    assert_eq!(run_of(&mut model), None);
    assert!(model.narrator.sentence.contains("Take over"));
}

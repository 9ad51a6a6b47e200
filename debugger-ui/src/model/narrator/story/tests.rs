//! Sentences for the stops that a learner meets between wait-for-SIPI and the kernel.

use super::*;
use crate::model::inbox::Incoming;
use crate::model::inbox::tests::stopped;
use protocol::cpu::SegmentReg;
use protocol::event::Ignored;
use protocol::request::{CodeLine, Stopped};
use protocol::{LinearAddr, PhysAddr};

/// CPU 1 in real mode at 9A00:0048 about to execute `mov cr0, eax`, CPU 0 running, at position 100.
fn model() -> Model {
    let mut model = Model::default();
    model.connection.offers.story = true;
    let cpu0 = CpuState { mode: Mode::Long, cr0: 0x8000_0011, ..CpuState::default() };
    let mut cpu1 = CpuState { cpu: CpuId(1), cr0: 0x10, ip: 0x48, steps: 20, ..CpuState::default() };
    cpu1.segments[CS] = SegmentReg { selector: 0x9a00, base: 0x9a000, limit: 0xffff, attributes: 0x9b };
    model.absorb(Incoming::Stopped(Box::new(Stopped { cpus: vec![cpu0, cpu1], ..stopped(Position(100)) })));
    model.cpus.selected = CpuId(1);
    model.code.lines = vec![CodeLine {
        linear: LinearAddr(0x9a048),
        bytes: vec![0x0f, 0x22, 0xc0],
        intel: "mov cr0, eax".to_owned(),
        att: "mov %eax, %cr0".to_owned(),
        bits: 16,
        target: None,
    }];
    model
}

/// The sentence after CPU 1 has made one step that changed it so and logged these events.
fn step(change: fn(&mut CpuState), events: &[EventKind]) -> (Tone, String) {
    let mut model = model();
    let mut cpu1 = model.cpus.states[1].clone();
    cpu1.steps += 1;
    change(&mut cpu1);
    model.begin(Some(CpuId(1)), Direction::Forward, How::Run);
    let event = |kind: &EventKind| Event { position: Position(101), clock_ns: 0, cpu: CpuId(1), kind: kind.clone() };
    let stop = Stopped {
        cpus: vec![cpu1],
        events: events.iter().map(event).collect(),
        moved_cpu: Some(CpuId(1)),
        ..stopped(Position(101))
    };
    model.absorb(Incoming::Stopped(Box::new(stop)));
    assert!(model.narrator.sentence.split(' ').count() <= 25, "{}", model.narrator.sentence);
    (model.narrator.tone, model.narrator.sentence)
}

/// Goal: setting PE tells bit, mode and what did not change; method: the step of the design's example.
#[test]
fn protected_mode_enable() {
    let (tone, sentence) = step(
        |cpu| {
            cpu.cr0 = 0x11;
            cpu.mode = Mode::Protected16;
        },
        &[
            EventKind::Cr { register: ControlRegister::Cr0, old: 0x10, new: 0x11 },
            EventKind::Mode { from: Some(Mode::Real), to: Mode::Protected16 },
        ],
    );
    assert_eq!(
        sentence,
        "CPU 1 executed mov cr0, eax: PE 0 -> 1. Mode is now protected, 16-bit: CS still holds base 0009a000."
    );
    assert_eq!(tone, Tone::Moment);
}

/// Goal: a fault names its cause; method: a #NP of a descriptor.
#[test]
fn fault() {
    let kind = EventKind::Fault {
        vector: 11,
        error: Some(8),
        at: LinearAddr(0x9a048),
        cr2: None,
        cause: "descriptor 08 is not present".to_owned(),
    };
    let (tone, sentence) = step(|_| {}, &[kind]);
    assert_eq!(sentence, "CPU 1 executed mov cr0, eax: #NP(0008), descriptor 08 is not present.");
    assert_eq!(tone, Tone::Fault);
}

/// Goal: tables, registers and plain steps; method: one of each.
#[test]
fn plain_steps() {
    let lidt = EventKind::DescriptorTable { register: protocol::event::TableRegister::Idtr, base: 0, limit: 0 };
    assert_eq!(
        step(|_| {}, &[lidt]).1,
        "CPU 1 executed mov cr0, eax: IDTR now has base 00000000, limit 0000: empty, so any interrupt or fault ends in shutdown."
    );
    let cr3 = EventKind::Cr { register: ControlRegister::Cr3, old: 0, new: 0x9c000 };
    assert_eq!(
        step(|_| {}, &[cr3]).1,
        "CPU 1 executed mov cr0, eax: CR3 00000000 -> 0009c000, not used while PG is 0."
    );
    let moved = step(
        |cpu| {
            cpu.ip += 2;
            cpu.gpr[0] = 0x9a00;
        },
        &[],
    );
    assert_eq!(moved.1, "CPU 1 executed mov cr0, eax: EAX 0 -> 9a00.");
    assert_eq!(step(|cpu| cpu.ip += 1, &[]).1, "CPU 1 executed mov cr0, eax. It is about to execute 0009a049.");
}

/// Goal: SIPIs: sent, ignored, received; method: the sender's and the receiver's steps.
#[test]
fn sipi() {
    let sent = |ignored| EventKind::Ipi {
        delivery: Delivery::Sipi,
        from: CpuId(0),
        to: Some(CpuId(1)),
        vector: 0x9a,
        ignored,
    };
    assert_eq!(step(|_| {}, &[sent(None)]).1, "CPU 0 sent SIPI 9A to CPU 1: it will start at 9A00:0000 = 0009a000.");
    let ignored = sent(Some(Ignored::NotInWaitForSipi));
    assert_eq!(step(|_| {}, &[ignored]).1, "CPU 0 sent SIPI 9A to CPU 1: ignored, not in wait-for-SIPI.");
    let received = [
        EventKind::Activity { from: Activity::WaitForSipi, to: Activity::Running },
        EventKind::Mode { from: None, to: Mode::Real },
    ];
    assert_eq!(
        step(|cpu| cpu.ip = 0, &received).1,
        "CPU 1 received SIPI, vector 9Ah. It runs in real mode at 9A00:0000 = 0009a000."
    );
}

/// Goal: going back tells what has not happened yet; method: back over a logged event and over a plain step.
#[test]
fn going_back() {
    let mut model = model();
    let cr0 = EventKind::Cr { register: ControlRegister::Cr0, old: 0x10, new: 0x11 };
    let event = Event { position: Position(100), clock_ns: 0, cpu: CpuId(1), kind: cr0 };
    model.timeline.events = vec![event];
    model.begin(Some(CpuId(1)), Direction::Backward, How::Run);
    model.absorb(Incoming::Stopped(Box::new(Stopped { end: Position(100), ..stopped(Position(99)) })));
    assert_eq!(model.narrator.sentence, "Back before this: CPU 1: CR0 10 -> 11 (PE 0 -> 1).");
    model.begin(Some(CpuId(1)), Direction::Backward, How::Run);
    model.absorb(Incoming::Stopped(Box::new(Stopped { end: Position(100), ..stopped(Position(98)) })));
    assert_eq!(model.narrator.sentence, "Back at step 98: CPU 1 is about to execute 0009a048.");
    model.begin(Some(CpuId(1)), Direction::Backward, How::Run);
    let stop = Stopped { reason: StopReason::StartOfTime, end: Position(100), ..stopped(Position(98)) };
    model.absorb(Incoming::Stopped(Box::new(stop)));
    assert_eq!(model.narrator.sentence, "This is power-on: there is nothing before it.");
}

/// Goal: a breakpoint tells whose it is and selects that CPU; method: CPU 0 hits while CPU 1 is selected.
#[test]
fn breakpoint() {
    let mut model = model();
    let condition = Condition::Execute(LinearAddr(0x1234));
    model.breakpoints.add(protocol::breakpoint::Breakpoint { id: 3, cpu: None, condition });
    model.begin(None, Direction::Forward, How::Run);
    let cpu0 = CpuState { ip: 0x1234, ..model.cpus.states[0].clone() };
    let reason = StopReason::Breakpoint { id: 3, cpu: CpuId(0) };
    model.absorb(Incoming::Stopped(Box::new(Stopped { reason, cpus: vec![cpu0], ..stopped(Position(500)) })));
    assert_eq!(model.narrator.sentence, "Breakpoint 3: CPU 0 is about to execute 00001234.");
    assert_eq!(model.cpus.selected, CpuId(0));
}

/// Goal: a CPU that cannot step says why and which key helps; method: each activity.
#[test]
fn cannot_step() {
    let words = |activity| why_not(&CpuState { cpu: CpuId(1), activity, ..CpuState::default() });
    assert_eq!(words(Activity::Running), None);
    assert!(words(Activity::WaitForSipi).unwrap().contains("Press r"));
    assert!(words(Activity::Halted).unwrap().contains("Press r"));
    assert!(words(Activity::Shutdown).unwrap().contains("Shift+S"));
    let due = Some(protocol::cpu::Due::Sipi(0x9a));
    assert_eq!(why_not(&CpuState { activity: Activity::WaitForSipi, due, ..CpuState::default() }), None);
}

/// Goal: a run to an event names the instruction that caused it; method: 5 steps that end with a LIDT in the listing.
#[test]
fn run_to_an_event() {
    let mut model = model();
    model.code.cpu = CpuId(1);
    model.begin(Some(CpuId(1)), Direction::Forward, How::Run);
    let cpu1 = CpuState { ip: 0x4b, steps: 25, ..model.cpus.states[1].clone() };
    let kind = EventKind::DescriptorTable { register: protocol::event::TableRegister::Idtr, base: 0, limit: 0x3ff };
    let events = vec![Event { position: Position(105), clock_ns: 0, cpu: CpuId(1), kind }];
    model.code.lines[0].intel = "lidt [0x40]".to_owned();
    let stop = Stopped { cpus: vec![cpu1], events, moved_cpu: Some(CpuId(1)), ..stopped(Position(105)) };
    model.absorb(Incoming::Stopped(Box::new(stop)));
    assert_eq!(model.narrator.sentence, "CPU 1 executed lidt [0x40]: IDTR now has base 00000000, limit 03ff.");
}

/// Goal: who steps over a call is told how much was executed, not of a single step; method: 29 steps without an event.
#[test]
fn over_a_call() {
    let mut model = model();
    model.begin(Some(CpuId(1)), Direction::Forward, How::Run);
    let mut cpu1 = CpuState { ip: 0x4b, steps: 49, ..model.cpus.states[1].clone() };
    cpu1.gpr[1] = 1;
    let stop = Stopped { cpus: vec![cpu1], moved_cpu: Some(CpuId(1)), ..stopped(Position(129)) };
    model.absorb(Incoming::Stopped(Box::new(stop)));
    assert_eq!(model.narrator.sentence, "CPU 1 executed 29 instructions: ECX 0 -> 1.");
}

/// Goal: a root has its name in the sentence; method: CR3 with a known root while paging is on.
#[test]
fn root_names() {
    let mut model = model();
    model.symbols = crate::model::symbols::tests::sample();
    model.symbols.roots[1] = Some(PhysAddr(0x34_5000));
    model.cpus.states[1].cr0 |= 1 << 31;
    model.timeline.moved_cpu = Some(CpuId(1));
    let words = register_change(&model, "CPU 1 executed mov cr3, rax", ControlRegister::Cr3, 0x9c000, 0x34_5000);
    assert_eq!(words, "CPU 1 executed mov cr3, rax: CR3 0009c000 -> init_top_pgt.");
}

//! Time travel: n steps forward and n back give the same hash, the same run twice gives the same bytes, breakpoints are
//! the same from both sides, an edit can be undone. On a small real-mode guest of a few lines, and on the kernel where
//! the environment variable `FIRSTLIGHT_KERNEL` names its image (xtask's tests set it).

#[path = "determinism/cause.rs"]
mod cause;
#[path = "determinism/fork.rs"]
mod fork;
#[path = "determinism/guest.rs"]
mod guest;
#[path = "determinism/load.rs"]
mod load;

use fastrand::Rng;
use guest::{CALL_WORK, COUNTER, LEAF, TIMER, WORK, advance, back, forward, run_to, timeline, timeline_of};
use machine::timeline::Timeline;
use protocol::breakpoint::{Condition, EventFilter};
use protocol::event::{Delivery, EventKind};
use protocol::request::{Advance, Edit, Place, Refusal, StopReason, Until};
use protocol::{Activity, CpuId, LinearAddr, Mode, PhysAddr, Position};
use std::time::Instant;

/// What a whole run looks like from outside.
fn trace(timeline: &Timeline) -> (Vec<protocol::Event>, Vec<u8>, [u8; 32]) {
    let events = timeline.events(Position(0), timeline.position(), usize::MAX);
    (events, timeline.console(0).bytes, timeline.hash())
}

/// Goal: the same image, configuration, seed and journal give the same bytes, and another seed gives others; method: run
/// twice with input at the same positions, in pieces of different sizes.
#[test]
fn same_run_twice() {
    for cpus in [1, 2, 4, 16] {
        for seed in [None, Some(1), Some(2)] {
            let run = |piece: u64| {
                let mut timeline = timeline(cpus, seed);
                for stop in [30_000, 61_234, 100_000] {
                    while timeline.position().0 < stop {
                        let to = (timeline.position().0 + piece).min(stop);
                        run_to(&mut timeline, to);
                    }
                    timeline.serial_input(b"hello, this is more than the FIFO holds");
                }
                run_to(&mut timeline, 200_000);
                trace(&timeline)
            };
            let (first, second) = (run(7777), run(100_000));
            assert!(first == second, "{cpus} CPUs, seed {seed:?}");
            assert_eq!(first.1, b"hello, this is more than the FIFO holds".repeat(3), "{cpus} CPUs, seed {seed:?}");
        }
    }
    let hash = |seed| {
        let mut timeline = timeline(4, seed);
        run_to(&mut timeline, 50_000);
        timeline.hash()
    };
    assert_ne!(hash(Some(1)), hash(Some(2)));
    assert_ne!(hash(None), hash(Some(2)));
}

/// Something a user does, chosen at random. Moves forwards or changes the present.
fn act(timeline: &mut Timeline, random: &mut Rng) {
    let cpus = timeline.machine().cpus().len() as u64;
    let cpu = CpuId(random.u64(..cpus) as u16);
    let steps = random.u64(..5000);
    match random.u64(..8) {
        0 => drop(advance(timeline, &Advance { cpu: Some(cpu), ..forward(Until::Steps(steps % 50)) })),
        1 => {
            let hold = Advance { cpu: Some(cpu), hold_others: true, ..forward(Until::Steps(steps % 700)) };
            drop(advance(timeline, &hold));
        }
        2 => timeline.serial_input(&[random.u64(..256) as u8, b'x']),
        3 => {
            let name = ["bx", "rbx", "rcx", "rsi"][random.u64(..4) as usize].to_owned();
            let done = timeline.edit(&Edit::Register { cpu, name: name.clone(), value: random.u64(..) });
            assert_eq!(done.is_err(), name == "bx", "bx is no name of gdb's");
        }
        4 => {
            let at = Place::Phys(PhysAddr(0x9000 + random.u64(..0x1000)));
            timeline.edit(&Edit::Memory { at, bytes: vec![1, 2, 3] }).unwrap();
        }
        5 => timeline.nmi(CpuId(1 % cpus as u16)).unwrap(),
        _ => drop(advance(timeline, &forward(Until::Steps(steps)))),
    }
}

/// Goal: going back and forth over anything a user did gives the same hash at each position; method: record hashes
/// during random actions, then seek to those positions in random order.
#[test]
fn random_walks() {
    for (cpus, seed) in [(1, None), (2, Some(7)), (4, None), (4, Some(1)), (4, Some(99)), (64, Some(3))] {
        let mut random = Rng::with_seed(u64::from(cpus) * 1000 + seed.unwrap_or(0));
        let mut timeline = timeline(cpus, seed);
        let mut known = std::collections::BTreeMap::new();
        for _ in 0..60 {
            act(&mut timeline, &mut random);
            known.insert(timeline.position(), (timeline.hash(), trace(&timeline)));
        }
        assert_eq!(timeline.position(), timeline.end());
        let positions: Vec<Position> = known.keys().copied().collect();
        for _ in 0..80 {
            let position = positions[random.u64(..positions.len() as u64) as usize];
            timeline.seek(position).unwrap();
            assert_eq!(timeline.position(), position);
            assert!((timeline.hash(), trace(&timeline)) == known[&position], "{cpus} CPUs, {seed:?}, {position}");
        }
    }
}

/// Goal: n steps forward and n back, of the machine or of one CPU, give the same hash; method: random n at random places.
#[test]
fn steps_and_back() {
    for (cpus, seed) in [(1, None), (4, None), (4, Some(5)), (64, None)] {
        let mut random = Rng::with_seed(11 + u64::from(cpus));
        let mut timeline = timeline(cpus, seed);
        run_to(&mut timeline, 20_000);
        for _ in 0..60 {
            let (position, before) = (timeline.position(), timeline.hash());
            let n = 1 + random.u64(..300);
            assert_eq!(advance(&mut timeline, &forward(Until::Steps(n))), StopReason::Reached);
            assert_eq!(timeline.position().0, position.0 + n);
            assert_eq!(advance(&mut timeline, &back(Until::Steps(n))), StopReason::Reached);
            assert_eq!((timeline.position(), timeline.hash()), (position, before));
            let cpu = timeline.machine().next_stepper().unwrap();
            let one = Advance { cpu: Some(cpu), ..forward(Until::Steps(1)) };
            assert_eq!(advance(&mut timeline, &one), StopReason::Reached);
            assert_eq!((timeline.position().0, timeline.moved_cpu()), (position.0 + 1, Some(cpu)));
            let one_back = Advance { cpu: Some(cpu), ..back(Until::Steps(1)) };
            assert_eq!(advance(&mut timeline, &one_back), StopReason::Reached);
            assert_eq!((timeline.position(), timeline.hash()), (position, before));
            assert_eq!(timeline.moved_cpu(), Some(cpu), "whose step was taken back");
            run_to(&mut timeline, position.0 + random.u64(..3000));
        }
    }
}

/// Goal: a step of one CPU among others lands right after its step, and going back right before it; method: count steps.
#[test]
fn step_of_one_cpu() {
    let mut timeline = timeline(4, Some(4));
    run_to(&mut timeline, 30_000);
    for n in [1, 3, 200] {
        let cpu = CpuId(2);
        let steps = |timeline: &Timeline| timeline.machine().cpu(cpu).unwrap().steps;
        let before = steps(&timeline);
        advance(&mut timeline, &Advance { cpu: Some(cpu), ..forward(Until::Steps(n)) });
        assert_eq!((steps(&timeline), timeline.moved_cpu()), (before + n, Some(cpu)));
        advance(&mut timeline, &Advance { cpu: Some(cpu), ..back(Until::Steps(n)) });
        assert_eq!((steps(&timeline), timeline.machine().next_stepper()), (before, Some(cpu)));
    }
}

/// All stops of a run with this request from here on (or back), until it ends otherwise.
fn stops(timeline: &mut Timeline, request: &Advance, limit: u64) -> Vec<(u64, StopReason)> {
    let mut found = Vec::new();
    loop {
        let reason = advance(timeline, request);
        match reason {
            StopReason::Breakpoint { .. } | StopReason::Reached if timeline.position().0 <= limit => {
                found.push((timeline.position().0, reason));
            }
            StopReason::Budget if timeline.position().0 < limit => {}
            _ => return found,
        }
    }
}

/// Goal: breakpoints hit at the same positions forwards and backwards, with any budget; method: collect both and compare.
#[test]
fn breakpoints_from_both_sides() {
    for (cpus, seed) in [(1, None), (4, None), (4, Some(8))] {
        let mut timeline = timeline(cpus, seed);
        timeline.set_breakpoint(None, Condition::Execute(LinearAddr(LEAF))).unwrap();
        timeline.set_breakpoint(Some(CpuId(0)), Condition::Execute(LinearAddr(TIMER))).unwrap();
        timeline.set_breakpoint(None, Condition::Event(EventFilter::Online(0))).unwrap();
        let there = stops(&mut timeline, &forward(Until::Breakpoint), 20_000);
        assert!(there.len() > 100, "{} hits", there.len());
        let is_hit = |reason: &StopReason, id| matches!(reason, StopReason::Breakpoint { id: hit, .. } if *hit == id);
        let hits = |id| there.iter().filter(|(_, reason)| is_hit(reason, id)).count();
        assert!(hits(1) > 50 && hits(2) > 2, "{} and {}", hits(1), hits(2));
        assert_eq!(hits(3), usize::from(cpus));
        timeline.seek(Position(there.last().unwrap().0)).unwrap();
        for budget in [u64::MAX, 1000] {
            let end = timeline.position();
            let mut and_back = stops(&mut timeline, &Advance { budget, ..back(Until::Breakpoint) }, u64::MAX);
            and_back.reverse();
            assert_eq!(and_back, there[..there.len() - 1], "{cpus} CPUs, seed {seed:?}, budget {budget}");
            assert_eq!(timeline.position().0, 0);
            timeline.seek(end).unwrap();
        }
        let addressed = stops(&mut timeline, &back(Until::Address(LinearAddr(LEAF))), u64::MAX);
        assert!(addressed.len() >= hits(1) - 1);
    }
}

/// Goal: a run in pieces stops where a run in one go stops, also where a piece ends at a breakpoint; method: budgets of a
/// few steps, for breakpoints and for a step over a call and out of one.
#[test]
fn runs_in_pieces() {
    let run = |budget: u64| {
        let mut timeline = timeline(4, Some(8));
        let id = timeline.set_breakpoint(None, Condition::Execute(LinearAddr(LEAF))).unwrap().id;
        let mut found = Vec::new();
        for (cpu, until) in [(None, Until::Breakpoint), (Some(CpuId(0)), Until::Over), (Some(CpuId(0)), Until::Out)] {
            if until == Until::Over {
                timeline.clear_breakpoint(id).unwrap();
                let call = forward(Until::Address(LinearAddr(CALL_WORK)));
                assert_eq!(advance(&mut timeline, &call), StopReason::Reached);
            }
            for _ in 0..5 {
                if until == Until::Out {
                    // The main loop returns nowhere.
                    let leaf = Advance { cpu, ..forward(Until::Address(LinearAddr(LEAF))) };
                    assert_eq!(advance(&mut timeline, &leaf), StopReason::Reached);
                }
                let request = Advance { cpu, budget, ..forward(until.clone()) };
                let reason = loop {
                    match advance(&mut timeline, &request) {
                        StopReason::Budget => {}
                        reason => break reason,
                    }
                };
                found.push((timeline.position(), reason));
            }
        }
        found
    };
    let whole = run(1_000_000);
    assert_eq!(whole.len(), 15);
    for budget in [1, 2, 3, 7, 100] {
        assert_eq!(run(budget), whole, "budget {budget}");
    }
}

/// Goal: breakpoints are no state: setting them changes neither hash nor order; method: run with and without.
#[test]
fn breakpoints_change_nothing() {
    let mut plain = timeline(4, Some(12));
    run_to(&mut plain, 100_000);
    let mut stopped = timeline(4, Some(12));
    stopped.set_breakpoint(None, Condition::Execute(LinearAddr(LEAF))).unwrap();
    let at = Condition::Access { linear: LinearAddr(COUNTER), len: 2 };
    stopped.set_breakpoint(Some(CpuId(3)), at).unwrap();
    while stopped.position().0 < 100_000 {
        let budget = 100_000 - stopped.position().0;
        advance(&mut stopped, &Advance { budget, ..forward(Until::Breakpoint) });
    }
    assert!(trace(&plain) == trace(&stopped));
}

/// Goal: a watchpoint stops after the write forwards and before it backwards; method: the word at COUNTER.
#[test]
fn watchpoints() {
    let mut timeline = timeline(4, Some(3));
    run_to(&mut timeline, 40_000);
    let word = |timeline: &Timeline| timeline.machine().bus().ram.read::<2>(COUNTER).map(u16::from_le_bytes).unwrap();
    let at = Condition::Write { linear: LinearAddr(COUNTER), len: 2 };
    let id = timeline.set_breakpoint(None, at).unwrap().id;
    let mut after = Vec::new();
    for _ in 0..20 {
        let before = word(&timeline);
        let reason = advance(&mut timeline, &forward(Until::Breakpoint));
        let cpu = timeline.moved_cpu().unwrap();
        assert_eq!(reason, StopReason::Breakpoint { id, cpu });
        assert_eq!(word(&timeline), before + 1);
        after.push(timeline.position().0);
    }
    for &position in after.iter().rev() {
        let now = word(&timeline);
        assert!(matches!(advance(&mut timeline, &back(Until::Breakpoint)), StopReason::Breakpoint { .. }));
        assert_eq!((timeline.position().0, word(&timeline)), (position - 1, now - 1));
    }
}

/// Goal: an edit ends the future and undo brings it back exactly; method: hash, log, console and end before and after.
#[test]
fn undo() {
    for (seek_to, run_on) in [(25_000, 0), (25_000, 30_000), (60_000, 1000)] {
        let mut timeline = timeline(4, Some(6));
        run_to(&mut timeline, 30_000);
        timeline.serial_input(b"abc");
        run_to(&mut timeline, 60_000);
        timeline.seek(Position(seek_to)).unwrap();
        let (there, epoch) = (trace(&timeline), timeline.epoch());
        assert!(!timeline.can_undo());
        timeline.edit(&Edit::Register { cpu: CpuId(0), name: "rbx".into(), value: 5 }).unwrap();
        assert!(timeline.epoch() > epoch && timeline.can_undo());
        assert_eq!(timeline.end(), Position(seek_to));
        run_to(&mut timeline, seek_to + run_on);
        let changed = trace(&timeline);
        assert!(changed.0.iter().any(|event| matches!(event.kind, EventKind::Edit { .. })));
        timeline.undo().unwrap();
        assert!(trace(&timeline) == there, "edited at {seek_to}, ran {run_on}");
        assert_eq!(timeline.end(), Position(60_000));
        assert_eq!(timeline.undo(), Err(Refusal::NothingToUndo));
        run_to(&mut timeline, 60_000);
        let mut straight = self::timeline(4, Some(6));
        run_to(&mut straight, 30_000);
        straight.serial_input(b"abc");
        run_to(&mut straight, 60_000);
        assert!(trace(&timeline) == trace(&straight));
    }
}

/// Goal: input in the past ends the future as well; input at the end does not; method: epoch and end.
#[test]
fn input_in_the_past() {
    let mut timeline = timeline(2, None);
    run_to(&mut timeline, 20_000);
    timeline.serial_input(b"a");
    assert_eq!(timeline.epoch(), 0);
    run_to(&mut timeline, 30_000);
    timeline.seek(Position(10_000)).unwrap();
    timeline.serial_input(b"b");
    assert_eq!((timeline.epoch(), timeline.end()), (1, Position(10_000)));
    run_to(&mut timeline, 20_000);
    assert_eq!(timeline.console(0).bytes, b"b");
    timeline.undo().unwrap();
    run_to(&mut timeline, 30_000);
    assert_eq!(timeline.console(0).bytes, b"a");
}

/// Goal: with the others held only one CPU moves, it is journaled, and going back shows who was held; method: CPU 2.
#[test]
fn hold_the_others() {
    let mut timeline = timeline(4, None);
    run_to(&mut timeline, 20_000);
    let (before, hash) = (timeline.cpu_states(), timeline.hash());
    let hold = Advance { cpu: Some(CpuId(2)), hold_others: true, ..forward(Until::Steps(100)) };
    assert_eq!(advance(&mut timeline, &hold), StopReason::Reached);
    let moved: Vec<u64> =
        timeline.cpu_states().iter().zip(&before).map(|(now, before)| now.steps - before.steps).collect();
    assert_eq!(moved, [0, 0, 100, 0]);
    let held = timeline.hash();
    run_to(&mut timeline, 25_000);
    let end = timeline.hash();
    timeline.seek(Position(20_050)).unwrap();
    let activities: Vec<Activity> = timeline.cpu_states().iter().map(|cpu| cpu.activity).collect();
    assert_eq!(activities, [Activity::Held, Activity::Held, Activity::Running, Activity::Held]);
    timeline.seek(Position(20_000)).unwrap();
    assert_eq!(timeline.hash(), hash);
    // Held again over what was recorded held: the same future, not another.
    assert_eq!(advance(&mut timeline, &hold), StopReason::Reached);
    assert_eq!((timeline.hash(), timeline.epoch(), timeline.end().0), (held, 0, 25_000));
    run_to(&mut timeline, 25_000);
    assert_eq!(timeline.hash(), end);
}

/// Goal: over a call lands behind it at the same depth, and back over it lands before it; method: CALL in the main loop.
#[test]
fn over_and_out() {
    let mut timeline = timeline(2, None);
    run_to(&mut timeline, 5000);
    let cpu = Some(CpuId(0));
    let at = |timeline: &Timeline| timeline.machine().cpu(CpuId(0)).unwrap().linear_pc();
    advance(&mut timeline, &Advance { cpu, ..forward(Until::Address(LinearAddr(CALL_WORK))) });
    assert_eq!(at(&timeline), CALL_WORK);
    let (start, hash) = (timeline.position(), timeline.hash());
    assert_eq!(advance(&mut timeline, &Advance { cpu, ..forward(Until::Over) }), StopReason::Reached);
    assert_eq!(at(&timeline), CALL_WORK + 3);
    let behind = timeline.hash();
    assert_eq!(advance(&mut timeline, &Advance { cpu, ..back(Until::Over) }), StopReason::Reached);
    assert_eq!(at(&timeline), CALL_WORK);
    timeline.seek(start).unwrap();
    assert_eq!(timeline.hash(), hash);
    advance(&mut timeline, &Advance { cpu, ..forward(Until::Address(LinearAddr(LEAF))) });
    assert_eq!(advance(&mut timeline, &Advance { cpu, ..forward(Until::Out) }), StopReason::Reached);
    assert_eq!(at(&timeline), WORK + 0x13, "behind the call of leaf");
    assert_eq!(advance(&mut timeline, &Advance { cpu, ..back(Until::Out) }), StopReason::Reached);
    assert_eq!(at(&timeline), CALL_WORK, "the call that led into work");
    assert_eq!(advance(&mut timeline, &Advance { cpu, ..forward(Until::Over) }), StopReason::Reached);
    assert_eq!(timeline.hash(), behind);
    // A REP instruction is one thing, forwards and backwards.
    advance(&mut timeline, &Advance { cpu, ..forward(Until::Address(LinearAddr(WORK + 9))) });
    assert_eq!(advance(&mut timeline, &Advance { cpu, ..forward(Until::Over) }), StopReason::Reached);
    assert_eq!(at(&timeline), WORK + 11);
    assert_eq!(timeline.machine().cpu(CpuId(0)).unwrap().gpr[1] & 0xffff, 0);
    assert_eq!(advance(&mut timeline, &Advance { cpu, ..back(Until::Over) }), StopReason::Reached);
    assert_eq!((at(&timeline), timeline.machine().cpu(CpuId(0)).unwrap().gpr[1] & 0xffff), (WORK + 9, 16));
}

/// Goal: the way from wait-for-SIPI is in the log, and next and previous event go along it; method: the IPIs of the guest.
#[test]
fn events_there_and_back() {
    let mut timeline = timeline(2, None);
    let sipi = Until::Event(EventFilter::Ipi { delivery: Some(Delivery::Sipi), to: None });
    assert_eq!(advance(&mut timeline, &Advance { cpu: Some(CpuId(1)), ..forward(sipi.clone()) }), StopReason::Reached);
    let sent = timeline.position();
    let mode = Until::Event(EventFilter::Mode(Some(Mode::Real)));
    assert_eq!(advance(&mut timeline, &forward(mode)), StopReason::Reached);
    let events = timeline.events(sent, timeline.position(), 9);
    let kinds: Vec<_> = events.into_iter().filter(|event| event.cpu == CpuId(1)).map(|event| event.kind).collect();
    let woke = EventKind::Activity { from: Activity::WaitForSipi, to: Activity::Running };
    assert_eq!(kinds, [woke, EventKind::Mode { from: None, to: Mode::Real }]);
    run_to(&mut timeline, 30_000);
    assert_eq!(advance(&mut timeline, &back(sipi.clone())), StopReason::Reached);
    assert_eq!(timeline.position(), sent);
    assert_eq!(advance(&mut timeline, &back(sipi)), StopReason::StartOfTime);
    assert_eq!(timeline.position(), Position(0));
}

/// Goal: a CPU that waits gets its step when woken; one that nothing can wake says what it waits for; method: CPU 1 before
/// and a machine without anybody who would send a SIPI.
#[test]
fn waiting_cpus() {
    let mut timeline = timeline(2, None);
    let step = Advance { cpu: Some(CpuId(1)), ..forward(Until::Steps(1)) };
    assert_eq!(advance(&mut timeline, &step), StopReason::Reached);
    assert_eq!(timeline.machine().cpu(CpuId(1)).unwrap().steps, 1);
    let mut alone = timeline_of(guest::halted(2));
    let StopReason::CannotStep { why } = advance(&mut alone, &step) else { panic!("CPU 1 cannot step") };
    assert!(why.contains("start-up IPI"), "{why}");
    assert_eq!(advance(&mut alone, &forward(Until::Breakpoint)), StopReason::AllWaiting);
    let held = Advance { cpu: Some(CpuId(1)), hold_others: true, ..forward(Until::Steps(1)) };
    assert!(matches!(advance(&mut alone, &held), StopReason::CannotStep { .. }));
}

/// Goal: reset starts the guest again while position and history go on; method: run, reset, run, go back over it.
#[test]
fn reset() {
    let mut timeline = timeline(2, None);
    run_to(&mut timeline, 20_000);
    let before = timeline.hash();
    timeline.reset();
    let after = timeline.hash();
    assert_ne!(before, after);
    assert_eq!(timeline.machine().cpu(CpuId(0)).unwrap().rip, guest::START);
    run_to(&mut timeline, 40_000);
    let online = timeline.events(Position(20_000), Position(40_000), usize::MAX);
    assert!(online.iter().any(|event| event.kind == EventKind::Online { count: 2 }));
    let end = timeline.hash();
    timeline.seek(Position(20_000)).unwrap();
    assert_eq!(timeline.hash(), after);
    timeline.seek(Position(19_999)).unwrap();
    run_to(&mut timeline, 40_000);
    assert_eq!(timeline.hash(), end);
}

/// Goal: with a small budget the past is thinned but whole; method: 3 million steps in 2 MiB, then random positions
/// against a timeline with room for everything.
#[test]
fn thinned() {
    let machine = || guest::machine(4, Some(2));
    let mut small = Timeline::new(machine(), 2 << 20);
    let mut large = Timeline::new(machine(), 1 << 30);
    [&mut small, &mut large].into_iter().for_each(|timeline| run_to(timeline, 3_000_000));
    let mut random = Rng::with_seed(5);
    for _ in 0..10 {
        let position = Position(random.u64(..3_000_000));
        small.seek(position).unwrap();
        large.seek(position).unwrap();
        assert_eq!(small.hash(), large.hash(), "{position}");
    }
}

/// Goal: a search far back in pieces finds what one in one go finds; method: an instruction that ran once, 3 million steps
/// ago, with dense and with thinned checkpoints.
#[test]
fn search_in_pieces() {
    let once = Until::Address(LinearAddr(guest::START + 0x50));
    let mut first = None;
    for (memory, budget) in [(1 << 30, u64::MAX), (1 << 30, 100_000), (1 << 20, 100_000)] {
        let mut timeline = Timeline::new(guest::machine(4, Some(2)), memory);
        run_to(&mut timeline, 3_000_000);
        let mut pieces = 1;
        let reason = loop {
            let before = timeline.position();
            match advance(&mut timeline, &Advance { budget, ..back(once.clone()) }) {
                StopReason::Budget => assert!(timeline.position() <= before),
                reason => break reason,
            }
            pieces += 1;
        };
        assert_eq!(reason, StopReason::Reached);
        assert_eq!(pieces > 10, budget < u64::MAX);
        let found = (timeline.position(), timeline.hash());
        assert_eq!(*first.get_or_insert(found), found);
    }
}

/// Goal: to try an instruction that the machine lacks leaves no trace, and says which; method: an instruction of AVX, tried twice.
#[test]
fn unsupported_leaves_no_trace() {
    let mut timeline = timeline_of(guest::with_code(&[0x90, 0xc5, 0xf8, 0x58, 0xc0]));
    assert_eq!(advance(&mut timeline, &forward(Until::Steps(1))), StopReason::Reached);
    let before = timeline.hash();
    for _ in 0..2 {
        let StopReason::Unsupported { cpu, what } = advance(&mut timeline, &forward(Until::Steps(1))) else {
            panic!("AVX is not there")
        };
        assert!(cpu == CpuId(0) && what.contains("vaddps"), "{what}");
        assert_eq!((timeline.position(), timeline.hash()), (Position(1), before));
    }
}

/// Goal: a triple fault stops there, says its chain, and stays so for steps; who goes on has the machine reset, which is in
/// the journal and played again; method: an IDT without room, then #UD.
#[test]
fn triple_fault() {
    // lidt cs:[7C10h] (limit 0), ud2
    let mut code = vec![0x2e, 0x0f, 0x01, 0x1e, 0x10, 0x7c, 0x0f, 0x0b];
    code.resize(0x20, 0);
    let mut timeline = timeline_of(guest::with_code(&code));
    let stop = StopReason::TripleFault { cpu: CpuId(0) };
    assert_eq!(advance(&mut timeline, &forward(Until::Breakpoint)), stop);
    assert_eq!(timeline.position(), Position(2));
    let log = timeline.events(Position(0), timeline.position(), 99);
    let chain = log.iter().find_map(|event| match &event.kind {
        EventKind::TripleFault { chain } => Some(chain.iter().map(|cause| cause.vector).collect::<Vec<_>>()),
        _ => None,
    });
    assert_eq!(chain.as_ref().and_then(|chain| chain.first()), Some(&6), "{chain:?}");
    assert_eq!(advance(&mut timeline, &forward(Until::Steps(1))), stop);
    assert_eq!(timeline.position(), Position(2));
    assert_eq!(advance(&mut timeline, &forward(Until::Breakpoint)), stop, "the same again, after a reset");
    assert_eq!((timeline.position(), timeline.journal().entries().len()), (Position(4), 1));
    let hash = timeline.hash();
    let resets = |timeline: &Timeline| {
        let log = timeline.events(Position(0), timeline.position(), 99);
        let by = |event: &protocol::Event| match &event.kind {
            EventKind::Reset { by } => Some((event.position, by.contains("shut down"))),
            _ => None,
        };
        log.iter().filter_map(by).collect::<Vec<_>>()
    };
    assert_eq!(resets(&timeline), [(Position(2), true)]);
    timeline.seek(Position(1)).unwrap();
    timeline.seek(Position(4)).unwrap();
    assert_eq!((timeline.hash(), resets(&timeline)), (hash, vec![(Position(2), true)]));
    timeline.reset();
    assert_eq!(advance(&mut timeline, &forward(Until::Steps(1))), StopReason::Reached);
    assert_eq!(advance(&mut timeline, &back(Until::Steps(2))), StopReason::Reached);
    assert_eq!(timeline.position(), Position(3));
    assert_eq!(advance(&mut timeline, &forward(Until::Breakpoint)), stop);
}

/// Goal: a checkpoint of 64 CPUs of which few run costs what changed; method: count bytes between two.
#[test]
fn checkpoints_are_cheap() {
    let mut machine = guest::halted(64);
    let first = machine.snapshot();
    let second = machine.snapshot();
    assert!(second.cost_bytes(&first) < 4096, "{} bytes for nothing", second.cost_bytes(&first));
}

/// Goal: the kernel's own run is the same twice, with 20 seeds, and back; method: boot, hashes on the way, seek to them.
#[test]
fn kernel() {
    let Ok(path) = std::env::var("FIRSTLIGHT_KERNEL") else {
        eprintln!("FIRSTLIGHT_KERNEL is not set: the kernel's part is not run");
        return;
    };
    let image = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    for (cpus, seed) in [(4, None)].into_iter().chain((1..=20).map(|seed| (4, Some(seed)))).chain([(64, None)]) {
        let boot = || timeline_of(guest::kernel(&image, cpus, seed));
        let mut timeline = boot();
        let mut known = Vec::new();
        let online = Until::Event(EventFilter::Online(cpus));
        loop {
            known.push((timeline.position(), timeline.hash()));
            match advance(&mut timeline, &Advance { budget: 50_000, ..forward(online.clone()) }) {
                StopReason::Budget => {}
                reason => break assert_eq!(reason, StopReason::Reached, "{cpus} CPUs, seed {seed:?}"),
            }
        }
        known.push((timeline.position(), timeline.hash()));
        let mut again = boot();
        while again.position() < timeline.position() {
            let rest = timeline.position().0 - again.position().0;
            advance(&mut again, &forward(Until::Steps(rest.min(77_777))));
        }
        assert!(trace(&timeline) == trace(&again), "{cpus} CPUs, seed {seed:?}");
        let slowest = known.iter().rev().chain(&known).map(|&(position, hash)| {
            let start = Instant::now();
            timeline.seek(position).unwrap();
            let took = start.elapsed();
            assert_eq!(timeline.hash(), hash, "{cpus} CPUs, seed {seed:?}, {position}");
            took
        });
        eprintln!("{cpus} CPUs, seed {seed:?}: {} steps, slowest seek {:?}", known.last().unwrap().0, slowest.max());
    }
}

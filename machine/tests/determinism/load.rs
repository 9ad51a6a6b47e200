//! Runs as files: what was recorded on one timeline is the same on another.

use crate::guest::{self, run_to, timeline};
use crate::{act, trace};
use fastrand::Rng;
use machine::timeline::Timeline;
use machine::timeline::journal::Journal;
use protocol::request::{Edit, MachineConfig};
use protocol::run::{Hold, Input, InputKind, Run, VERSION};
use protocol::{CpuId, Position};

/// What a server would write.
fn saved(timeline: &Timeline, cpus: u16) -> Run {
    let (inputs, holds) = timeline.journal().to_run();
    let config = MachineConfig {
        cpus,
        apic_ids: Vec::new(),
        memory_bytes: 1 << 20,
        quantum: 64,
        seed: None,
        options: String::new(),
        cpu_quirks: Vec::new(),
        firmware: Default::default(),
    };
    let (image_sha256, machine) = (String::new(), String::new());
    Run { version: VERSION, image_sha256, firmware_sha256: None, machine, config, inputs, holds, end: timeline.end() }
}

fn load(timeline: &mut Timeline, run: &Run) -> Result<bool, String> {
    timeline.load(&Journal::of_run(run)?, run.end.0)
}

/// Goal: a run with anything a user can do plays to the same bytes, on a new machine and on one that has some of it; method:
/// random actions with hashes on the way, through JSON, then seeks.
#[test]
fn plays_again() {
    for (cpus, seed) in [(1, None), (2, Some(7)), (4, None)] {
        let mut random = Rng::with_seed(300 + u64::from(cpus));
        let mut first = timeline(cpus, seed);
        let mut known = Vec::new();
        let mut runs = Vec::new();
        for _ in 0..5 {
            for _ in 0..12 {
                act(&mut first, &mut random);
                known.push((first.position(), first.hash()));
            }
            let text = serde_json::to_string(&saved(&first, cpus)).unwrap();
            runs.push((serde_json::from_str::<Run>(&text).unwrap(), first.hash(), trace(&first)));
        }
        assert_eq!(&saved(&first, cpus), &runs[4].0);
        // Forwards through them, back, and to the same one again: each has something in common with the one before.
        let mut again = timeline(cpus, seed);
        for index in [4, 0, 2, 1, 3, 3, 4] {
            let (run, hash, trace_then) = &runs[index];
            if load(&mut again, run) == Ok(false) {
                // They differ at position 0.
                again = timeline(cpus, seed);
                again.play(&Journal::of_run(run).unwrap(), run.end.0).unwrap();
            }
            assert_eq!((again.position(), again.end(), again.hash()), (run.end, run.end, *hash), "run {index}");
            let edited = run.inputs.iter().any(|input| matches!(input.kind, InputKind::Edit(_)));
            assert!(trace(&again) == *trace_then && (edited || !again.can_undo()), "run {index}");
            assert_eq!(&saved(&again, cpus), run);
            for _ in 0..6 {
                let (position, hash) = known[random.u64(..known.len() as u64) as usize];
                if position <= run.end {
                    again.seek(position).unwrap();
                    // Of several things done at one position the last is what stays.
                    let last = known.iter().rfind(|(other, _)| *other == position).unwrap().1;
                    if position < run.end {
                        assert_eq!(again.hash(), last, "{position}");
                    }
                    let _ = hash;
                }
            }
            // Somewhere else meanwhile: the next one must not notice.
            act(&mut again, &mut random);
        }
    }
}

/// Goal: what lies after a change is gone, also a change at the very end of what is kept; method: a clean run, an edit at
/// its end and beyond it, and back to the clean one.
#[test]
fn back_to_the_clean_run() {
    let mut timeline = timeline(2, None);
    run_to(&mut timeline, 40_000);
    let (clean, hash, trace_then) = (saved(&timeline, 2), timeline.hash(), trace(&timeline));
    for at in [40_000, 20_000, 1] {
        timeline.seek(Position(at)).unwrap();
        timeline.edit(&Edit::Register { cpu: CpuId(0), name: "rsi".into(), value: 0x55 }).unwrap();
        timeline.serial_input(b"x");
        run_to(&mut timeline, 60_000);
        assert_ne!(timeline.hash(), hash);
        let epoch = timeline.epoch();
        assert_eq!(load(&mut timeline, &clean), Ok(true));
        assert!(timeline.hash() == hash && trace(&timeline) == trace_then, "{at}");
        assert!(timeline.epoch() > epoch && !timeline.can_undo());
        assert_eq!(saved(&timeline, 2), clean);
    }
}

/// Goal: who goes on with a run that was saved after an edit can take the edit back; method: save behind an edit, then
/// play it on a new machine, on one that has its beginning and on one that has the edit too, and compare with the machine
/// before the edit.
#[test]
fn an_edit_of_a_loaded_run_is_taken_back() {
    let mut first = timeline(2, None);
    run_to(&mut first, 20_000);
    let (hash, trace_then) = (first.hash(), trace(&first));
    first.edit(&Edit::Register { cpu: CpuId(0), name: "rsi".into(), value: 0x55 }).unwrap();
    run_to(&mut first, 30_000);
    let run = saved(&first, 2);
    let mut new = timeline(2, None);
    new.play(&Journal::of_run(&run).unwrap(), run.end.0).unwrap();
    let mut begun = timeline(2, None);
    run_to(&mut begun, 15_000);
    assert_eq!(load(&mut begun, &run), Ok(true));
    let hash_then = first.hash();
    run_to(&mut first, 40_000);
    assert_eq!(load(&mut first, &run), Ok(true));
    for mut again in [new, begun, first] {
        assert_eq!(again.hash(), hash_then);
        again.undo().unwrap();
        assert_eq!((again.position(), again.end(), again.hash()), (Position(20_000), Position(20_000), hash));
        assert!(trace(&again) == trace_then && !again.can_undo());
        run_to(&mut again, 30_000);
        assert_ne!(again.hash(), hash_then);
    }
}

/// Goal: a run that cannot be is refused in words, and the machine stays as it was, with the future that it kept; method:
/// one mistake of each kind.
#[test]
fn refusals() {
    let mut timeline = guest::timeline(2, None);
    run_to(&mut timeline, 30_000);
    timeline.seek(Position(10_000)).unwrap();
    timeline.edit(&Edit::Register { cpu: CpuId(0), name: "rbx".into(), value: 3 }).unwrap();
    run_to(&mut timeline, 20_000);
    timeline.seek(Position(15_000)).unwrap();
    let good = saved(&timeline, 2);
    let serial = |position| Input { position: Position(position), kind: InputKind::Serial(b"x".into()) };
    let edit = |name: &str| Input {
        position: Position(12_000),
        kind: InputKind::Edit(Edit::Register { cpu: CpuId(0), name: name.into(), value: 1 }),
    };
    let nmi = Input { position: Position(5), kind: InputKind::Nmi(CpuId(2)) };
    let hold = |start, steps, cpu| Hold { start: Position(start), steps, cpu: CpuId(cpu) };
    let inputs = |inputs: Vec<Input>| Run { inputs, ..good.clone() };
    let holds = |holds: Vec<Hold>| Run { holds, ..good.clone() };
    let before = (timeline.hash(), trace(&timeline), timeline.position(), timeline.end());
    for (run, words) in [
        (inputs(vec![serial(9), serial(8)]), "not ascending"),
        (inputs(vec![serial(20_001)]), "beyond the run's end"),
        (inputs(vec![nmi]), "CPU 2"),
        (inputs(vec![edit("rsi"), edit("nonsense")]), "nonsense"),
        (holds(vec![hold(5, 0, 0)]), "empty"),
        (holds(vec![hold(5, 10, 0), hold(14, 1, 1)]), "overlaps"),
        (holds(vec![hold(u64::MAX, 2, 0)]), "beyond"),
        (holds(vec![hold(5, 1, 7)]), "CPU 7"),
        // CPU 1 waits for its start-up IPI there: it cannot make a step.
        (holds(vec![hold(5, 1, 1)]), "further than position 5"),
    ] {
        let why = load(&mut timeline, &run).unwrap_err();
        assert!(why.contains(words), "{words}: {why}");
        assert!(before == (timeline.hash(), trace(&timeline), timeline.position(), timeline.end()), "{words}");
        assert_eq!(saved(&timeline, 2), good, "{words}");
    }
    timeline.undo().unwrap();
    assert_eq!(timeline.end(), Position(30_000));
}

//! Causes: which step gave something its value.

use crate::guest::{self, advance, back, forward, run_to, timeline};
use crate::trace;
use fastrand::Rng;
use machine::timeline::Timeline;
use protocol::request::{Advance, Cause, CauseOf, Edit, Place, Refusal, StopReason, Until};
use protocol::{CpuId, LinearAddr, PhysAddr, Position};

/// Enough for all that these tests look for.
const BUDGET: u64 = 1 << 40;

fn register(cpu: u16, name: &str) -> CauseOf {
    CauseOf::Register { cpu: CpuId(cpu), name: name.into() }
}

/// Asks, and sees that the machine is as if nobody had.
fn cause(timeline: &mut Timeline, of: &CauseOf) -> Option<Cause> {
    let before = (timeline.hash(), trace(timeline), timeline.end(), timeline.epoch(), timeline.moved_cpu());
    let cause = timeline.cause(of, BUDGET).unwrap_or_else(|refusal| panic!("{of:?}: {refusal:?}"));
    assert!(before == (timeline.hash(), trace(timeline), timeline.end(), timeline.epoch(), timeline.moved_cpu()));
    cause
}

/// The value itself, by a way of its own.
fn value(timeline: &Timeline, of: &CauseOf) -> u64 {
    let machine = timeline.machine();
    match of {
        CauseOf::Register { cpu, name } => {
            let state = machine::inspect::cpu_state(machine, *cpu).unwrap();
            match name.as_str() {
                "rax" => state.gpr[0],
                "rsi" => state.gpr[6],
                "rip" => state.ip,
                "ds_base" => state.segments[3].base,
                other => panic!("{other}"),
            }
        }
        CauseOf::Memory { phys, len } => {
            let (mut bytes, _) = machine::inspect::memory(machine, Place::Phys(*phys), usize::from(*len));
            bytes.resize(8, 0);
            u64::from_le_bytes(bytes.try_into().unwrap())
        }
    }
}

/// Goal: the cause is the last step that changed the value, whoever made it; method: step
/// through the end of random runs with input, edits and holds, and compare.
#[test]
fn as_found_by_hand() {
    for (cpus, seed) in [(1, None), (4, None), (4, Some(3))] {
        let mut random = Rng::with_seed(17 + u64::from(cpus) + seed.unwrap_or(0));
        let mut timeline = timeline(cpus, seed);
        for round in 0..6 {
            let to = timeline.end().0 + 20_000 + random.u64(..30_000);
            let end = timeline.end();
            timeline.seek(end).unwrap();
            run_to(&mut timeline, to);
            match round % 3 {
                0 => timeline.serial_input(b"abc"),
                1 => {
                    let edit = Edit::Register { cpu: CpuId(0), name: "rsi".into(), value: random.u64(..) & 0xffff };
                    timeline.edit(&edit).unwrap();
                }
                _ => {
                    let cpu = Some(CpuId(cpus - 1));
                    let hold = Advance { cpu, hold_others: true, ..forward(Until::Steps(50)) };
                    advance(&mut timeline, &hold);
                }
            }
            let last = cpus - 1;
            let counter = CauseOf::Memory { phys: PhysAddr(guest::COUNTER), len: 2 };
            for of in
                [register(0, "rax"), register(last, "rsi"), register(last, "ds_base"), register(0, "rip"), counter]
            {
                let here = timeline.position();
                let found = cause(&mut timeline, &of);
                let now = value(&timeline, &of);
                // By hand: step through the last 400.
                timeline.seek(Position(here.0 - 400)).unwrap();
                let (mut by_hand, mut last) = (None, value(&timeline, &of));
                while timeline.position() < here {
                    advance(&mut timeline, &forward(Until::Steps(1)));
                    let next = value(&timeline, &of);
                    if next != last {
                        by_hand = Some((timeline.position().0, last));
                        last = next;
                    }
                }
                match (&found, by_hand) {
                    (Some(found), Some((position, old))) => {
                        assert_eq!((found.position.0, found.old, found.new), (position, old, now), "{of:?}");
                    }
                    (Some(found), None) => assert!(found.position.0 + 400 <= here.0, "{of:?}: {found:?}"),
                    (None, by_hand) => assert_eq!(by_hand, None, "{of:?}"),
                }
                if let Some(found) = found {
                    timeline.seek(found.position).unwrap();
                    assert_eq!(value(&timeline, &of), now, "{of:?}: {found:?}");
                    if let Some(cpu) = found.cpu {
                        assert_eq!(timeline.moved_cpu().filter(|_| here.0 < found.position.0), None);
                        assert_eq!(timeline.machine().last_cpu(), Some(cpu), "{of:?}: {found:?}");
                        timeline.seek(Position(found.position.0 - 1)).unwrap();
                        assert_eq!(value(&timeline, &of), found.old, "{of:?}: {found:?}");
                        if let Some(linear) = found.linear {
                            let state = machine::inspect::cpu_state(timeline.machine(), cpu).unwrap();
                            assert_eq!(state.linear_pc(), linear, "{of:?}: {found:?}");
                        }
                    }
                }
                timeline.seek(here).unwrap();
            }
        }
    }
}

/// Goal: what came from outside is told as that, start-up IPIs by name, and what was never changed has no cause; method:
/// one of each.
#[test]
fn words() {
    let mut timeline = timeline(2, None);
    assert_eq!(cause(&mut timeline, &register(0, "rax")), None);
    run_to(&mut timeline, 30_000);
    assert_eq!(cause(&mut timeline, &register(0, "star")), None);
    // The other processor's CS came with its start-up IPI, vector 8.
    let found = cause(&mut timeline, &register(1, "cs_base")).unwrap();
    assert_eq!((found.what.as_str(), found.cpu, found.linear, found.new), ("SIPI 08", Some(CpuId(1)), None, 0x8000));
    let edit = Edit::Register { cpu: CpuId(1), name: "cr4".into(), value: 0x80 };
    timeline.edit(&edit).unwrap();
    let found = cause(&mut timeline, &register(1, "cr4")).unwrap();
    let expected = (Position(30_000), None, "an edit", 0, 0x80);
    assert_eq!((found.position, found.cpu, found.what.as_str(), found.old, found.new), expected);
    timeline.edit(&Edit::Memory { at: Place::Phys(PhysAddr(0xf_0000)), bytes: vec![7] }).unwrap();
    run_to(&mut timeline, 230_000);
    let found = cause(&mut timeline, &CauseOf::Memory { phys: PhysAddr(0xf_0000), len: 16 }).unwrap();
    assert_eq!((found.position, found.what.as_str(), found.new), (Position(30_000), "an edit", 7));
    // A reset in between gives registers their values from power-on.
    timeline.reset();
    run_to(&mut timeline, 230_010);
    let found = cause(&mut timeline, &register(1, "cr4")).unwrap();
    assert_eq!((found.position, found.what.as_str()), (Position(230_000), "a reset by the user"));
    // An instruction, in both syntaxes: mov sp, 0x7000.
    let found = cause(&mut timeline, &register(0, "rsp")).unwrap();
    assert_eq!((found.what.as_str(), found.what_att.as_str()), ("mov sp, 0x7000", "mov $0x7000,%sp"));
    assert!(found.linear.is_some() && found.new == 0x7000);
}

/// Goal: nobody is said to have asked for the reset that follows a shutdown. Method: a register with a value from before a triple
/// fault, after the machine ran on from it.
#[test]
fn reset_after_shutdown() {
    // lidt cs:[7C10h] (limit 0), ud2
    let mut code = vec![0x2e, 0x0f, 0x01, 0x1e, 0x10, 0x7c, 0x0f, 0x0b];
    code.resize(0x20, 0);
    let mut timeline = crate::timeline_of(guest::with_code(&code));
    timeline.edit(&Edit::Register { cpu: CpuId(0), name: "rbx".into(), value: 5 }).unwrap();
    let stop = StopReason::TripleFault { cpu: CpuId(0) };
    assert_eq!(advance(&mut timeline, &forward(Until::Breakpoint)), stop);
    assert_eq!(advance(&mut timeline, &forward(Until::Breakpoint)), stop, "the same again, after a reset");
    let found = cause(&mut timeline, &register(0, "rbx")).unwrap();
    assert_eq!((found.position, found.old, found.new), (Position(2), 5, 0));
    assert_eq!(found.what, "the reset that followed the shutdown");
}

/// Goal: what cannot be asked is refused, and a search that would take too long says how far it came; method: bad names
/// and places, and a budget of one stretch.
#[test]
fn refusals() {
    let mut timeline = timeline(2, None);
    run_to(&mut timeline, 400_000);
    let before = timeline.hash();
    let memory = |paddr, len| CauseOf::Memory { phys: PhysAddr(paddr), len };
    for of in [
        register(9, "rax"),
        register(0, "ax"),
        memory(0, 0),
        memory(0, 17),
        memory(1 << 20, 1),
        memory((1 << 20) - 1, 2),
        memory(u64::MAX, 16),
    ] {
        assert!(matches!(timeline.cause(&of, BUDGET), Err(Refusal::Invalid(_))), "{of:?}");
    }
    let Err(Refusal::Invalid(why)) = timeline.cause(&register(0, "dr0"), 70_000) else { panic!("it has no cause") };
    assert!(why.contains("400000"), "{why}");
    assert_eq!(timeline.cause(&register(0, "dr0"), BUDGET), Ok(None));
    assert_eq!((timeline.hash(), timeline.position()), (before, Position(400_000)));
    // From a place in the past only what lies before it counts.
    assert!(matches!(advance(&mut timeline, &back(Until::Steps(399_000))), StopReason::Reached));
    assert!(cause(&mut timeline, &register(0, "rax")).is_none_or(|found| found.position <= Position(1000)));
}

/// Goal: on the real kernel, CPU 1's CR3 at start_secondary comes from the MOV at ss_load_cr3, EFER.LMA's bit from the
/// MOV that set PG, and CS from the SIPI or a far jump; method: run there, ask, compare with the profile's names.
#[test]
fn kernel() {
    let Ok(path) = std::env::var("FIRSTLIGHT_KERNEL") else {
        return eprintln!("FIRSTLIGHT_KERNEL is not set: the kernel's part is not run");
    };
    let image = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let profile = path.replace("kernel.elf", "kernel.profile.json");
    let text = std::fs::read(&profile).unwrap_or_else(|error| panic!("{profile}: {error}"));
    let profile: protocol::profile::Profile = serde_json::from_slice(&text).unwrap();
    let symbol = |name: &str| {
        let found = profile.symbols.iter().find(|symbol| symbol.name == name);
        LinearAddr(found.unwrap_or_else(|| panic!("the kernel has no symbol {name}")).linear)
    };
    let mut timeline = guest::timeline_of(guest::kernel_with_memory(&image, 2, None, 128 << 20));
    let arrive = Advance { cpu: Some(CpuId(1)), budget: 1 << 32, ..forward(Until::Address(symbol("start_secondary"))) };
    assert_eq!(advance(&mut timeline, &arrive), StopReason::Reached);
    let start = std::time::Instant::now();
    let found = cause(&mut timeline, &register(1, "cr3")).unwrap();
    eprintln!("cr3 at {}: {:?} of {}, {:?}", timeline.position(), found, timeline.position(), start.elapsed());
    assert_eq!((found.cpu, found.linear), (Some(CpuId(1)), Some(symbol("ss_load_cr3"))));
    assert!(found.what.starts_with("mov cr3, "), "{}", found.what);
    assert_ne!(found.old, found.new);
    let found = cause(&mut timeline, &register(1, "efer")).unwrap();
    assert!(found.what.starts_with("mov cr0, ") && found.old | 1 << 10 == found.new, "{found:?}");
    let found = cause(&mut timeline, &register(0, "cr3")).unwrap();
    assert!(found.what.starts_with("mov cr3, "), "{found:?}");
    // Far on, when the machine has long been idle: the same answer, and soon.
    let later = Advance { budget: 3_000_000, ..forward(Until::Breakpoint) };
    advance(&mut timeline, &later);
    let start = std::time::Instant::now();
    let again = cause(&mut timeline, &register(0, "cr3")).unwrap();
    eprintln!("cr3 of CPU 0 from {}: {:?}", timeline.position(), start.elapsed());
    assert_eq!(again, found);
}

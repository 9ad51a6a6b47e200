//! Forks: a machine of its own that begins where another stands.

use crate::guest::{self, advance, back, forward, run_to, timeline};
use crate::trace;
use fastrand::Rng;
use protocol::breakpoint::EventFilter;
use protocol::request::{Advance, Edit, Place, StopReason, Until};
use protocol::{CpuId, PhysAddr, Position};
use std::time::{Duration, Instant};

/// Enough for a fork's history.
const HISTORY: usize = 16 << 20;

/// Goal: a fork has the same future, and neither notices the other; method: fork in the middle, also out of an older
/// fork that went elsewhere, run both, change one.
#[test]
fn same_future() {
    for (cpus, seed) in [(1, None), (4, Some(3)), (64, None)] {
        let mut timeline = timeline(cpus, seed);
        run_to(&mut timeline, 30_000);
        timeline.serial_input(b"input that does not fit into the FIFO at once");
        run_to(&mut timeline, 40_000);
        let (here, before) = (timeline.hash(), trace(&timeline));
        let mut spare = None;
        for _ in 0..3 {
            let mut fork = timeline.fork(spare.take(), HISTORY);
            assert_eq!(
                (fork.position(), fork.start(), fork.end()),
                (Position(40_000), Position(40_000), Position(40_000))
            );
            assert_eq!((fork.hash(), fork.can_undo()), (here, false));
            assert_eq!(fork.console(0).total, timeline.console(0).total);
            assert!(fork.console(0).bytes.is_empty() && fork.events(Position(0), Position(u64::MAX), 9).is_empty());
            run_to(&mut fork, 90_000);
            let ahead = fork.hash();
            let at = Place::Phys(PhysAddr(0x9000));
            fork.edit(&Edit::Memory { at, bytes: vec![1, 2, 3] }).unwrap();
            run_to(&mut fork, 95_000);
            assert!(timeline.hash() == here && trace(&timeline) == before);
            let mut original = timeline.fork(None, HISTORY);
            run_to(&mut original, 90_000);
            assert_eq!(original.hash(), ahead);
            spare = Some(fork);
        }
        let last = spare.unwrap();
        run_to(&mut timeline, 90_000);
        let mut edited = timeline.fork(None, HISTORY);
        edited.edit(&Edit::Memory { at: Place::Phys(PhysAddr(0x9000)), bytes: vec![1, 2, 3] }).unwrap();
        run_to(&mut edited, 95_000);
        assert_eq!(edited.hash(), last.hash());
        // All that the fork put out is what the machine would have.
        let text = timeline.console(before.1.len() as u64).bytes;
        assert!(last.console(0).bytes.starts_with(&text));
    }
}

/// Goal: a fork goes back to where it began and no further, however it is asked; method: each kind of run backwards, from
/// random places.
#[test]
fn back_to_its_beginning() {
    let mut random = Rng::with_seed(5);
    let mut timeline = timeline(4, Some(9));
    run_to(&mut timeline, 50_000);
    let mut fork = timeline.fork(None, HISTORY);
    let first = fork.hash();
    assert_eq!(advance(&mut fork, &back(Until::Steps(1))), StopReason::StartOfTime);
    assert!(fork.seek(Position(49_999)).is_err());
    let kinds = [
        Until::Steps(1 << 40),
        Until::Breakpoint,
        Until::Event(EventFilter::TripleFault),
        Until::Address(protocol::LinearAddr(1)),
        Until::Out,
        Until::Over,
    ];
    for until in kinds {
        for cpu in [None, Some(CpuId(0)), Some(CpuId(2))] {
            if cpu.is_none() && matches!(until, Until::Out | Until::Over) {
                continue;
            }
            run_to(&mut fork, 50_000 + 1 + random.u64(..100_000));
            // A step back over is one step at a time.
            let mut reason = StopReason::Reached;
            while reason == StopReason::Reached {
                reason = advance(&mut fork, &Advance { cpu, ..back(until.clone()) });
                assert!(fork.position() >= fork.start(), "{until:?}");
                if matches!(until, Until::Over | Until::Out) {
                    break;
                }
            }
            assert!(matches!(reason, StopReason::StartOfTime | StopReason::Reached), "{until:?}: {reason:?}");
            fork.seek(Position(50_000)).unwrap();
            assert_eq!(fork.hash(), first, "{until:?}");
        }
    }
}

/// Goal: a fork of the real kernel's machine takes a few milliseconds, and less once there is an older one; method: boot
/// 128 MiB with 4 and with 64 CPUs, fork on the way and at the end.
#[test]
fn kernel_forks_quickly() {
    let Ok(path) = std::env::var("FIRSTLIGHT_KERNEL") else {
        return eprintln!("FIRSTLIGHT_KERNEL is not set: the kernel's part is not run");
    };
    let image = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    for cpus in [4, 64] {
        let mut timeline = guest::timeline_of(guest::kernel_with_memory(&image, cpus, None, 128 << 20));
        let online = Until::Event(EventFilter::Online(cpus));
        let mut spare = None;
        let (mut first, mut again) = (Vec::new(), Vec::new());
        while advance(&mut timeline, &Advance { budget: 20_000, ..forward(online.clone()) }) == StopReason::Budget {
            let start = Instant::now();
            let fork = timeline.fork(None, HISTORY);
            first.push(start.elapsed());
            drop(fork);
            let start = Instant::now();
            let mut fork = timeline.fork(spare.take(), HISTORY);
            again.push(start.elapsed());
            assert_eq!(fork.position(), timeline.position());
            advance(&mut fork, &forward(Until::Steps(10_000)));
            spare = Some(fork);
        }
        first.sort();
        again.sort();
        let median = |times: &[Duration]| times[times.len() / 2];
        eprintln!("{cpus} CPUs: a fork takes {:?}, with a spare {:?} (medians)", median(&first), median(&again));
        // Far above what it takes, so that a busy host does not fail it; a copy of all RAM would.
        assert!(median(&first) < Duration::from_millis(30) && median(&again) < Duration::from_millis(15));
    }
}

//! Does work side by side: boots on QEMU, each of which is busy on one processor and waits now and then, and parts of the tests.

use super::Report;
use anyhow::{Context, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How many at a time. What CI runs on has as many processors; more would only make each slower.
pub const AT_ONCE: usize = 2;

/// Does `work` for each job, the first ones first. Each gets its index.
pub fn each<J: Sync>(jobs: &[J], work: impl Fn(usize, &J) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { break };
                    work(index, job);
                }
            });
        }
    });
}

/// Tries each job, and takes note of what came out in the jobs' order. Each gets its index, to have files of its own.
pub fn run<J: Sync>(
    report: &mut Report,
    jobs: &[J],
    name: impl Fn(&J) -> String,
    work: impl Fn(usize, &J) -> Result<()> + Sync,
) {
    let done: Vec<Mutex<Option<_>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    each(jobs, |index, job| {
        let start = Instant::now();
        let result = work(index, job);
        if let Some(Ok(mut place)) = done.get(index).map(Mutex::lock) {
            *place = Some((result, start.elapsed()));
        }
    });
    for (job, outcome) in jobs.iter().zip(done) {
        match outcome.into_inner().ok().flatten().context("it was not run") {
            Ok((result, time)) => report.case_that_took(&name(job), time, result),
            Err(error) => report.case(&name(job), Err(error)),
        }
    }
}

//! Runs test cases side by side: boots on QEMU, each of which is busy on one processor and waits now and then.

use super::Report;
use anyhow::{Context, Result};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many at a time. What CI runs on has as many processors; more would only make each slower.
const AT_ONCE: usize = 2;

/// Does `work` for each job, and takes note of what came out in the jobs' order. Each gets its index, to have files of its own.
pub fn run<J: Sync>(
    report: &mut Report,
    jobs: &[J],
    name: impl Fn(&J) -> String,
    work: impl Fn(usize, &J) -> Result<()> + Sync,
) {
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Result<()>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(job), Some(place)) = (jobs.get(index), done.get(index)) else { break };
                    let result = work(index, job);
                    if let Ok(mut place) = place.lock() {
                        *place = Some(result);
                    }
                }
            });
        }
    });
    for (job, result) in jobs.iter().zip(done) {
        let result = result.into_inner().ok().flatten().context("it was not run").and_then(|result| result);
        report.case(&name(job), result);
    }
}

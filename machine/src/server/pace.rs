//! How many steps fit in a piece of a run, so that the driver is back in a few milliseconds.

use std::time::Duration;

/// Host time for one piece of a run.
const PIECE_TIME: Duration = Duration::from_millis(3);
/// Bounds of a piece's steps.
const PIECE_STEPS: std::ops::RangeInclusive<u64> = 2_000..=1_000_000;

/// Steps for a piece, from how fast the last ones went.
#[derive(Debug)]
pub(super) struct Pace {
    steps: u64,
}

impl Default for Pace {
    /// Of a slow host in a slow build: it learns quickly.
    fn default() -> Self {
        Self { steps: *PIECE_STEPS.start() * 10 }
    }
}

impl Pace {
    /// So many fit.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// So many took so long.
    pub(super) fn learn(&mut self, steps: u64, took: Duration) {
        // Short runs say nothing about speed.
        if steps >= self.steps / 2 {
            let fitting = u128::from(steps) * PIECE_TIME.as_nanos() / took.as_nanos().max(1);
            let fitting = u64::try_from(fitting).unwrap_or(u64::MAX);
            self.steps = fitting.min(self.steps.saturating_mul(4)).clamp(*PIECE_STEPS.start(), *PIECE_STEPS.end());
        } else if took > PIECE_TIME * 2 {
            self.steps = (self.steps / 2).max(*PIECE_STEPS.start());
        }
    }
}

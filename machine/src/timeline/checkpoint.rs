//! Checkpoints: snapshots to come back to, dense around now and thinned with distance inside a memory budget.

use crate::machine::Snapshot;
use protocol::CpuId;
use std::sync::Arc;

/// Steps between two checkpoints where nothing was thinned: some 1.5 ms of replay.
pub(super) const SPACING: u64 = 1 << 16;
/// The same where nobody wants to go back: half a second of replay to the place before an instruction that is lacking.
const SPARSE_SPACING: u64 = 1 << 24;
/// At most so many, whatever they cost: choosing the one to drop looks at each.
const MAX_COUNT: usize = 4096;

/// A snapshot and how far the journal was applied when it was taken.
#[derive(Debug)]
pub(super) struct Checkpoint {
    pub snapshot: Snapshot,
    /// Inputs of the journal that are in it.
    pub applied: usize,
}

impl Checkpoint {
    pub fn position(&self) -> u64 {
        self.snapshot.position().0
    }

    fn order(&self) -> (u64, usize) {
        (self.position(), self.applied)
    }
}

#[derive(Clone, Debug)]
struct Kept {
    checkpoint: Arc<Checkpoint>,
    /// What it costs beyond the one before it.
    cost_bytes: usize,
}

/// All of them, ascending. The first, where the timeline begins, stays for ever.
#[derive(Clone, Debug)]
pub(super) struct Checkpoints {
    list: Vec<Kept>,
    cost_bytes: usize,
    budget_bytes: usize,
}

impl Checkpoints {
    pub fn new(first: Snapshot, budget_bytes: usize) -> Self {
        let checkpoint = Arc::new(Checkpoint { snapshot: first, applied: 0 });
        Self { list: vec![Kept { checkpoint, cost_bytes: 0 }], cost_bytes: 0, budget_bytes }
    }

    /// Steps between two of them where nothing was thinned.
    pub fn spacing(&self) -> u64 {
        if self.budget_bytes == 0 { SPARSE_SPACING } else { SPACING }
    }

    /// The first one: where the timeline begins.
    pub fn first(&self) -> &Checkpoint {
        &self.list[0].checkpoint
    }

    /// Index of the last one at or before a position.
    fn index_before(&self, position: u64) -> usize {
        self.list.partition_point(|kept| kept.checkpoint.position() <= position).saturating_sub(1)
    }

    /// The last one at or before a position.
    pub fn before(&self, position: u64) -> &Arc<Checkpoint> {
        &self.list[self.index_before(position)].checkpoint
    }

    /// The last one at which a CPU had made at most so many steps.
    pub fn before_cpu_step(&self, cpu: CpuId, steps: u64) -> &Arc<Checkpoint> {
        let after = self.list.partition_point(|kept| kept.checkpoint.snapshot.cpu_steps(cpu) <= steps);
        &self.list[after.saturating_sub(1)].checkpoint
    }

    /// Adds one taken at `now`, then thins: the one whose absence costs least in relation to its distance from now.
    pub fn insert(&mut self, checkpoint: Arc<Checkpoint>) {
        let now = checkpoint.position();
        let at = self.list.partition_point(|kept| kept.checkpoint.order() < checkpoint.order());
        if at == 0 || self.list.get(at).is_some_and(|kept| kept.checkpoint.order() == checkpoint.order()) {
            return;
        }
        self.list.insert(at, Kept { checkpoint, cost_bytes: 0 });
        self.price(at);
        self.price(at + 1);
        while (self.cost_bytes > self.budget_bytes || self.list.len() > MAX_COUNT) && self.drop_one(now) {}
    }

    /// Counts again what one costs beyond the one before it.
    fn price(&mut self, at: usize) {
        if at == 0 || at >= self.list.len() {
            return;
        }
        let cost = self.list[at].checkpoint.snapshot.cost_bytes(&self.list[at - 1].checkpoint.snapshot);
        self.cost_bytes = self.cost_bytes - self.list[at].cost_bytes + cost;
        self.list[at].cost_bytes = cost;
    }

    fn drop_one(&mut self, now: u64) -> bool {
        let position = |index: usize| self.list[index].checkpoint.position();
        // Gap that it would leave, over its distance: compared as a product, without rounding.
        let least = (1..self.list.len().saturating_sub(1)).filter(|&index| position(index) != now).min_by(|&a, &b| {
            let gap = |index: usize| u128::from(position(index + 1) - position(index - 1));
            let distance = |index: usize| u128::from(position(index).abs_diff(now) + SPACING);
            (gap(a) * distance(b)).cmp(&(gap(b) * distance(a)))
        });
        let Some(index) = least else { return false };
        let dropped = self.list.remove(index);
        self.cost_bytes -= dropped.cost_bytes;
        self.price(index);
        true
    }

    /// Takes away those after a place in the run: later positions, or inputs that are no longer in the journal.
    pub fn split_off(&mut self, position: u64, applied: usize) -> Vec<Arc<Checkpoint>> {
        let at = self.list.partition_point(|kept| kept.checkpoint.order() <= (position, applied));
        let tail = self.list.split_off(at);
        self.cost_bytes -= tail.iter().map(|kept| kept.cost_bytes).sum::<usize>();
        tail.into_iter().map(|kept| kept.checkpoint).collect()
    }
}

//! Which CPU makes the next step: round-robin with a quantum, or drawn from a seed.
//!
//! Asked by [`crate::machine`] at the start of each slice. The place in it is state: it is in checkpoints and in the
//! hash, and neither stopping nor breakpoints touch it, so that looking never changes the order. CPUs that wait take
//! no turns. A run by hand (others held) is not the schedule's: it stands still meanwhile, see
//! [`crate::timeline::journal`].

use crate::random::SplitMix64;
use protocol::CpuId;

/// Steps of a slice if nothing else is asked for.
pub const DEFAULT_QUANTUM: u32 = 64;

/// Steps that a CPU without company makes in a row of slices, about.
const SLICES_ALONE: u32 = 1 << 14;

/// The configuration and the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    quantum: u32,
    random: Option<SplitMix64>,
    /// Whose slice it is, or was last.
    current: u16,
    /// Steps left of it.
    left: u32,
}

impl Schedule {
    /// Before the first step. `quantum`: steps of a slice, or their mean where `seed` draws them.
    pub fn new(quantum: u32, seed: Option<u64>) -> Self {
        Self { quantum: quantum.max(1), random: seed.map(SplitMix64::new), current: 0, left: 0 }
    }

    /// Begins or goes on with a slice: whose it is and how many steps are left of it. None: nobody `can_step`.
    ///
    /// Round-robin takes the next index that can step. A seeded schedule draws one of those that can step, each with the
    /// same chance, then a length of 1 to 2 * quantum - 1 steps; it draws only when a slice begins.
    pub fn slice(&mut self, cpus: u16, can_step: impl Fn(CpuId) -> bool) -> Option<(CpuId, u32)> {
        if self.left != 0 && can_step(CpuId(self.current)) {
            return Some((CpuId(self.current), self.left));
        }
        let chosen = match &mut self.random {
            None => (1..=cpus).map(|ahead| CpuId((self.current + ahead) % cpus)).find(|&cpu| can_step(cpu))?,
            Some(random) => {
                let able = (0..cpus).filter(|&cpu| can_step(CpuId(cpu))).count() as u64;
                if able == 0 {
                    return None;
                }
                let drawn = random.below(able) as usize;
                (0..cpus).map(CpuId).filter(|&cpu| can_step(cpu)).nth(drawn)?
            }
        };
        self.current = chosen.0;
        self.left = match &mut self.random {
            None => self.quantum,
            Some(random) => 1 + random.below(u64::from(self.quantum) * 2 - 1) as u32,
        };
        Some((chosen, self.left))
    }

    /// How many steps of a slice and of those after it come without another CPU's, where no other CPU can step: more than
    /// its own where nothing need be drawn for the next.
    #[inline]
    pub fn alone(&self) -> u32 {
        let more = if self.random.is_none() { (SLICES_ALONE / self.quantum) * self.quantum } else { 0 };
        self.left.saturating_add(more)
    }

    /// So many steps of the slice were made, or of a row of slices of the same CPU.
    #[inline]
    pub fn spend(&mut self, steps: u32) {
        self.left = match self.left.checked_sub(steps) {
            Some(left) => left,
            None => match (steps - self.left) % self.quantum {
                0 => 0,
                begun => self.quantum - begun,
            },
        };
    }

    /// Configuration and place in a fixed order, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        put(u64::from(self.quantum) | u64::from(self.left) << 32);
        put(u64::from(self.current));
        put(self.random.is_some().into());
        put(self.random.map_or(0, |random| random.state()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a row of slices of one CPU leaves the schedule where single steps do; method: rows of any length.
    #[test]
    fn alone() {
        for steps in 1..400 {
            let mut row = Schedule::new(64, None);
            let (_, left) = row.slice(4, |cpu| cpu.0 == 2).unwrap();
            row.spend(3);
            row.slice(4, |cpu| cpu.0 == 2).unwrap();
            assert!(row.alone() > 400 && left == 64);
            let mut single = row;
            row.spend(steps);
            for _ in 0..steps {
                single.slice(4, |cpu| cpu.0 == 2).unwrap();
                single.spend(1);
            }
            assert_eq!(row, single, "{steps}");
        }
    }

    /// Goal: waiting CPUs take no turns, and the rest go round; method: four CPUs, one of which waits.
    #[test]
    fn round_robin() {
        let mut schedule = Schedule::new(2, None);
        let mut turns = Vec::new();
        for _ in 0..8 {
            let (cpu, _) = schedule.slice(4, |cpu| cpu.0 != 2).unwrap();
            schedule.spend(1);
            turns.push(cpu.0);
        }
        assert_eq!(turns, [1, 1, 3, 3, 0, 0, 1, 1]);
        assert_eq!(schedule.slice(4, |_| false), None);
    }

    /// Goal: every CPU gets turns and the mean length is the quantum; method: 10,000 slices of one seed.
    #[test]
    fn seeded() {
        let mut schedule = Schedule::new(64, Some(42));
        let (mut turns, mut steps) = ([0u32; 4], 0u64);
        for _ in 0..10_000 {
            let (cpu, left) = schedule.slice(4, |_| true).unwrap();
            turns[usize::from(cpu.0)] += 1;
            steps += u64::from(left);
            schedule.spend(left);
        }
        assert!(turns.iter().all(|&count| (2300..2700).contains(&count)), "{turns:?}");
        assert!((62 * 10_000..66 * 10_000).contains(&steps), "{steps}");
    }
}

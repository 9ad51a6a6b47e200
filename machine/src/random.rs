//! Numbers that a seed determines: the schedule's, RDRAND's, those of peculiar processors.

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014): 64 bits of state, every
/// seed is as good as another, and the whole generator is four lines that anybody can write again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SplitMix64(u64);

/// What the state grows by with each number.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitMix64 {
    /// The sequence that begins with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence for the CPU of this number on a machine of this seed: each CPU has one of its own.
    pub fn of_cpu(seed: u64, cpu: u16) -> Self {
        Self(mix(seed ^ mix(u64::from(cpu).wrapping_add(1).wrapping_mul(GOLDEN))))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// 0 to `bound` - 1: the high half of the product, whose bias of bound / 2^64 nobody can see.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// For the state hash.
    pub fn state(self) -> u64 {
        self.0
    }
}

fn mix(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the generator is the published one; method: its first outputs for seed 1234567 (Rosetta Code's check values).
    #[test]
    fn known_numbers() {
        let mut random = SplitMix64::new(1_234_567);
        let drawn = [(); 3].map(|()| random.draw());
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    /// Goal: the same seed draws the same, another seed or CPU something else; method: three numbers of each.
    #[test]
    fn sequences_of_cpus() {
        let three = |seed, cpu| {
            let mut random = SplitMix64::of_cpu(seed, cpu);
            [(); 3].map(|()| random.draw())
        };
        assert_eq!(three(5, 1), three(5, 1));
        for other in [three(6, 1), three(5, 2), three(0, 0)] {
            assert!(three(5, 1).iter().all(|number| !other.contains(number)));
        }
    }
}

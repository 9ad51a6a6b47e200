//! What RDRAND and RDSEED give: a sequence of the CPU's own, which the machine's seed begins, so that each run draws the same.

/// A generator: SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Random(u64);

/// What the state grows by with each draw.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The sequence of the CPU of this number on a machine of this seed.
    pub fn new(seed: u64, cpu: u16) -> Self {
        Self(mix(seed ^ mix(u64::from(cpu).wrapping_add(1).wrapping_mul(GOLDEN))))
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// For the state hash.
    pub fn state(&self) -> u64 {
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

    /// Goal: the same seed draws the same, another seed or CPU something else; method: three numbers of each.
    #[test]
    fn sequences() {
        let three = |seed, cpu| {
            let mut random = Random::new(seed, cpu);
            [random.draw(), random.draw(), random.draw()]
        };
        assert_eq!(three(5, 1), three(5, 1));
        for other in [three(6, 1), three(5, 2), three(0, 0)] {
            assert!(three(5, 1).iter().all(|number| !other.contains(number)));
        }
        // The generator's published first output for seed 1234567.
        assert_eq!(Random(1_234_567).draw(), 6_457_827_717_110_365_317);
    }
}

//! Operands that are worth trying: the edges of each format, and random ones near them.

/// Random operands, the same in each run.
pub struct Random(fastrand::Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub fn next(&mut self) -> u64 {
        self.0.u64(..)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0.u64(..limit)
    }

    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// A significand with few or many bits.
    fn fraction(&mut self, bits: u32) -> u64 {
        let all = u64::MAX >> (64 - bits);
        let value = match self.below(6) {
            0 => 0,
            1 => all,
            2 => 1,
            3 => 1 << self.below(bits.into()),
            4 => all << self.below(bits.into()),
            _ => self.next(),
        };
        value & all
    }

    /// A biased exponent of a format: zero, denormal, tiny, about one, huge, infinite.
    fn exponent(&mut self, max: u64) -> u64 {
        let bias = max / 2;
        match self.below(10) {
            0 | 1 => 0,
            2 => max,
            3 => 1 + self.below(3),
            4 => max - 1 - self.below(3),
            5 => self.below(max),
            6 => bias / 2 + self.below(60),
            _ => bias - 35 + self.below(70),
        }
    }

    pub fn single(&mut self) -> u32 {
        (self.below(2) << 31 | self.exponent(0xff) << 23 | self.fraction(23)) as u32
    }

    pub fn double(&mut self) -> u64 {
        self.below(2) << 63 | self.exponent(0x7ff) << 52 | self.fraction(52)
    }

    /// Double extended, sometimes of the encodings that are no longer supported.
    pub fn extended(&mut self) -> u128 {
        let exponent = self.exponent(0x7fff);
        let integer = if self.below(16) == 0 { self.below(2) } else { u64::from(exponent != 0) };
        let significand = integer << 63 | self.fraction(63);
        u128::from(self.below(2) << 15 | exponent) << 64 | u128::from(significand)
    }

    /// An integer of any size, small ones often.
    pub fn integer(&mut self) -> u64 {
        let value = self.next() >> self.below(64);
        if self.below(2) == 0 { value } else { value.wrapping_neg() }
    }
}

//! Numbers that differ for each learner, and are the same each time for one: drawn from a seed, never from chance.
//!
//! A learner's seed is 8 bytes of a hash. Alone it is drawn once by whoever stores progress; in a class it is
//! [`seed_for`] of course, student and lesson, so that a teacher can replay what a student saw. From it [`Drawn::draw`]
//! makes each number of a lesson's `[vary]`: BLAKE3, in derive-key mode with the contexts below, over the parts, each
//! preceded by its length (8 bytes, little endian); the first 8 bytes of the result, little endian. The number is
//! `from + hash % (to - from + 1)`, times `times`; the parts are the seed, the number's name and the attempt, from 0, which
//! goes up while the number is one that must not come.

use blake3::Hasher;

/// Context of [`seed_for`].
const SEED_CONTEXT: &str = "Firstlight 2026 lesson seed: course, student, lesson";
/// Context of [`Drawn::draw`].
const DRAW_CONTEXT: &str = "Firstlight 2026 lesson number: seed, name, attempt";
/// Context of [`hash_of`].
const MEMORY_CONTEXT: &str = "Firstlight 2026 hash of memory in an expression";

/// A number that a lesson draws.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vary {
    /// Its name in expressions.
    pub name: String,
    /// The least.
    pub from: u64,
    /// The greatest.
    pub to: u64,
    /// What it is multiplied by then.
    pub times: u64,
    /// Numbers that must not come, before the multiplication.
    pub not: Vec<u64>,
    /// Names of numbers, drawn before, that it must differ from.
    pub distinct_from: Vec<String>,
}

/// What was drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawn {
    /// Names and numbers, in the lesson's order.
    pub numbers: Vec<(String, u64)>,
}

/// Attempts before the first number that is allowed is taken.
const ATTEMPTS: u64 = 256;

impl Drawn {
    /// Draws a lesson's numbers.
    pub fn draw(seed: u64, vary: &[Vary]) -> Self {
        let mut drawn = Self::default();
        for number in vary {
            let value = number.draw(seed, &drawn);
            drawn.numbers.push((number.name.clone(), value));
        }
        drawn
    }

    /// A number by its name.
    pub fn get(&self, name: &str) -> Option<u64> {
        self.numbers.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

impl Vary {
    /// How many numbers there are to choose from, as far as that can be told without drawing; 0: none is sure to be left.
    pub fn choices(&self) -> u64 {
        let range = self.to.saturating_sub(self.from).saturating_add(1);
        let excluded =
            self.not.iter().filter(|not| (self.from..=self.to).contains(not)).count() + self.distinct_from.len();
        range.saturating_sub(excluded as u64)
    }

    fn draw(&self, seed: u64, drawn: &Drawn) -> u64 {
        let times = self.times.max(1);
        let allowed = |value: u64| {
            !self.not.contains(&value)
                && self.distinct_from.iter().all(|other| drawn.get(other) != value.checked_mul(times))
        };
        let range = self.to.saturating_sub(self.from).saturating_add(1);
        let attempt = |attempt: u64| {
            let parts: [&[u8]; 3] = [&seed.to_le_bytes(), self.name.as_bytes(), &attempt.to_le_bytes()];
            self.from + hash_parts(DRAW_CONTEXT, &parts) % range
        };
        let tried = (0..ATTEMPTS).map(attempt).find(|value| allowed(*value));
        let value = tried.or_else(|| (self.from..=self.to).find(|value| allowed(*value))).unwrap_or(self.from);
        value.wrapping_mul(times)
    }
}

/// The seed of a student's lesson in a course: the same numbers for whoever grades it, others for the neighbour.
pub fn seed_for(course: &str, student: &str, lesson: &str) -> u64 {
    hash_parts(SEED_CONTEXT, &[course.as_bytes(), student.as_bytes(), lesson.as_bytes()])
}

/// The number that `hash(physical, len)` makes of bytes.
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    hash_parts(MEMORY_CONTEXT, &[bytes])
}

fn hash_parts(context: &str, parts: &[&[u8]]) -> u64 {
    let mut hasher = Hasher::new_derive_key(context);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut first = [0; 8];
    hasher.finalize_xof().fill(&mut first);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vary(name: &str, from: u64, to: u64) -> Vary {
        Vary { name: name.into(), from, to, times: 1, ..Vary::default() }
    }

    /// Goal: one learner's numbers never change, not with the next release either; method: values written down.
    #[test]
    fn the_same_each_time() {
        let numbers = [Vary { times: 0x1000, ..vary("page", 0x10, 0x9b) }, vary("ap", 2, 14)];
        let drawn = Drawn::draw(1, &numbers);
        assert_eq!(drawn, Drawn::draw(1, &numbers));
        assert_eq!(drawn.numbers, [("page".to_owned(), 0x45000), ("ap".to_owned(), 8)]);
        assert_eq!(seed_for("os-2026", "s1234567", "wake"), 0x041b_71fd_b9e2_b1ac);
    }

    /// Goal: learners differ, and all numbers come; method: 1000 seeds.
    #[test]
    fn learners_differ() {
        let numbers = [Vary { times: 0x1000, ..vary("page", 0x10, 0x9b) }];
        let mut seen: Vec<u64> = (0..1000).filter_map(|seed| Drawn::draw(seed, &numbers).get("page")).collect();
        assert!(seen.iter().all(|page| page & 0xfff == 0 && (0x10..=0x9b).contains(&(page >> 12))));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 0x9b - 0x10 + 1);
        let seeds = [("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("b", "a", "c")];
        let mut hashes: Vec<u64> = seeds.iter().map(|(c, s, l)| seed_for(c, s, l)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 4, "no two students share a seed by how their ids are cut");
    }

    /// Goal: numbers that must not come do not; method: narrow ranges, 200 seeds.
    #[test]
    fn exclusions() {
        let distinct = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let numbers = [
            Vary { not: vec![1, 2], ..vary("a", 0, 3) },
            Vary { distinct_from: distinct(&["a"]), ..vary("b", 0, 3) },
            Vary { distinct_from: distinct(&["a", "b"]), ..vary("c", 0, 3) },
        ];
        for seed in 0..200 {
            let drawn = Drawn::draw(seed, &numbers);
            let [a, b, c] = ["a", "b", "c"].map(|name| drawn.get(name).unwrap());
            assert!((a == 0 || a == 3) && a != b && a != c && b != c, "{drawn:?}");
        }
        assert_eq!(Vary { not: vec![5], ..vary("x", 5, 5) }.choices(), 0);
        assert_eq!(vary("x", 0, u64::MAX).choices(), u64::MAX);
        assert!(Drawn::draw(7, &[vary("x", 0, u64::MAX)]).get("x").is_some());
    }
}

//! The shingles of a text: the hashes of every so many words that follow each other. A text with fewer
//! words has one shingle, and a text without a word has none.

use crate::curation::stages::text_words::{RollingHash, each_word};

/// The most shingles that are kept of a row. Of a longer row, those with the smallest hashes are kept: a
/// sample that is the same wherever the same shingles occur.
pub(super) const MOST_KEPT: usize = 4_096;

/// Reads shingles, with buffers that are used again.
pub(super) struct ShingleReader {
    /// How many words a shingle has.
    words: usize,
    rolling: RollingHash,
    read: Vec<u64>,
    hashes: Vec<u32>,
}

impl ShingleReader {
    pub(super) fn new(words: u32) -> Self {
        let rolling = RollingHash::new(words);
        Self { words: words as usize, rolling, read: Vec::new(), hashes: Vec::new() }
    }

    /// Reads a text of a row. What follows is read as if it stood behind it.
    pub(super) fn add(&mut self, text: &str) {
        each_word(text, |word| self.read.push(word.hash));
    }

    /// The different shingles of what was read, in the order of their hashes. The next row begins.
    pub(super) fn end(&mut self) -> &[u32] {
        self.hashes.clear();
        let mut rolling = self.rolling.clone();
        for (at, word) in self.read.iter().enumerate() {
            let leaving = at.checked_sub(self.words).map_or(0, |before| self.read[before]);
            rolling.moved(*word, leaving);
            if at + 1 >= self.words.min(self.read.len()) {
                self.hashes.push((rolling.hash() >> 32) as u32);
            }
        }
        self.read.clear();
        self.hashes.sort_unstable();
        self.hashes.dedup();
        &self.hashes
    }
}

/// What is kept of the shingles of a row.
pub(super) struct ShingleSet {
    /// In their order, without repetition.
    hashes: Box<[u32]>,
    /// All shingles up to this hash are kept.
    known: u32,
}

impl ShingleSet {
    pub(super) fn of(sorted: &[u32]) -> Self {
        let hashes: Box<[u32]> = sorted[..sorted.len().min(MOST_KEPT)].into();
        let whole = hashes.len() == sorted.len();
        let known = if whole { None } else { hashes.last().copied() };
        Self { hashes, known: known.unwrap_or(u32::MAX) }
    }

    /// The shingles of both up to the hash up to which both are known.
    fn with<'a>(&'a self, other: &'a Self) -> (&'a [u32], &'a [u32]) {
        let known = self.known.min(other.known);
        let cut = |hashes: &'a [u32]| &hashes[..hashes.partition_point(|hash| *hash <= known)];
        (cut(&self.hashes), cut(&other.hashes))
    }

    /// How many shingles both have, and how many one of them has.
    pub(super) fn shared(&self, other: &Self) -> (usize, usize) {
        let (left, right) = self.with(other);
        let shared = shared(left, right, 0).unwrap_or(0);
        (shared, left.len() + right.len() - shared)
    }

    /// Whether the Jaccard similarity is at least so many thousandths.
    pub(super) fn is_alike(&self, other: &Self, least: u32) -> bool {
        let (left, right) = self.with(other);
        let least = least as usize;
        // s / (l + r - s) >= t is s >= t (l + r) / (1 + t).
        let needed = (least * (left.len() + right.len())).div_ceil(1_000 + least);
        shared(left, right, needed).is_some()
    }
}

/// How many hashes both have; none as soon as it is clear that they are fewer than needed.
fn shared(left: &[u32], right: &[u32], needed: usize) -> Option<usize> {
    let spare_left = left.len().checked_sub(needed)?;
    let spare_right = right.len().checked_sub(needed)?;
    let (mut at_left, mut at_right, mut shared) = (0, 0, 0);
    while at_left < left.len() && at_right < right.len() {
        let (one, other) = (left[at_left], right[at_right]);
        shared += usize::from(one == other);
        at_left += usize::from(one <= other);
        at_right += usize::from(other <= one);
        if at_left - shared > spare_left || at_right - shared > spare_right {
            return None;
        }
    }
    (shared >= needed).then_some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn of(hashes: &BTreeSet<u32>) -> ShingleSet {
        ShingleSet::of(&hashes.iter().copied().collect::<Vec<_>>())
    }

    #[test]
    fn a_text_has_a_shingle_for_each_place() {
        let mut reader = ShingleReader::new(3);
        let mut read = |texts: &[&str]| {
            texts.iter().for_each(|text| reader.add(text));
            reader.end().to_vec()
        };
        assert_eq!(read(&["one two three four", "five"]).len(), 3);
        assert_eq!(read(&["one two"]).len(), 1);
        assert_eq!(read(&["", " .. "]).len(), 0);
        assert_eq!(read(&["One, TWO three"]), read(&["one two", "three"]));
    }

    #[test]
    fn of_a_long_text_a_sample_tells_the_similarity() {
        let spread = |at: u32| at.wrapping_mul(2_654_435_761);
        let left: BTreeSet<u32> = (0..50_000).map(spread).collect();
        let right: BTreeSet<u32> = (5_000..55_000).map(spread).collect();
        let (left, right) = (of(&left), of(&right));
        assert_eq!(left.hashes.len(), MOST_KEPT);
        let (shared, all) = left.shared(&right);
        let (measured, true_one) = (shared as f64 / all as f64, 45.0 / 55.0);
        assert!((measured - true_one).abs() < 0.03, "{measured} is not near {true_one}");
        let short = of(&(0..1_000).map(spread).collect());
        let (shared, all) = left.shared(&short);
        assert!(shared < 200 && all <= MOST_KEPT + 200, "{shared} of {all}");
    }

    proptest! {
        #[test]
        fn the_similarity_is_exact(
            left in proptest::collection::btree_set(0..60_u32, 1..40),
            right in proptest::collection::btree_set(0..60_u32, 1..40),
            least in 1..=1_000_u32,
        ) {
            let both = left.intersection(&right).count();
            let any = left.union(&right).count();
            let (one, other) = (of(&left), of(&right));
            prop_assert_eq!(one.shared(&other), (both, any));
            prop_assert_eq!(one.is_alike(&other, least), both * 1_000 >= least as usize * any);
        }
    }
}

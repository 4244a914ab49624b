//! A sketch of a set of shingles: so many values, each of which is equal for two sets as often as
//! their Jaccard similarity says.
//!
//! Each round puts each shingle into one drawn bin, and a bin keeps its smallest value. Values of an
//! earlier round are smaller than those of a later one, so the rounds end when no bin is empty. If so many
//! rounds as there are bins leave one empty, each further round fills one bin with all shingles. So a
//! small set gets full and independent bins too, and a large one is read about once
//! (fast similarity sketching, arXiv 1704.04370).

use super::bands::SketchBands;
use crate::curation::stages::text_words::mixed;

/// Makes sketches, with a buffer that is used again.
pub(super) struct RowSketch {
    form: SketchBands,
    bins: Vec<u64>,
}

impl RowSketch {
    pub(super) fn new(form: SketchBands) -> Self {
        Self { form, bins: vec![u64::MAX; form.sketch()] }
    }

    /// Appends one key for each band of a set that is not empty. Two sets whose values of a band are
    /// equal have the same key there.
    pub(super) fn keys(&mut self, shingles: &[u32], keys: &mut Vec<u32>) {
        self.fill(shingles);
        for band in self.bins.chunks(self.form.values as usize) {
            let key = band.iter().fold(0, |key, value| mixed(key, *value));
            keys.push((key >> 32) as u32);
        }
    }

    fn fill(&mut self, shingles: &[u32]) {
        self.bins.fill(u64::MAX);
        let (count, mut empty) = (self.bins.len() as u64, self.bins.len());
        for round in 0..2 * count {
            let key = mixed(round, count);
            for shingle in shingles {
                let drawn = mixed(mixed(u64::from(*shingle), key), key);
                let bin = if round < count { ((drawn >> 32) * count) >> 32 } else { round - count };
                let value = (round << 32) | (drawn & 0xffff_ffff);
                let bin = &mut self.bins[bin as usize];
                empty -= usize::from(*bin == u64::MAX);
                *bin = value.min(*bin);
            }
            if empty == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(form: SketchBands, set: impl Iterator<Item = u32>) -> Vec<u64> {
        let set: Vec<u32> = set.map(|at| mixed(u64::from(at), 99) as u32).collect();
        let mut sketch = RowSketch::new(form);
        sketch.fill(&set);
        sketch.bins
    }

    /// Pairs of sets of so many shingles in all, of which so many are in both: the mean share of equal
    /// values, and the share of pairs with an equal band.
    fn measured(form: SketchBands, all: u32, both: u32) -> (f64, f64) {
        const PAIRS: u32 = 1_500;
        let (mut equal, mut found) = (0, 0);
        for pair in 0..PAIRS {
            let first = pair * 10_000;
            let (apart, end) = ((all - both) / 2, first + all);
            let left = sketch(form, first..end - apart);
            let right = sketch(form, (first..first + both).chain(end - apart..end));
            let same: Vec<bool> =
                left.iter().zip(&right).map(|(one, other)| one == other).collect();
            equal += same.iter().filter(|same| **same).count();
            let bands = same.chunks(form.values as usize);
            found += u32::from(bands.into_iter().any(|band| band.iter().all(|same| *same)));
        }
        let values = f64::from(PAIRS) * form.sketch() as f64;
        (equal as f64 / values, f64::from(found) / f64::from(PAIRS))
    }

    #[test]
    fn small_and_large_sets_at_the_threshold_are_found() {
        let form = SketchBands::of(800);
        for all in [10, 40, 300] {
            let (equal, found) = measured(form, all, all * 8 / 10);
            assert!((equal - 0.8).abs() < 0.01, "{all}: {equal}");
            assert!(found >= 0.99, "{all}: {found}");
        }
    }

    #[test]
    fn unlike_sets_are_seldom_compared() {
        let (equal, found) = measured(SketchBands::of(800), 250, 50);
        assert!((equal - 0.2).abs() < 0.01, "{equal}");
        assert!(found < 0.01, "{found}");
    }

    #[test]
    fn every_bin_of_one_shingle_is_filled() {
        assert!(sketch(SketchBands::of(500), 0..1).iter().all(|value| *value != u64::MAX));
    }
}

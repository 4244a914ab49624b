//! How much a further try of a task teaches. Only the four operations and the square root are used,
//! which give the same result on every machine.

use super::pass_counts::PassCount;
use crate::model::WHOLE_SHARE;

/// The verdicts that the pass rate of a kind is worth for one of its templates.
const PRIOR: f64 = 2.0;

/// How much a standard deviation is worth. A pair that nobody has tried is worth more than one that
/// is known to be between the usual bounds.
const SPREAD: f64 = 3.0;

/// What is believed of a pass rate: a Beta distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PassBelief {
    mean: f64,
    /// The number of verdicts behind it, the prior included.
    weight: f64,
    /// Tries whose verdicts are not known. They narrow it, but do not move it.
    open: f64,
}

impl PassBelief {
    /// The belief from the verdicts of a pair, those of its kind with the same model, and the tries
    /// that are open.
    pub(super) fn of(known: PassCount, group: PassCount, open: u64) -> Self {
        let rate = (group.solved as f64 + 1.0) / (group.tries() as f64 + 2.0);
        let weight = known.tries() as f64 + PRIOR;
        let mean = (known.solved as f64 + PRIOR * rate) / weight;
        Self { mean, weight, open: open as f64 }
    }

    /// The expected pass rate.
    pub(super) fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation, as it will be when the open tries have ended.
    pub(super) fn spread(&self) -> f64 {
        (self.mean * (1.0 - self.mean) / (self.weight + self.open + 1.0)).sqrt()
    }

    /// Whether the expected pass rate is within bounds of thousandths.
    pub(super) fn is_within(&self, between: [u32; 2]) -> bool {
        let [low, high] = between.map(part);
        (low..=high).contains(&self.mean)
    }

    /// The part of its likely range (two standard deviations) that is within the bounds.
    fn overlap(&self, between: [u32; 2]) -> f64 {
        let [low, high] = between.map(part);
        let (from, to) = (self.mean - 2.0 * self.spread(), self.mean + 2.0 * self.spread());
        let (from, to) = (from.max(0.0), to.min(1.0));
        (to.min(high) - from.max(low)).max(0.0) / (to - from)
    }
}

/// A number of thousandths as a part of one.
fn part(thousandths: u32) -> f64 {
    f64::from(thousandths) / f64::from(WHOLE_SHARE)
}

/// How much a further try teaches: more if the pass rate is likely within the bounds or uncertain,
/// and less with every earlier choice. The number of choices of equal pairs becomes equal.
pub(super) fn teaching_value(belief: &PassBelief, between: [u32; 2], chosen: u64) -> f64 {
    (belief.overlap(between) + SPREAD * belief.spread()) / (1.0 + chosen as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(solved: u64, unsolved: u64) -> f64 {
        let known = PassCount { solved, unsolved };
        teaching_value(&PassBelief::of(known, known, 0), [200, 800], 0)
    }

    /// What is always or never solved teaches least, what is sometimes solved more, and what nobody
    /// has tried most.
    #[test]
    fn the_middle_teaches_more_than_the_ends() {
        assert!(value(20, 0) < value(10, 10));
        assert!(value(0, 20) < value(10, 10));
        assert!(value(10, 10) < value(0, 0));
        assert!(value(2, 0) > value(20, 0));
        let known = PassCount { solved: 2, unsolved: 2 };
        let of =
            |open, chosen| teaching_value(&PassBelief::of(known, known, open), [0, 1_000], chosen);
        assert!(of(3, 0) < of(0, 0), "open tries are tries");
        assert!(of(0, 3) < of(0, 0), "a choice makes the next one worth less");
    }

    proptest! {
        #[test]
        fn every_belief_has_a_value(
            (solved, unsolved) in (0u64..1_000_000, 0u64..1_000_000),
            (low, high) in (0u32..=1_000, 0u32..=1_000),
            (open, chosen) in (0u64..100, 0u64..1_000_000),
        ) {
            let known = PassCount { solved, unsolved };
            let belief = PassBelief::of(known, known, open);
            let between = [low.min(high), low.max(high)];
            let value = teaching_value(&belief, between, chosen);
            prop_assert!(value > 0.0 && value.is_finite(), "{:?}: {}", belief, value);
        }
    }
}

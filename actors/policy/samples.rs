//! Decides how many samples of a task to start: all that the campaign asks for, or only as many as
//! are needed until enough is known.
//!
//! The invariant: a sample is never started that the result of an earlier one could make needless.
//! At most so many samples run at the same time as are needed if every one of them turns out as
//! hoped. So the result does not depend on how many samples run in parallel.

use crate::model::{PassRate, SamplePolicy};

/// The counts of the samples of one task by one model and scaffold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SampleCounts {
    /// Samples with a verdict.
    pub tries: u32,
    /// Samples with a verdict that solved the task.
    pub solved: u32,
    /// Samples that ended in a fault. They have no verdict, but they count against the most
    /// samples.
    pub lost: u32,
    /// Samples that are planned and have not ended.
    pub open: u32,
}

impl SampleCounts {
    /// All samples that were planned so far.
    fn all(self) -> u32 {
        self.tries.saturating_add(self.lost).saturating_add(self.open)
    }
}

/// How many more samples to start now.
pub fn more_samples(rule: &SamplePolicy, tally: SampleCounts) -> u32 {
    let room = rule.most.saturating_sub(tally.all());
    if !rule.may_end_early() {
        return room;
    }
    // The least number of further verdicts that could be enough in the best case. Open samples may
    // already give some of them.
    let enough =
        (0..=room.saturating_add(tally.open)).find(|more| may_be_enough(rule, tally, *more));
    enough.map_or(room, |needed| needed.saturating_sub(tally.open).min(room))
}

/// Whether the rule could end the sampling after `more` further verdicts, if they are the best ones
/// for it.
fn may_be_enough(rule: &SamplePolicy, tally: SampleCounts, more: u32) -> bool {
    let (solved, tries) = (tally.solved, tally.tries.saturating_add(more));
    let most_solved = solved.saturating_add(more);
    let solves = rule.stop_after_solved.is_some_and(|wanted| most_solved >= wanted);
    // The interval of the pass rate is narrowest if nearly all or nearly none are solved. So only
    // these two results need a test: none of the further samples solved, or all of them.
    let narrow = |solved| {
        rule.pass_rate_width.is_some_and(|width| tries > 0 && is_narrow(solved, tries, width))
    };
    solves || narrow(solved) || narrow(most_solved)
}

/// Whether the confidence interval of this pass rate is at most `thousandths` wide.
fn is_narrow(solved: u32, tries: u32, thousandths: u32) -> bool {
    let (low, high) = wilson(solved, tries);
    (high - low) * 1_000.0 <= f64::from(thousandths)
}

/// The quantile of the normal distribution with 2.5 % on either side, for a confidence of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// The Wilson score interval of a pass rate, with a confidence of 95 %. Without any try it is the
/// whole range from 0 to 1.
pub fn wilson(solved: u32, tries: u32) -> (f64, f64) {
    if tries == 0 {
        return (0.0, 1.0);
    }
    wilson_of_rate(f64::from(solved) / f64::from(tries), f64::from(tries))
}

/// The same of a rate over `n` tries, where weights make `n` a number with decimals. Without any try it
/// is the whole range from 0 to 1.
pub fn wilson_of_rate(rate: f64, n: f64) -> (f64, f64) {
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let scale = 1.0 + Z * Z / n;
    let middle = (rate + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
    // Rounding must not move the exact bounds 0 and 1.
    let low = if rate <= 0.0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if rate >= 1.0 { 1.0 } else { (middle + half).min(1.0) };
    (low, high)
}

/// The pass rate for dataset rows. None if no sample has a verdict.
pub fn pass_rate(tally: SampleCounts) -> Option<PassRate> {
    let whole = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let (low, high) = wilson(tally.solved, tally.tries);
    let rate = PassRate { tries: whole(tally.tries), solved: whole(tally.solved), low, high };
    (tally.tries > 0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rules() -> impl Strategy<Value = SamplePolicy> {
        let early = (prop::option::of(1u32..6), prop::option::of(50u32..1_000));
        (1u32..60, early).prop_map(|(most, (stop_after_solved, pass_rate_width))| SamplePolicy {
            most,
            stop_after_solved,
            pass_rate_width,
        })
    }

    /// One sample after another, as the outcomes have it.
    fn one_by_one(rule: &SamplePolicy, outcomes: &[Option<bool>]) -> SampleCounts {
        let mut tally = SampleCounts::default();
        for outcome in outcomes {
            let ended = may_be_enough(rule, tally, 0) && rule.may_end_early();
            if ended || tally.all() >= rule.most {
                break;
            }
            end(&mut tally, *outcome);
        }
        tally
    }

    fn end(tally: &mut SampleCounts, outcome: Option<bool>) {
        match outcome {
            Some(solved) => {
                tally.tries += 1;
                tally.solved += u32::from(solved);
            }
            None => tally.lost += 1,
        }
    }

    proptest! {
        /// However many run at once, and in whatever order they end: what is tried is what
        /// would have been tried one after another, and never more than is asked for.
        #[test]
        fn no_sample_is_begun_in_vain(
            rule in rules(),
            outcomes in prop::collection::vec(prop::option::weighted(0.9, any::<bool>()), 60),
        ) {
            let (mut tally, mut ended) = (SampleCounts::default(), 0);
            loop {
                tally.open += more_samples(&rule, tally);
                prop_assert!(tally.all() <= rule.most, "{:?}", tally);
                if tally.open == 0 {
                    break;
                }
                tally.open -= 1;
                end(&mut tally, outcomes[ended]);
                ended += 1;
            }
            prop_assert_eq!(tally, one_by_one(&rule, &outcomes));
        }

        #[test]
        fn an_interval_holds_its_rate_and_narrows(tries in 1u32..2_000, part in 0.0f64..=1.0) {
            let solved = (f64::from(tries) * part).round() as u32;
            let (low, high) = wilson(solved, tries);
            let rate = f64::from(solved) / f64::from(tries);
            prop_assert!(0.0 <= low && low <= rate && rate <= high && high <= 1.0);
            let (lower, higher) = wilson(2 * solved, 2 * tries);
            prop_assert!(higher - lower < high - low);
            let (mirrored, _) = wilson(tries - solved, tries);
            prop_assert!((mirrored - (1.0 - high)).abs() < 1e-9);
        }
    }

    #[test]
    fn intervals_are_those_of_the_books() {
        let near = |(low, high): (f64, f64), (l, h): (f64, f64)| {
            assert!((low - l).abs() < 5e-4 && (high - h).abs() < 5e-4, "{low} {high}");
        };
        near(wilson(0, 10), (0.0, 0.2775));
        near(wilson(5, 10), (0.2366, 0.7634));
        near(wilson(10, 10), (0.7225, 1.0));
        near(wilson(0, 0), (0.0, 1.0));
        assert_eq!(pass_rate(SampleCounts { lost: 3, ..SampleCounts::default() }), None);
    }

    #[test]
    fn all_are_begun_at_once_where_nothing_ends_it_early() {
        let rule = SamplePolicy { most: 5, ..SamplePolicy::default() };
        assert_eq!(more_samples(&rule, SampleCounts::default()), 5);
        assert_eq!(
            more_samples(&rule, SampleCounts { tries: 2, open: 1, ..SampleCounts::default() }),
            2
        );
        let rule = SamplePolicy { most: 5, stop_after_solved: Some(1), ..rule };
        assert_eq!(more_samples(&rule, SampleCounts::default()), 1);
        assert_eq!(
            more_samples(&rule, SampleCounts { tries: 1, solved: 1, ..SampleCounts::default() }),
            0
        );
        assert_eq!(more_samples(&rule, SampleCounts { tries: 1, ..SampleCounts::default() }), 1);
    }
}

//! What finished episodes say of a template: how often it was solved, in how many turns, at what
//! cost. All intervals have a confidence of 95 %.

use super::wilson;
use crate::model::Difficulty;
use serde::{Deserialize, Serialize};

/// The fewest tries, of all models together, from which a template has a measured difficulty.
pub const FEWEST_TRIES: usize = 5;
/// Templates with this pass rate or a higher one are easy.
const EASY: f64 = 0.7;
/// Templates with a lower pass rate are hard.
const HARD: f64 = 0.3;

/// A pass rate with its Wilson score interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateInterval {
    pub rate: f64,
    pub low: f64,
    pub high: f64,
}

/// A mean with its interval by Student's t distribution. One value alone has no interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeanInterval {
    pub mean: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl RateInterval {
    /// The pass rate of `solved` of `tries`.
    pub fn of(solved: u32, tries: u32) -> Self {
        let (low, high) = wilson(solved, tries);
        Self { rate: f64::from(solved) / f64::from(tries.max(1)), low, high }
    }
}

impl MeanInterval {
    /// The mean of values that are never negative. None if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        if values.len() == 1 {
            return Some(Self { mean, low: None, high: None });
        }
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let half = student(values.len() - 1) * (squares / (count - 1.0) / count).sqrt();
        Some(Self { mean, low: Some((mean - half).max(0.0)), high: Some(mean + half) })
    }
}

/// The difficulty from the pass rates of several models: that of their mean, so that a model with
/// many tries counts no more than another. None without a rate.
pub fn measured_difficulty(rates: &[f64]) -> Option<Difficulty> {
    let mean = MeanInterval::of(rates)?.mean;
    Some(match mean {
        rate if rate >= EASY => Difficulty::Easy,
        rate if rate < HARD => Difficulty::Hard,
        _ => Difficulty::Medium,
    })
}

/// The turns of solved episodes without the extremes: between the first tenth and the last, by
/// nearest rank. None if there are none.
pub fn usual_turns(mut turns: Vec<u32>) -> Option<(u32, u32)> {
    turns.sort_unstable();
    let at =
        |tenths: usize| turns.get((turns.len() * tenths).div_ceil(10).checked_sub(1)?).copied();
    Some((at(1)?, at(9)?))
}

/// The 97.5 % quantiles of Student's t distribution for 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The quantile for so many degrees of freedom, at least one. Above the table it is the first two
/// terms of its series, which are right to 0.003.
fn student(freedom: usize) -> f64 {
    let listed = freedom.checked_sub(1).and_then(|at| STUDENT.get(at)).copied();
    listed.unwrap_or_else(|| 1.960 + 2.372 / freedom.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_has_the_interval_of_the_books() {
        let of = |values: &[f64]| MeanInterval::of(values);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[4.0]), Some(MeanInterval { mean: 4.0, low: None, high: None }));
        let five = of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((five.mean - 3.0).abs() < 1e-9, "{five:?}");
        assert!((five.low.unwrap() - 1.037).abs() < 1e-3, "{five:?}");
        assert!((five.high.unwrap() - 4.963).abs() < 1e-3, "{five:?}");
        assert_eq!(of(&[0.0, 1.0]).unwrap().low, Some(0.0), "no count is negative");
        assert!((student(60) - 2.000).abs() < 3e-3 && (student(120) - 1.980).abs() < 3e-3);
        assert!((student(30) - student(31)).abs() < 1e-2, "the table goes on");
    }

    #[test]
    fn a_rate_has_the_interval_of_wilson() {
        let half = RateInterval::of(5, 10);
        assert!((half.rate - 0.5).abs() < 1e-9 && (half.low - 0.2366).abs() < 5e-4, "{half:?}");
    }

    #[test]
    fn the_pass_rate_makes_the_difficulty() {
        for (rates, difficulty) in [
            (&[][..], None),
            (&[1.0][..], Some(Difficulty::Easy)),
            (&[1.0, 0.0][..], Some(Difficulty::Medium)),
            (&[0.3, 0.3][..], Some(Difficulty::Medium)),
            (&[0.5, 0.0, 0.0][..], Some(Difficulty::Hard)),
        ] {
            assert_eq!(measured_difficulty(rates), difficulty, "{rates:?}");
        }
    }

    #[test]
    fn usual_turns_leave_the_extremes_out() {
        assert_eq!(usual_turns(Vec::new()), None);
        assert_eq!(usual_turns(vec![7]), Some((7, 7)));
        assert_eq!(usual_turns((1..=20).rev().collect()), Some((2, 18)));
        assert_eq!(usual_turns(vec![9, 5, 6]), Some((5, 9)));
    }
}

//! How the pool fares with each specification, in figures.

use crate::model::SandboxSpec;
use serde::Serialize;
use std::time::Duration;

/// Upper bounds of the buckets grow by a quarter from a tenth of a millisecond on: to two
/// minutes in this many.
const BUCKETS: usize = 64;
const FIRST: f64 = 0.1;
const GROWTH: f64 = 1.25;

/// Times, counted by size: what they were, to within a quarter.
#[derive(Clone, Debug)]
pub(super) struct TimingHistogram {
    counts: [u64; BUCKETS],
    total: Duration,
    longest: Duration,
}

impl Default for TimingHistogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: Duration::ZERO, longest: Duration::ZERO }
    }
}

/// Times as they are shown, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TimingStats {
    pub count: u64,
    pub mean_ms: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl TimingHistogram {
    pub(super) fn add(&mut self, took: Duration) {
        let steps = (millis(took) / FIRST).max(1.0).ln() / GROWTH.ln();
        let bucket = (steps.ceil() as usize).min(BUCKETS - 1);
        self.counts[bucket] += 1;
        self.total += took;
        self.longest = self.longest.max(took);
    }

    fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bound of the bucket in which that share of them is reached.
    fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted.max(1) {
                return (FIRST * GROWTH.powi(bucket as i32)).min(millis(self.longest));
            }
        }
        0.0
    }

    pub(super) fn shown(&self) -> TimingStats {
        let count = self.count();
        let mean = if count == 0 { 0.0 } else { millis(self.total) / count as f64 };
        TimingStats {
            count,
            mean_ms: rounded(mean),
            p50_ms: rounded(self.quantile(0.5)),
            p99_ms: rounded(self.quantile(0.99)),
            max_ms: rounded(millis(self.longest)),
        }
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

/// What has become of one specification's sandboxes.
#[derive(Clone, Debug, Default)]
pub(super) struct SpecMetrics {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) failed: u64,
    /// Found dead while they were warm.
    pub(super) died: u64,
    pub(super) waits: TimingHistogram,
    pub(super) creations: TimingHistogram,
}

/// One specification, as `status` shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SpecStats {
    pub spec: String,
    pub warm: usize,
    /// How many are to be warm.
    pub target: usize,
    pub creating: usize,
    pub waiting: usize,
    pub hits: u64,
    pub misses: u64,
    pub failed: u64,
    pub died: u64,
    /// From being asked for one to giving it.
    pub wait: TimingStats,
    pub creation: TimingStats,
}

/// A specification in a few words, with a number that tells it from others of those words.
pub(super) fn name(spec: &SandboxSpec) -> String {
    let runtime = spec.runtime.as_deref().map(|runtime| format!("/{runtime}"));
    let facts = serde_json::to_string(spec).unwrap_or_default();
    let digest = crate::model::digest_of(&["sandbox", &facts]);
    let (backend, image) = (spec.backend.as_str(), &spec.image);
    format!("{backend}{} {image} #{}", runtime.unwrap_or_default(), &digest[..6])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_quantile_is_right_to_within_a_quarter(
            mut times in prop::collection::vec(100_u64..60_000_000, 1..200),
        ) {
            let mut timings = TimingHistogram::default();
            times.iter().for_each(|micros| timings.add(Duration::from_micros(*micros)));
            times.sort_unstable();
            let shown = timings.shown();
            let at = |share: f64| {
                let rank = (times.len() as f64 * share).ceil() as usize;
                times[rank.max(1) - 1] as f64 / 1_000.0
            };
            for (told, true_one) in [(shown.p50_ms, at(0.5)), (shown.p99_ms, at(0.99))] {
                prop_assert!(told >= true_one * 0.999 - 0.001 && told <= true_one * 1.26 + 0.1);
            }
            prop_assert_eq!(shown.count, times.len() as u64);
        }
    }

    #[test]
    fn no_times_are_shown_as_none() {
        assert_eq!(TimingHistogram::default().shown(), TimingStats::default());
    }
}

//! Counts and times of the pool for each specification, for status reports.

use crate::model::SandboxSpec;
use serde::Serialize;
use std::time::Duration;

/// The number of buckets of a histogram. Each upper bound is a quarter larger than the one before,
/// from a tenth of a millisecond to about two minutes.
const BUCKETS: usize = 64;
/// The upper bound of the first bucket, in milliseconds.
const FIRST: f64 = 0.1;
/// The factor from one upper bound to the next.
const GROWTH: f64 = 1.25;

/// A histogram of times. Quantiles are exact to within a quarter.
#[derive(Clone, Debug)]
pub(super) struct TimingHistogram {
    /// The number of times in each bucket.
    counts: [u64; BUCKETS],
    total: Duration,
    longest: Duration,
}

impl Default for TimingHistogram {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], total: Duration::ZERO, longest: Duration::ZERO }
    }
}

/// Times in status reports, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TimingStats {
    pub count: u64,
    pub mean_ms: f64,
    /// The median.
    pub p50_ms: f64,
    /// 99 % of the times are at most this long.
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl TimingHistogram {
    /// Adds one time.
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

    /// The upper bound of the bucket in which this share of the times is reached. Zero if there are
    /// no times.
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

    /// The figures for status reports.
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

/// Three decimals.
fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

/// The counts of one specification.
#[derive(Clone, Debug, Default)]
pub(super) struct SpecMetrics {
    /// Requests that got a warm sandbox at once.
    pub(super) hits: u64,
    /// Requests that had to wait.
    pub(super) misses: u64,
    /// Creations that failed.
    pub(super) failed: u64,
    /// Warm sandboxes that were found dead.
    pub(super) died: u64,
    /// The times from a request to its sandbox.
    pub(super) waits: TimingHistogram,
    /// The times of creations.
    pub(super) creations: TimingHistogram,
}

/// One specification in status reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SpecStats {
    /// Its name, such as `namespace base #1a2b3c`.
    pub spec: String,
    pub warm: usize,
    /// How many sandboxes should be warm.
    pub target: usize,
    /// Creations that are running.
    pub creating: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that got a warm sandbox at once.
    pub hits: u64,
    /// Requests that had to wait.
    pub misses: u64,
    /// Creations that failed.
    pub failed: u64,
    /// Warm sandboxes that were found dead.
    pub died: u64,
    /// The times from a request to its sandbox.
    pub wait: TimingStats,
    /// The times of creations.
    pub creation: TimingStats,
}

/// The name of a specification: backend, runtime and image, and the first digits of a digest that
/// distinguishes it from others with the same words.
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

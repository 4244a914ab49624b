//! How long rows are: the shortest, the longest, the average and the median. Trajectories are
//! measured in steps, and answers in characters.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The lengths of rows. All values are None without rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LengthStats {
    pub average: Option<f64>,
    /// The length of the shortest row; `max` is that of the longest.
    pub min: Option<u64>,
    /// The lower median: a length that some row has.
    pub p50: Option<u64>,
    pub max: Option<u64>,
}

/// How many rows have each length.
#[derive(Clone, Debug, Default)]
pub(super) struct LengthCounts {
    counts: BTreeMap<u64, u64>,
}

impl LengthCounts {
    /// Counts one row.
    pub(super) fn add(&mut self, length: u64) {
        *self.counts.entry(length).or_default() += 1;
    }

    pub(super) fn stats(&self) -> LengthStats {
        let rows = self.counts.values().sum();
        let total = self.counts.iter().map(|(length, rows)| length.saturating_mul(*rows));
        LengthStats {
            average: share(total.fold(0, u64::saturating_add), rows),
            min: self.counts.keys().next().copied(),
            p50: self.median(rows),
            max: self.counts.keys().next_back().copied(),
        }
    }

    /// The lower median, so that it is a length that some row has. None without rows.
    fn median(&self, rows: u64) -> Option<u64> {
        // The number of rows up to and including the median.
        let half = rows.div_ceil(2);
        let mut seen = 0;
        self.counts.iter().find_map(|(length, rows)| {
            seen += rows;
            (seen >= half).then_some(*length)
        })
    }
}

/// `part / whole`, rounded. None if `whole` is zero.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| round(part as f64 / whole as f64))
}

/// Rounds to six decimals. Such a number stays the same when any JSON reader reads it and writes it.
pub(super) fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

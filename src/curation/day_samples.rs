//! How diverse the rows of each day were, so that people see when models began to repeat themselves. A day is that
//! of the end of the episode, in UTC.

use std::collections::BTreeMap;
use synthd_actors::curation::DiversitySample;
use synthd_actors::model::{DatasetRow, DayDiversity, DiversityReport};

/// The most days that are kept: the newest ones. A day has a sample of some megabytes.
const DAYS: usize = 31;
/// The characters of a day in a time stamp.
const DAY: usize = "2026-11-30".len();

/// A sample of rows for each day.
pub(super) struct DaySamples {
    seed: u64,
    days: BTreeMap<String, DiversitySample>,
}

impl DaySamples {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, days: BTreeMap::new() }
    }

    /// Looks at a row.
    pub(super) fn add(&mut self, row: &DatasetRow) {
        let stamp = match row {
            DatasetRow::Trajectory(row) => &row.created_at,
            DatasetRow::Completion(row) => &row.created_at,
        };
        let Some(day) = stamp.get(..DAY) else { return };
        let seed = self.seed;
        let new = || DiversitySample::new(seed);
        self.days.entry(day.to_owned()).or_insert_with(new).add(row);
        if self.days.len() > DAYS {
            self.days.pop_first();
        }
    }

    /// The figures of each day, oldest first. Empty if all rows are of one day.
    pub(super) fn report(
        &self,
        compressed: impl Fn(&[&str]) -> Option<usize> + Copy,
    ) -> Vec<DayDiversity> {
        if self.days.len() < 2 {
            return Vec::new();
        }
        let one = |(day, sample): (&String, &DiversitySample)| {
            let diversity: DiversityReport = sample.report(compressed);
            DayDiversity { day: day.clone(), diversity }
        };
        self.days.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::row;
    use synthd_actors::model::TrajectoryRow;

    fn of(n: u64, day: &str) -> DatasetRow {
        TrajectoryRow { created_at: format!("{day}T03:04:05.678Z"), ..row(n) }.into()
    }

    #[test]
    fn rows_are_told_apart_by_their_day() {
        let mut days = DaySamples::new(1);
        (0..4).for_each(|n| days.add(&of(n, "2026-01-02")));
        assert!(days.report(|_| None).is_empty());
        (4..6).for_each(|n| days.add(&of(n, "2026-01-01")));
        let found = days.report(|_| None);
        let found: Vec<_> =
            found.iter().map(|one| (one.day.as_str(), one.diversity.rows)).collect();
        assert_eq!(found, [("2026-01-01", 2), ("2026-01-02", 4)]);
    }

    #[test]
    fn only_the_newest_days_are_kept() {
        let mut days = DaySamples::new(1);
        for n in 0..100 {
            days.add(&of(n, &format!("2026-{:02}-{:02}", 1 + n / 28, 1 + n % 28)));
        }
        let found = days.report(|_| None);
        assert_eq!((found.len(), found[0].day.as_str()), (DAYS, "2026-03-14"));
    }
}

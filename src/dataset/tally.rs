//! Figures of a dataset, counted one row at a time. The writer counts them for the metadata and the
//! card, and `stats` and `verify` count them again from the files.
//!
//! Sums are integers. So the order of the rows does not matter, and counting again from the files
//! gives exactly the figures that were written. Shares and averages are computed at the end, and
//! are rounded to six decimals.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use synthd_actors::model::{DatasetSplit, Money, TrajectoryRow};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetFigures {
    /// All rows together.
    pub totals: DatasetTotals,
    /// Each split, also one without rows.
    pub splits: BTreeMap<DatasetSplit, GroupStats>,
    /// The rows by what they have in common.
    pub distributions: DatasetDistributions,
    /// How many rows have each label.
    pub labels: BTreeMap<String, u64>,
    /// Whether a scripted model made any of the rows.
    pub scripted: bool,
    /// The names of these models.
    pub scripted_models: Vec<String>,
}

/// The figures of all rows together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetTotals {
    /// How many rows there are.
    pub rows: u64,
    /// The steps of all rows together.
    pub steps: u64,
    pub tokens: DatasetTokens,
    /// The sum of the rows' costs, in exact dollars.
    pub cost_usd: Money,
    /// How many rows have each result.
    pub outcomes: DatasetOutcomes,
    /// The share of rows that are `resolved`, from 0 to 1. None without rows.
    pub success_rate: Option<f64>,
    /// How many steps a row has.
    pub length_in_steps: LengthStats,
    /// None without rows.
    pub average_execution_seconds: Option<f64>,
}

/// The tokens of all rows. `input` and `output` are sums over the steps, and `total` is the sum of
/// what the rows state. A sum is None if a part of it was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetTokens {
    /// Tokens that the models read.
    pub input: Option<i64>,
    /// Tokens that the models wrote.
    pub output: Option<i64>,
    /// The sum of the column `total_tokens`.
    pub total: Option<i64>,
}

impl Default for DatasetTokens {
    /// No tokens, which is a known number.
    fn default() -> Self {
        Self { input: Some(0), output: Some(0), total: Some(0) }
    }
}

/// Adds to a sum. The sum is None from the first unknown part on.
fn plus(sum: Option<i64>, more: Option<i64>) -> Option<i64> {
    Some(sum?.saturating_add(more?))
}

/// How many rows have each result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetOutcomes {
    /// Every check passed in both runs.
    pub resolved: u64,
    /// Both runs agree, and at least one check failed.
    pub unresolved: u64,
    /// The two runs disagree.
    pub flaky: u64,
}

/// The lengths of the trajectories in steps. All values are None without rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LengthStats {
    pub average: Option<f64>,
    /// The shortest trajectory; `max` is the longest.
    pub min: Option<u64>,
    /// The lower median: a length that some row has.
    pub p50: Option<u64>,
    pub max: Option<u64>,
}

/// The rows by the values of several columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DatasetDistributions {
    /// By the kind of work. The other maps are by the columns of the same names; `model` is
    /// `llm_model`.
    pub category: BTreeMap<String, GroupStats>,
    pub template: BTreeMap<String, GroupStats>,
    pub model: BTreeMap<String, GroupStats>,
    pub scaffold: BTreeMap<String, GroupStats>,
    pub difficulty: BTreeMap<String, GroupStats>,
}

/// The figures of rows that have something in common.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupStats {
    pub rows: u64,
    pub resolved: u64,
    /// From 0 to 1. None without rows.
    pub success_rate: Option<f64>,
    /// None without rows.
    pub average_steps: Option<f64>,
}

/// The counters behind [`DatasetFigures`].
#[derive(Clone, Debug, Default)]
pub(super) struct DatasetTally {
    all: GroupCount,
    outcomes: DatasetOutcomes,
    tokens: DatasetTokens,
    cost: Money,
    /// The execution times, each rounded to milliseconds, so that their sum is an integer.
    milliseconds: u64,
    /// How many rows have each number of steps.
    lengths: BTreeMap<u64, u64>,
    splits: BTreeMap<DatasetSplit, GroupCount>,
    categories: BTreeMap<String, GroupCount>,
    templates: BTreeMap<String, GroupCount>,
    models: BTreeMap<String, GroupCount>,
    scaffolds: BTreeMap<String, GroupCount>,
    difficulties: BTreeMap<String, GroupCount>,
    labels: BTreeMap<String, u64>,
    /// The rows of scripted models, by model.
    scripted: BTreeMap<String, GroupCount>,
}

/// The counters behind [`GroupStats`].
#[derive(Clone, Copy, Debug, Default)]
struct GroupCount {
    rows: u64,
    resolved: u64,
    /// The steps of all rows together.
    steps: u64,
}

impl DatasetTally {
    /// Adds one row.
    pub(super) fn add(&mut self, split: DatasetSplit, row: &TrajectoryRow) {
        let one = GroupCount::of(row);
        self.all.add(one);
        self.splits.entry(split).or_default().add(one);
        count(&mut self.categories, &row.category, one);
        count(&mut self.templates, &row.template, one);
        count(&mut self.models, &row.llm_model, one);
        count(&mut self.scaffolds, &row.scaffold, one);
        count(&mut self.difficulties, &row.difficulty, one);
        if row.llm_provider == "scripted" {
            count(&mut self.scripted, &row.llm_model, one);
        }
        *self.lengths.entry(one.steps).or_default() += 1;
        self.add_labels(&row.labels);
        self.add_outcome(&row.final_result);
        self.add_expense(row);
    }

    /// Counts each label of a row.
    fn add_labels(&mut self, labels: &[String]) {
        for label in labels {
            *self.labels.entry(label.clone()).or_default() += 1;
        }
    }

    /// Counts the result of a row. An unknown result counts as unresolved; `verify` reports it.
    fn add_outcome(&mut self, result: &str) {
        match result {
            "resolved" => self.outcomes.resolved += 1,
            "flaky" => self.outcomes.flaky += 1,
            _ => self.outcomes.unresolved += 1,
        }
    }

    /// Adds the tokens, the cost and the time of a row.
    fn add_expense(&mut self, row: &TrajectoryRow) {
        for step in &row.trajectory {
            self.tokens.input = plus(self.tokens.input, step.input_tokens);
            self.tokens.output = plus(self.tokens.output, step.output_tokens);
        }
        self.tokens.total = plus(self.tokens.total, row.total_tokens);
        self.cost = self.cost.saturating_add(row.cost_usd);
        // A conversion from a float saturates, and NaN becomes zero. So a forged file cannot cause
        // a panic.
        let milliseconds = (row.execution_time_seconds * 1_000.0).round() as u64;
        self.milliseconds = self.milliseconds.saturating_add(milliseconds);
    }

    /// The figures of the rows so far.
    pub(super) fn figures(&self) -> DatasetFigures {
        // All splits are listed, so that one without rows shows a zero.
        let splits =
            DatasetSplit::ALL.map(|s| (s, self.splits.get(&s).copied().unwrap_or_default()));
        DatasetFigures {
            totals: self.totals(),
            splits: splits.into_iter().map(|(s, count)| (s, count.group())).collect(),
            distributions: DatasetDistributions {
                category: groups(&self.categories),
                template: groups(&self.templates),
                model: groups(&self.models),
                scaffold: groups(&self.scaffolds),
                difficulty: groups(&self.difficulties),
            },
            labels: self.labels.clone(),
            scripted: !self.scripted.is_empty(),
            scripted_models: self.scripted.keys().cloned().collect(),
        }
    }

    /// The figures of all rows together.
    fn totals(&self) -> DatasetTotals {
        let seconds = share(self.milliseconds, self.all.rows).map(|ms| round(ms / 1_000.0));
        DatasetTotals {
            rows: self.all.rows,
            steps: self.all.steps,
            tokens: self.tokens,
            cost_usd: self.cost,
            outcomes: self.outcomes,
            success_rate: share(self.all.resolved, self.all.rows),
            length_in_steps: self.lengths(),
            average_execution_seconds: seconds,
        }
    }

    /// The lengths of the trajectories.
    fn lengths(&self) -> LengthStats {
        LengthStats {
            average: share(self.all.steps, self.all.rows),
            min: self.lengths.keys().next().copied(),
            p50: self.median_length(),
            max: self.lengths.keys().next_back().copied(),
        }
    }

    /// The lower median, so that it is a length that some row has. None without rows.
    fn median_length(&self) -> Option<u64> {
        // The number of rows up to and including the median.
        let half = self.all.rows.div_ceil(2);
        let mut seen = 0;
        self.lengths.iter().find_map(|(length, rows)| {
            seen += rows;
            (seen >= half).then_some(*length)
        })
    }
}

impl GroupCount {
    /// The counters of a single row.
    fn of(row: &TrajectoryRow) -> Self {
        let resolved = u64::from(row.final_result == "resolved");
        Self { rows: 1, resolved, steps: row.trajectory.len() as u64 }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.resolved += other.resolved;
        self.steps += other.steps;
    }

    /// The figures that these counters give.
    fn group(self) -> GroupStats {
        GroupStats {
            rows: self.rows,
            resolved: self.resolved,
            success_rate: share(self.resolved, self.rows),
            average_steps: share(self.steps, self.rows),
        }
    }
}

/// Adds one row to the group `key`. The key is copied only if the group is new.
fn count(counts: &mut BTreeMap<String, GroupCount>, key: &str, one: GroupCount) {
    match counts.get_mut(key) {
        Some(count) => count.add(one),
        None => {
            counts.insert(key.to_owned(), one);
        }
    }
}

/// The figures of all groups.
fn groups(counts: &BTreeMap<String, GroupCount>) -> BTreeMap<String, GroupStats> {
    counts.iter().map(|(key, count)| (key.clone(), count.group())).collect()
}

/// `part / whole`, rounded. None if `whole` is zero.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| round(part as f64 / whole as f64))
}

// Rounds to six decimals. Such a number stays the same when any JSON reader reads it and writes it.
fn round(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::{row, row_with_steps};

    #[test]
    fn no_rows_have_no_averages() {
        let totals = DatasetTally::default().figures().totals;
        assert_eq!(totals.success_rate, None);
        assert_eq!(totals.length_in_steps.p50, None);
        assert_eq!(totals.cost_usd, Money::ZERO);
    }

    /// A sum that lacks something is no sum.
    #[test]
    fn what_nobody_counted_leaves_the_sum_unknown() {
        let mut tally = DatasetTally::default();
        tally.add(DatasetSplit::Train, &row_with_steps(1, 2));
        assert_eq!(tally.figures().totals.tokens.total, Some(60));
        let mut unknown = row_with_steps(2, 2);
        (unknown.trajectory[0].input_tokens, unknown.total_tokens) = (None, None);
        tally.add(DatasetSplit::Train, &unknown);
        tally.add(DatasetSplit::Train, &row_with_steps(3, 2));
        let tokens = tally.figures().totals.tokens;
        assert_eq!(tokens, DatasetTokens { input: None, output: Some(60), total: None });
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let mut forth = DatasetTally::default();
        let mut back = DatasetTally::default();
        (0..50).for_each(|n| forth.add(DatasetSplit::Train, &row(n)));
        (0..50).rev().for_each(|n| back.add(DatasetSplit::Train, &row(n)));
        assert_eq!(forth.figures(), back.figures());
    }

    #[test]
    fn the_median_is_a_length_that_occurs() {
        for (lengths, median) in
            [(vec![7], 7), (vec![1, 9], 1), (vec![1, 2, 30], 2), (vec![4, 4, 4, 9], 4)]
        {
            let mut tally = DatasetTally::default();
            lengths.iter().for_each(|n| tally.add(DatasetSplit::Test, &row_with_steps(1, *n)));
            assert_eq!(tally.figures().totals.length_in_steps.p50, Some(median), "{lengths:?}");
        }
    }
}

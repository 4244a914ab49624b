//! Figures of a dataset of trajectories, counted one row at a time. See `tally`.

use super::lengths::{LengthCounts, LengthStats, round, share};
use super::tally::{DatasetTokens, count_labels, plus};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use synthd_actors::model::{DatasetSplit, Money, RowPack, TrajectoryRow};

/// The figures of trajectories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryFigures {
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
    /// The packs that tasks were made from, by name and version, such as `tabq@1.0.0`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packs: BTreeMap<String, PackFigures>,
}

/// The rows of a pack, and what its project's licence asks to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackFigures {
    pub rows: u64,
    /// As an SPDX expression.
    pub licence: String,
    /// The licences of the project as they came.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notices: String,
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

/// The counters behind [`TrajectoryFigures`].
#[derive(Clone, Debug, Default)]
pub(super) struct TrajectoryTally {
    all: GroupCount,
    outcomes: DatasetOutcomes,
    tokens: DatasetTokens,
    cost: Money,
    /// The execution times, each rounded to milliseconds, so that their sum is an integer.
    milliseconds: u64,
    /// The numbers of steps.
    lengths: LengthCounts,
    splits: BTreeMap<DatasetSplit, GroupCount>,
    categories: BTreeMap<String, GroupCount>,
    templates: BTreeMap<String, GroupCount>,
    models: BTreeMap<String, GroupCount>,
    scaffolds: BTreeMap<String, GroupCount>,
    difficulties: BTreeMap<String, GroupCount>,
    labels: BTreeMap<String, u64>,
    /// The rows of scripted models, by model.
    scripted: BTreeMap<String, GroupCount>,
    packs: BTreeMap<String, PackFigures>,
}

/// The counters behind [`GroupStats`].
#[derive(Clone, Copy, Debug, Default)]
struct GroupCount {
    rows: u64,
    resolved: u64,
    /// The steps of all rows together.
    steps: u64,
}

impl TrajectoryTally {
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
        if let Some(pack) = &row.pack {
            self.add_pack(pack);
        }
        self.lengths.add(one.steps);
        count_labels(&mut self.labels, &row.labels);
        self.add_outcome(&row.final_result);
        self.add_expense(row);
    }

    /// Counts a row of a pack. What a pack of one version says of its licence is the same in all rows.
    fn add_pack(&mut self, pack: &RowPack) {
        let own = self.packs.entry(format!("{}@{}", pack.name, pack.version)).or_default();
        own.rows += 1;
        own.licence.clone_from(&pack.licence);
        own.notices.clone_from(&pack.notices);
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
    pub(super) fn figures(&self) -> TrajectoryFigures {
        // All splits are listed, so that one without rows shows a zero.
        let splits =
            DatasetSplit::ALL.map(|s| (s, self.splits.get(&s).copied().unwrap_or_default()));
        TrajectoryFigures {
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
            packs: self.packs.clone(),
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
            length_in_steps: self.lengths.stats(),
            average_execution_seconds: seconds,
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::{row, row_with_steps};

    #[test]
    fn no_rows_have_no_averages() {
        let totals = TrajectoryTally::default().figures().totals;
        assert_eq!(totals.success_rate, None);
        assert_eq!(totals.length_in_steps.p50, None);
        assert_eq!(totals.cost_usd, Money::ZERO);
    }

    #[test]
    fn packs_are_counted_by_name_and_version() {
        let mut tally = TrajectoryTally::default();
        let pack = |version: &str| RowPack {
            name: "tabq".to_owned(),
            version: version.to_owned(),
            digest: "d".to_owned(),
            licence: "MIT".to_owned(),
            notices: "Do what you like.".to_owned(),
        };
        for version in ["1", "2", "1"] {
            let row = TrajectoryRow { pack: Some(pack(version)), ..row(1) };
            tally.add(DatasetSplit::Train, &row);
        }
        tally.add(DatasetSplit::Train, &row(2));
        let packs = tally.figures().packs;
        let rows: Vec<_> = packs.iter().map(|(name, pack)| (name.as_str(), pack.rows)).collect();
        assert_eq!(rows, [("tabq@1", 2), ("tabq@2", 1)]);
        assert_eq!(packs["tabq@1"].licence, "MIT");
        assert_eq!(packs["tabq@1"].notices, "Do what you like.");
    }

    /// A sum that lacks something is no sum.
    #[test]
    fn what_nobody_counted_leaves_the_sum_unknown() {
        let mut tally = TrajectoryTally::default();
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
        let mut forth = TrajectoryTally::default();
        let mut back = TrajectoryTally::default();
        (0..50).for_each(|n| forth.add(DatasetSplit::Train, &row(n)));
        (0..50).rev().for_each(|n| back.add(DatasetSplit::Train, &row(n)));
        assert_eq!(forth.figures(), back.figures());
    }

    #[test]
    fn the_median_is_a_length_that_occurs() {
        for (lengths, median) in
            [(vec![7], 7), (vec![1, 9], 1), (vec![1, 2, 30], 2), (vec![4, 4, 4, 9], 4)]
        {
            let mut tally = TrajectoryTally::default();
            lengths.iter().for_each(|n| tally.add(DatasetSplit::Test, &row_with_steps(1, *n)));
            assert_eq!(tally.figures().totals.length_in_steps.p50, Some(median), "{lengths:?}");
        }
    }
}

//! Figures of a dataset of completions, counted one row at a time. See `tally`.

use super::lengths::{LengthCounts, LengthStats, round, share};
use super::tally::{DatasetTokens, count_labels, plus};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use synthd_actors::model::{CompletionRow, DatasetSplit, Money};

/// The figures of completions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompletionFigures {
    /// All rows together.
    pub totals: CompletionTotals,
    /// Each split, also one without rows.
    pub splits: BTreeMap<DatasetSplit, CompletionGroup>,
    /// The rows by what they have in common.
    pub distributions: CompletionDistributions,
    /// How many rows have each label.
    pub labels: BTreeMap<String, u64>,
    /// Whether a scripted model made any of the rows.
    pub scripted: bool,
    /// The names of these models.
    pub scripted_models: Vec<String>,
}

/// The figures of all rows together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompletionTotals {
    /// How many rows there are.
    pub rows: u64,
    /// How many different prompts they answer.
    pub prompts: u64,
    pub tokens: DatasetTokens,
    /// The sum of the rows' costs, in exact dollars.
    pub cost_usd: Money,
    /// How many answers ended for each reason.
    pub finish_reasons: BTreeMap<String, u64>,
    /// The lengths of the answers.
    pub length_in_characters: LengthStats,
    /// None without rows.
    pub average_model_seconds: Option<f64>,
}

/// The rows by the values of several columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CompletionDistributions {
    /// By `llm_model`.
    pub model: BTreeMap<String, CompletionGroup>,
    /// By the file of the prompts.
    pub source: BTreeMap<String, CompletionGroup>,
}

/// The figures of rows that have something in common.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompletionGroup {
    pub rows: u64,
    /// Tokens that the models wrote. None if a row was not counted.
    pub output_tokens: Option<i64>,
    pub cost_usd: Money,
    /// The average length of an answer. None without rows.
    pub average_characters: Option<f64>,
}

/// The counters behind [`CompletionFigures`].
#[derive(Clone, Debug, Default)]
pub(super) struct CompletionTally {
    all: CompletionCount,
    tokens: DatasetTokens,
    milliseconds: u64,
    prompts: BTreeSet<String>,
    finish_reasons: BTreeMap<String, u64>,
    lengths: LengthCounts,
    splits: BTreeMap<DatasetSplit, CompletionCount>,
    models: BTreeMap<String, CompletionCount>,
    sources: BTreeMap<String, CompletionCount>,
    labels: BTreeMap<String, u64>,
    scripted: BTreeSet<String>,
}

/// The counters behind [`CompletionGroup`].
#[derive(Clone, Copy, Debug)]
struct CompletionCount {
    rows: u64,
    characters: u64,
    output_tokens: Option<i64>,
    cost: Money,
}

impl Default for CompletionCount {
    /// No tokens, which is a known number.
    fn default() -> Self {
        Self { rows: 0, characters: 0, output_tokens: Some(0), cost: Money::ZERO }
    }
}

impl CompletionTally {
    /// Adds one row.
    pub(super) fn add(&mut self, split: DatasetSplit, row: &CompletionRow) {
        let one = CompletionCount::of(row);
        self.all.add(one);
        self.splits.entry(split).or_default().add(one);
        self.models.entry(row.llm_model.clone()).or_default().add(one);
        self.sources.entry(row.source.clone()).or_default().add(one);
        *self.finish_reasons.entry(row.finish_reason.clone()).or_default() += 1;
        self.prompts.insert(row.prompt_id.clone());
        self.lengths.add(one.characters);
        count_labels(&mut self.labels, &row.labels);
        if row.llm_provider == "scripted" {
            self.scripted.insert(row.llm_model.clone());
        }
        self.add_expense(row);
    }

    /// Adds the tokens and the time of a row.
    fn add_expense(&mut self, row: &CompletionRow) {
        let (input, output) = (row.input_tokens, row.output_tokens);
        self.tokens.input = plus(self.tokens.input, input);
        self.tokens.output = plus(self.tokens.output, output);
        self.tokens.total = plus(self.tokens.total, plus(input, output));
        let milliseconds = u64::try_from(row.model_ms).unwrap_or(0);
        self.milliseconds = self.milliseconds.saturating_add(milliseconds);
    }

    /// The figures of the rows so far.
    pub(super) fn figures(&self) -> CompletionFigures {
        // All splits are listed, so that one without rows shows a zero.
        let splits =
            DatasetSplit::ALL.map(|s| (s, self.splits.get(&s).copied().unwrap_or_default()));
        CompletionFigures {
            totals: self.totals(),
            splits: splits.into_iter().map(|(split, count)| (split, count.group())).collect(),
            distributions: CompletionDistributions {
                model: groups(&self.models),
                source: groups(&self.sources),
            },
            labels: self.labels.clone(),
            scripted: !self.scripted.is_empty(),
            scripted_models: self.scripted.iter().cloned().collect(),
        }
    }

    /// The figures of all rows together.
    fn totals(&self) -> CompletionTotals {
        let seconds = share(self.milliseconds, self.all.rows).map(|ms| round(ms / 1_000.0));
        CompletionTotals {
            rows: self.all.rows,
            prompts: self.prompts.len() as u64,
            tokens: self.tokens,
            cost_usd: self.all.cost,
            finish_reasons: self.finish_reasons.clone(),
            length_in_characters: self.lengths.stats(),
            average_model_seconds: seconds,
        }
    }
}

impl CompletionCount {
    /// The counters of a single row.
    fn of(row: &CompletionRow) -> Self {
        Self {
            rows: 1,
            characters: row.response.chars().count() as u64,
            output_tokens: row.output_tokens,
            cost: row.cost_usd,
        }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.characters = self.characters.saturating_add(other.characters);
        self.output_tokens = plus(self.output_tokens, other.output_tokens);
        self.cost = self.cost.saturating_add(other.cost);
    }

    /// The figures that these counters give.
    fn group(self) -> CompletionGroup {
        CompletionGroup {
            rows: self.rows,
            output_tokens: self.output_tokens,
            cost_usd: self.cost,
            average_characters: share(self.characters, self.rows),
        }
    }
}

/// The figures of all groups.
fn groups(counts: &BTreeMap<String, CompletionCount>) -> BTreeMap<String, CompletionGroup> {
    counts.iter().map(|(key, count)| (key.clone(), count.group())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::completion;

    #[test]
    fn what_nobody_counted_leaves_the_sum_unknown() {
        let mut tally = CompletionTally::default();
        let mut uncounted = completion(1);
        uncounted.output_tokens = None;
        tally.add(DatasetSplit::Train, &completion(0));
        tally.add(DatasetSplit::Test, &uncounted);
        let figures = tally.figures();
        assert_eq!((figures.totals.rows, figures.totals.prompts), (2, 1));
        assert!(figures.totals.tokens.input.is_some() && figures.totals.tokens.total.is_none());
        assert!(figures.splits[&DatasetSplit::Train].output_tokens.is_some());
        assert_eq!(figures.splits[&DatasetSplit::Test].output_tokens, None);
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let (mut forth, mut back) = (CompletionTally::default(), CompletionTally::default());
        (0..50).for_each(|n| forth.add(DatasetSplit::Train, &completion(n)));
        (0..50).rev().for_each(|n| back.add(DatasetSplit::Train, &completion(n)));
        assert_eq!(forth.figures(), back.figures());
    }
}

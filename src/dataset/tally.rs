//! Figures of a dataset, counted one row at a time. The writer counts them for the metadata and the
//! card, and `stats` and `verify` count them again from the files. Each row format has its own
//! figures.
//!
//! Sums are integers. So the order of the rows does not matter, and counting again from the files
//! gives exactly the figures that were written. Shares and averages are computed at the end, and
//! are rounded to six decimals.

use super::completion_tally::{CompletionFigures, CompletionTally};
use super::trajectory_tally::{TrajectoryFigures, TrajectoryTally};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use synthd_actors::model::{DatasetRow, DatasetSplit, RowFormat};

/// The figures of a dataset. In JSON they have no mark of their format: the names of the totals tell
/// them apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DatasetFigures {
    Trajectory(TrajectoryFigures),
    Completion(CompletionFigures),
}

impl DatasetFigures {
    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        match self {
            Self::Trajectory(figures) => figures.totals.rows,
            Self::Completion(figures) => figures.totals.rows,
        }
    }

    /// How many rows each split has, also one without rows.
    pub fn rows_by_split(&self) -> BTreeMap<DatasetSplit, u64> {
        match self {
            Self::Trajectory(figures) => {
                figures.splits.iter().map(|(split, group)| (*split, group.rows)).collect()
            }
            Self::Completion(figures) => {
                figures.splits.iter().map(|(split, group)| (*split, group.rows)).collect()
            }
        }
    }

    /// How many rows have each label.
    pub fn labels(&self) -> &BTreeMap<String, u64> {
        match self {
            Self::Trajectory(figures) => &figures.labels,
            Self::Completion(figures) => &figures.labels,
        }
    }

    /// The scripted models that made some of the rows. Empty if none did.
    pub fn scripted_models(&self) -> &[String] {
        match self {
            Self::Trajectory(figures) => &figures.scripted_models,
            Self::Completion(figures) => &figures.scripted_models,
        }
    }
}

/// The tokens of all rows. A sum is None if a part of it was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetTokens {
    /// Tokens that the models read.
    pub input: Option<i64>,
    /// Tokens that the models wrote.
    pub output: Option<i64>,
    /// The sum of what the rows state in total.
    pub total: Option<i64>,
}

impl Default for DatasetTokens {
    /// No tokens, which is a known number.
    fn default() -> Self {
        Self { input: Some(0), output: Some(0), total: Some(0) }
    }
}

/// Adds to a sum. The sum is None from the first unknown part on.
pub(super) fn plus(sum: Option<i64>, more: Option<i64>) -> Option<i64> {
    Some(sum?.saturating_add(more?))
}

/// Counts each label of a row.
pub(super) fn count_labels(counts: &mut BTreeMap<String, u64>, labels: &[String]) {
    for label in labels {
        *counts.entry(label.clone()).or_default() += 1;
    }
}

/// The counters behind [`DatasetFigures`].
#[derive(Clone, Debug)]
pub(super) enum DatasetTally {
    Trajectory(Box<TrajectoryTally>),
    Completion(Box<CompletionTally>),
}

impl DatasetTally {
    /// Counters for rows of this format.
    pub(super) fn of(format: RowFormat) -> Self {
        match format {
            RowFormat::Trajectory => Self::Trajectory(Box::default()),
            RowFormat::Completion => Self::Completion(Box::default()),
        }
    }

    /// Adds one row. A row of another format is not counted; writer and reader refuse it before.
    pub(super) fn add(&mut self, split: DatasetSplit, row: &DatasetRow) {
        match (self, row) {
            (Self::Trajectory(tally), DatasetRow::Trajectory(row)) => tally.add(split, row),
            (Self::Completion(tally), DatasetRow::Completion(row)) => tally.add(split, row),
            _ => {}
        }
    }

    /// The figures of the rows so far.
    pub(super) fn figures(&self) -> DatasetFigures {
        match self {
            Self::Trajectory(tally) => DatasetFigures::Trajectory(tally.figures()),
            Self::Completion(tally) => DatasetFigures::Completion(tally.figures()),
        }
    }
}

//! The lines of a review's file. The first one is the head, then come the items, and then decisions and
//! undos in the order in which they were made. No line is ever changed.

use super::sample::SampleDesign;
use crate::model::{ReviewDecision, SealedVerdict};
use serde::{Deserialize, Serialize};

/// The name and the version of the format.
pub const REVIEW_SCHEMA: &str = "synthd.review/1";

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum ReviewRecord {
    Review(ReviewHead),
    Item(ReviewItem),
    Decision(ReviewDecision),
    Undo(ReviewUndo),
}

/// What is reviewed, and how the items were drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewHead {
    pub schema: String,
    pub name: String,
    /// The directory of the dataset version when the review was made.
    pub dir: String,
    /// The name of the dataset.
    pub dataset: String,
    /// The number of the version.
    pub version: u32,
    /// The digest of the version's rows.
    pub digest: String,
    pub design: SampleDesign,
    pub seed: u64,
    /// How many rows the version has.
    pub rows: u64,
    /// How many items follow.
    pub items: u64,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// A row that is reviewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewItem {
    /// From 1, in the order in which items are reviewed.
    pub number: u64,
    /// The id of the row.
    pub row: String,
    /// The digest of the row's content.
    pub digest: String,
    pub stratum: String,
    /// How many rows of the stratum were drawn.
    pub drawn: u64,
    /// How many rows the stratum has.
    pub of: u64,
    /// How many reviewers are wanted: 1 or 2.
    pub reviewers: u32,
    /// The verdict when the item was drawn. It is hidden from reviewers until they have decided.
    pub verdict: SealedVerdict,
    /// What contradicts the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<String>,
}

impl ReviewItem {
    /// How probable it was that the row is drawn.
    pub fn probability(&self) -> f64 {
        self.drawn as f64 / self.of.max(1) as f64
    }

    /// How many rows of the dataset the item stands for.
    pub fn weight(&self) -> f64 {
        self.of as f64 / self.drawn.max(1) as f64
    }

    /// Whether another item was drawn with the same probability, compared without rounding.
    pub fn same_chance(&self, other: &Self) -> bool {
        u128::from(self.drawn) * u128::from(other.of)
            == u128::from(other.drawn) * u128::from(self.of)
    }
}

/// A reviewer takes the own decision on an item back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewUndo {
    pub item: u64,
    pub reviewer: String,
    /// RFC 3339, UTC.
    pub at: String,
}

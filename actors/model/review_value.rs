//! What people say of rows: a decision, what a dataset claims of the same row, and a line of an exported
//! review, which a recipe reads.

use super::DatasetRow;
use serde::{Deserialize, Serialize};

/// What a reviewer thinks of the work in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewValue {
    /// The work does what was asked.
    Right,
    /// It does not.
    Wrong,
    /// The reviewer cannot tell.
    Unsure,
}

impl ReviewValue {
    pub const ALL: [(&str, Self); 3] =
        [("right", Self::Right), ("wrong", Self::Wrong), ("unsure", Self::Unsure)];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Unsure => "unsure",
        }
    }
}

/// The verdict of the sealed check on a row. No decision of a reviewer changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SealedVerdict {
    Resolved,
    Unresolved,
    /// The checks contradict each other.
    Flaky,
    /// Nothing has checked the row: a completion.
    Unchecked,
}

impl SealedVerdict {
    pub fn of(row: &DatasetRow) -> Self {
        match row.as_trajectory().map(|row| row.final_result.as_str()) {
            None => Self::Unchecked,
            Some("resolved") => Self::Resolved,
            Some("unresolved") => Self::Unresolved,
            Some(_) => Self::Flaky,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolved => "resolved",
            Self::Unresolved => "unresolved",
            Self::Flaky => "flaky",
            Self::Unchecked => "unchecked",
        }
    }

    /// What the dataset claims of the row. A completion that is in a dataset is claimed to be good. A
    /// flaky verdict claims nothing.
    pub fn claim(self) -> Option<ReviewValue> {
        match self {
            Self::Resolved | Self::Unchecked => Some(ReviewValue::Right),
            Self::Unresolved => Some(ReviewValue::Wrong),
            Self::Flaky => None,
        }
    }
}

/// How far the review of an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReviewState {
    /// Nobody has decided.
    Open,
    /// Fewer reviewers have decided than are wanted.
    Begun,
    /// All say the same.
    Agreed,
    /// They differ, and no value has more than half of them. Another reviewer is wanted.
    Disputed,
    /// They differ, and one value has more than half of them.
    Settled,
}

impl ReviewState {
    pub const ALL: [Self; 5] =
        [Self::Open, Self::Begun, Self::Agreed, Self::Disputed, Self::Settled];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Begun => "begun",
            Self::Agreed => "agreed",
            Self::Disputed => "disputed",
            Self::Settled => "settled",
        }
    }

    /// Whether another reviewer is wanted.
    pub fn wants_more(self) -> bool {
        matches!(self, Self::Open | Self::Begun | Self::Disputed)
    }
}

/// What one reviewer says of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewDecision {
    /// The number of the item, from 1.
    pub item: u64,
    pub reviewer: String,
    pub value: ReviewValue,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether the reviewer had not been shown verdict, model and other decisions.
    pub blind: bool,
    /// RFC 3339, UTC.
    pub at: String,
}

/// A line of an exported review: an item with its decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReviewedRow {
    /// The name of the review.
    pub review: String,
    /// The digest of the dataset version.
    pub version: String,
    pub item: u64,
    /// The id of the row.
    pub row: String,
    /// How probable it was that the row is drawn.
    pub probability: f64,
    pub verdict: SealedVerdict,
    pub state: ReviewState,
    /// What more than half of the reviewers say; null while the item is not agreed or settled.
    pub consensus: Option<ReviewValue>,
    pub decisions: Vec<ReviewDecision>,
}

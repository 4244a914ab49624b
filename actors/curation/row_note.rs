//! What a stage says of a row. Notes are kept beside the rows.

use serde::{Deserialize, Serialize};

/// One thing that a stage has found in a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageRemark {
    /// What was found and where, for people. It never has the found secret itself.
    pub detail: String,
    /// The label, if it is not the stage's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The score, for a stage that scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

impl StageRemark {
    pub fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), ..Self::default() }
    }

    #[must_use]
    pub fn labelled(self, label: impl Into<String>) -> Self {
        Self { label: Some(label.into()), ..self }
    }

    #[must_use]
    pub fn scored(self, score: f64) -> Self {
        Self { score: Some(score), ..self }
    }
}

/// What one stage says of one row. A stage that finds nothing leaves no note.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowNote {
    /// The position of the stage in the recipe.
    pub stage: usize,
    pub remarks: Vec<StageRemark>,
    /// How many passages are replaced.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replaced: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

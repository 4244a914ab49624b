//! The stages that a recipe can name. Each is in a file of its own: its settings, its version, and its
//! finder.

mod equal_rows;
mod recorded;

pub use equal_rows::EqualRows;
pub use recorded::{RecordedStage, StageName};

use super::curation_stage::{StageFinder, StageInputs};
use serde::{Deserialize, Serialize};

/// A kind of stage with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum StageSettings {
    /// What a stage of the campaign found when the row was made.
    Recorded { stage: StageName },
    /// All but the first of equal rows.
    Duplicates,
}

impl StageSettings {
    /// The word in recipes, records and counts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Recorded { stage } => stage.as_str(),
            Self::Duplicates => "duplicates",
        }
    }

    /// Raised whenever the stage may say something else of the same row.
    pub fn version(&self) -> u32 {
        1
    }

    /// The label of a row with a finding.
    pub fn label(&self) -> String {
        match self {
            Self::Duplicates => "duplicate".to_owned(),
            _ => self.kind().to_owned(),
        }
    }

    /// Whether it finds passages of texts, which can be replaced.
    pub fn finds_passages(&self) -> bool {
        match self {
            Self::Recorded { .. } | Self::Duplicates => false,
        }
    }

    /// The files that the stage needs, as the recipe names them.
    pub fn files(&self) -> Vec<&str> {
        Vec::new()
    }

    /// What looks at the rows.
    pub(super) fn finder(&self, _inputs: &StageInputs) -> StageFinder {
        match self {
            Self::Recorded { stage } => StageFinder::Row(Box::new(RecordedStage(*stage))),
            Self::Duplicates => StageFinder::Whole(Box::<EqualRows>::default()),
        }
    }
}

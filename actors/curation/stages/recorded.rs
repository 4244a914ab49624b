//! What the stages of a campaign found when a row was made. They saw the task with its sealed files,
//! which a row does not have, so a recipe takes their findings from the record.

use crate::curation::{RowFinder, StageRemark};
use crate::model::RowRecord;
use serde::{Deserialize, Serialize};

/// A stage of the campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StageName {
    Format,
    Leak,
    Tampering,
    Loops,
    Truncation,
    Unresolved,
    Refusal,
}

impl StageName {
    pub const ALL: [Self; 7] = [
        Self::Format,
        Self::Leak,
        Self::Tampering,
        Self::Loops,
        Self::Truncation,
        Self::Unresolved,
        Self::Refusal,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Leak => "leak",
            Self::Tampering => "tampering",
            Self::Loops => "loops",
            Self::Truncation => "truncation",
            Self::Unresolved => "unresolved",
            Self::Refusal => "refusal",
        }
    }
}

/// Finds what one of them found.
pub struct RecordedStage(pub StageName);

impl RowFinder for RecordedStage {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let of_stage = record.findings.iter().filter(|found| found.stage == self.0.as_str());
        of_stage.map(|found| StageRemark::new(found.detail.clone())).collect()
    }
}

//! The stages that a recipe can name. Each is in a file of its own: its settings, its version, and its
//! finder.

mod decontamination;
mod equal_rows;
mod measured_rate;
mod near_rows;
mod recorded;
mod row_balance;
mod row_cap;
mod row_group;
#[cfg(test)]
mod tests;
mod text_words;

pub use decontamination::{BenchmarkOverlap, BenchmarkText};
pub use equal_rows::EqualRows;
pub use measured_rate::MeasuredRate;
pub use near_rows::{ComparedText, NearRows, NearRule};
pub use recorded::{RecordedStage, StageName};
pub use row_balance::RowBalance;
pub(super) use row_cap::lot;
pub use row_cap::{KeepRule, RowCap};
pub use row_group::RowAspect;

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
    /// Rows whose task was solved too often or too seldom. Bounds are thousandths.
    PassRate { between: [u32; 2], least: u32 },
    /// Rows beyond so many of a group.
    Cap { by: Vec<RowAspect>, most: u32, keep: KeepRule },
    /// Rows beyond so many times those of the rarest value. The ratio is in thousandths.
    Balance { by: RowAspect, ratio: u32 },
    /// All but the best of rows that are nearly the same. The threshold is in thousandths.
    NearDuplicates { of: ComparedText, threshold: u32, words: u32, keep: KeepRule },
    /// Rows that have texts of a benchmark.
    Decontamination { benchmarks: Vec<String>, by: Vec<BenchmarkOverlap>, observations: bool },
}

impl StageSettings {
    /// The word in recipes, records and counts.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Recorded { stage } => stage.as_str(),
            Self::Duplicates => "duplicates",
            Self::PassRate { .. } => "pass-rate",
            Self::Cap { .. } => "cap",
            Self::Balance { .. } => "balance",
            Self::NearDuplicates { .. } => "near-duplicates",
            Self::Decontamination { .. } => "decontamination",
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
            Self::NearDuplicates { .. } => "near-duplicate".to_owned(),
            Self::Decontamination { .. } => "contaminated".to_owned(),
            _ => self.kind().to_owned(),
        }
    }

    /// Whether it finds passages of texts, which can be replaced.
    pub fn finds_passages(&self) -> bool {
        match self {
            Self::Recorded { .. }
            | Self::Duplicates
            | Self::PassRate { .. }
            | Self::Cap { .. }
            | Self::Balance { .. }
            | Self::NearDuplicates { .. }
            | Self::Decontamination { .. } => false,
        }
    }

    /// The files that the stage needs, as the recipe names them.
    pub fn files(&self) -> Vec<&str> {
        match self {
            Self::Decontamination { benchmarks, .. } => {
                benchmarks.iter().map(String::as_str).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What is wrong with the files that it needs, for people. None if nothing is.
    pub fn fault_of_files(&self, inputs: &StageInputs) -> Option<String> {
        match self {
            Self::Decontamination { benchmarks, .. } => {
                decontamination::fault_of(benchmarks, inputs)
            }
            _ => None,
        }
    }

    /// What looks at the rows.
    pub(super) fn finder(&self, inputs: &StageInputs) -> StageFinder {
        match self {
            Self::Recorded { stage } => StageFinder::Row(Box::new(RecordedStage(*stage))),
            Self::Duplicates => StageFinder::Whole(Box::<EqualRows>::default()),
            Self::PassRate { between, least } => {
                StageFinder::Whole(Box::new(MeasuredRate::new(*between, *least)))
            }
            Self::Cap { by, most, keep } => {
                StageFinder::Whole(Box::new(RowCap::new(by.clone(), *most, *keep, inputs.seed)))
            }
            Self::Balance { by, ratio } => {
                StageFinder::Whole(Box::new(RowBalance::new(*by, *ratio, inputs.seed)))
            }
            &Self::NearDuplicates { of, threshold, words, keep } => {
                let rule = NearRule { of, threshold, words, keep };
                StageFinder::Whole(Box::new(NearRows::new(rule, inputs.seed)))
            }
            Self::Decontamination { benchmarks, by, observations } => StageFinder::Row(Box::new(
                BenchmarkText::new(benchmarks, by, *observations, inputs),
            )),
        }
    }
}

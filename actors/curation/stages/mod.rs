//! The stages that a recipe can name. Each is in a file of its own: its settings, its version, and its
//! finder.

mod allow_list;
mod byte_set;
mod equal_rows;
mod given_names;
mod gram_filter;
mod host_leaks;
mod measured_rate;
mod model_identity;
mod personal_data;
mod recorded;
mod review_decisions;
mod row_balance;
mod row_cap;
mod row_group;
mod secrets;
#[cfg(test)]
mod tests;

pub use allow_list::check_allowed;
pub use equal_rows::EqualRows;
pub use given_names::SHORTEST_NAME;
pub use measured_rate::MeasuredRate;
pub use recorded::{RecordedStage, StageName};
pub use row_balance::RowBalance;
pub(super) use row_cap::lot;
pub use row_cap::{KeepRule, RowCap};
pub use row_group::RowAspect;

use super::curation_stage::{StageFinder, StageInputs};
use crate::model::ReviewValue;
use host_leaks::HostLeaks;
use model_identity::ModelIdentity;
use personal_data::PersonalData;
use review_decisions::{ReviewDecisions, read_decisions};
use secrets::SecretFinder;
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
    /// Keys, tokens, private keys and passwords.
    Secrets { allow: Vec<String> },
    /// Mail addresses, numbers of phones, cards, accounts and persons, public addresses, and names.
    PersonalData { names: Vec<String>, allow: Vec<String> },
    /// Paths and names of the machine that made the rows.
    HostLeaks { names: Vec<String>, allow: Vec<String> },
    /// A model that says which one it is.
    Identity { names: Vec<String>, allow: Vec<String> },
    /// Rows of which reviewers say something. `file` is an exported review.
    Review { file: String, decision: ReviewValue, least: u32 },
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
            Self::Secrets { .. } => "secrets",
            Self::PersonalData { .. } => "personal-data",
            Self::HostLeaks { .. } => "host-leaks",
            Self::Identity { .. } => "identity",
            Self::Review { .. } => "review",
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
            Self::Review { decision, .. } => format!("review-{}", decision.as_str()),
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
            | Self::Review { .. } => false,
            Self::Secrets { .. }
            | Self::PersonalData { .. }
            | Self::HostLeaks { .. }
            | Self::Identity { .. } => true,
        }
    }

    /// The files that the stage needs, as the recipe names them.
    pub fn files(&self) -> Vec<&str> {
        match self {
            Self::Review { file, .. } => vec![file.as_str()],
            _ => Vec::new(),
        }
    }

    /// What is wrong with the files that the stage needs, for people.
    pub fn check_files(&self, inputs: &StageInputs) -> Result<(), String> {
        match self {
            Self::Review { file, .. } => {
                read_decisions(&inputs.file(file)).map(drop).map_err(|why| format!("{file}: {why}"))
            }
            _ => Ok(()),
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
            Self::Secrets { allow } => StageFinder::Text(Box::new(SecretFinder::new(allow))),
            Self::PersonalData { names, allow } => {
                StageFinder::Text(Box::new(PersonalData::new(names, allow)))
            }
            Self::HostLeaks { names, allow } => {
                StageFinder::Text(Box::new(HostLeaks::new(names, allow)))
            }
            Self::Identity { names, allow } => {
                StageFinder::Text(Box::new(ModelIdentity::new(names, allow)))
            }
            Self::Review { file, decision, least } => {
                // A file with mistakes was refused before (`check_files`).
                let decisions = read_decisions(&inputs.file(file)).unwrap_or_default();
                StageFinder::Row(Box::new(ReviewDecisions::new(decisions, *decision, *least)))
            }
        }
    }
}

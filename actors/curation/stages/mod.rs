//! The stages that a recipe can name. Each is in a file of its own: its settings, its version, and its
//! finder.

mod allow_list;
mod behaviour;
mod byte_set;
mod decontamination;
mod equal_rows;
mod error_spirals;
mod forbidden_means;
mod given_names;
mod gram_filter;
mod host_leaks;
mod idle;
mod judged_rows;
mod language;
mod late_actions;
mod length;
mod measured_rate;
mod model_identity;
mod near_rows;
mod personal_data;
mod recorded;
mod refusals;
mod review_decisions;
mod row_balance;
mod row_cap;
mod row_group;
mod secrets;
mod stalls;
#[cfg(test)]
mod tests;
mod text_words;

pub use allow_list::check_allowed;
pub use decontamination::{BenchmarkOverlap, BenchmarkText};
pub use equal_rows::EqualRows;
pub use error_spirals::SpiralFinder;
pub use forbidden_means::{HISTORY_TEMPLATES, MeansFinder, MeansKind};
pub use given_names::SHORTEST_NAME;
pub use idle::IdleFinder;
pub use judged_rows::{JudgedPairs, JudgedRows, ScoreBounds};
pub use language::{LanguageFinder, TextLanguage};
pub use late_actions::LateFinder;
pub use length::{LengthFinder, LengthUnit};
pub use measured_rate::MeasuredRate;
pub use near_rows::{ComparedText, NearRows, NearRule};
pub use recorded::{RecordedStage, StageName};
pub use refusals::RefusalFinder;
pub use row_balance::RowBalance;
pub(super) use row_cap::lot;
pub use row_cap::{KeepRule, RowCap};
pub use row_group::RowAspect;
pub use stalls::StallFinder;

use super::curation_stage::{StageFinder, StageInputs};
use crate::model::ReviewValue;
use crate::rubric::{JudgePanel, RubricForm};
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
    /// Agents that no longer get on: so many times within so many actions.
    Stalls { length: u32, window: u32 },
    /// So many failures in a row.
    ErrorSpirals { length: u32 },
    /// Episodes that only look, or submit within so many steps.
    Idle { steps: u32 },
    /// Changes of complete work, and so many looking steps before the submission.
    LateActions { trailing: u32 },
    /// Means that are forbidden. `history` are globs of templates whose work is the history.
    ForbiddenMeans { kinds: Vec<MeansKind>, history: Vec<String> },
    /// Rows that are too short or too long.
    Length { of: LengthUnit, least: Option<u64>, most: Option<u64> },
    /// Rows with a share of letters in other languages, in thousandths, if they have so many letters.
    Language { wanted: Vec<TextLanguage>, share: u32, letters: u32 },
    /// Models that decline.
    Refusals,
    /// Rows of which reviewers say something. `file` is an exported review.
    Review { file: String, decision: ReviewValue, least: u32 },
    /// All but the best of rows that are nearly the same. The threshold is in thousandths.
    NearDuplicates { of: ComparedText, threshold: u32, words: u32, keep: KeepRule },
    /// Rows that have texts of a benchmark.
    Decontamination { benchmarks: Vec<String>, by: Vec<BenchmarkOverlap>, observations: bool },
    /// Rows by what judges say of them. `rubric` is a shipped one or a file; `review` an exported review
    /// with which the judges are compared. Bounds are thousandths.
    Judge {
        rubric: String,
        panel: JudgePanel,
        below: Option<u32>,
        from: Option<u32>,
        review: Option<String>,
    },
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
            Self::Stalls { .. } => "stalls",
            Self::ErrorSpirals { .. } => "error-spirals",
            Self::Idle { .. } => "idle",
            Self::LateActions { .. } => "late-actions",
            Self::ForbiddenMeans { .. } => "forbidden-means",
            Self::Length { .. } => "length",
            Self::Language { .. } => "language",
            Self::Refusals => "refusals",
            Self::Review { .. } => "review",
            Self::NearDuplicates { .. } => "near-duplicates",
            Self::Decontamination { .. } => "decontamination",
            Self::Judge { .. } => "judge",
        }
    }

    /// Raised whenever the stage may say something else of the same row.
    pub fn version(&self) -> u32 {
        match self {
            // The second looks also at what cannot be read in JSON, and passages at keys, numbers and names of tools.
            Self::NearDuplicates { .. } | Self::Decontamination { .. } | Self::Length { .. } => 2,
            _ if self.finds_passages() => 2,
            _ => 1,
        }
    }

    /// The label of a row with a finding.
    pub fn label(&self) -> String {
        match self {
            Self::Duplicates => "duplicate".to_owned(),
            Self::Review { decision, .. } => format!("review-{}", decision.as_str()),
            Self::NearDuplicates { .. } => "near-duplicate".to_owned(),
            Self::Decontamination { .. } => "contaminated".to_owned(),
            Self::Judge { rubric, .. } => format!("judged-{}", label_of(rubric)),
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
            | Self::Stalls { .. }
            | Self::ErrorSpirals { .. }
            | Self::Idle { .. }
            | Self::LateActions { .. }
            | Self::ForbiddenMeans { .. }
            | Self::Length { .. }
            | Self::Language { .. }
            | Self::Refusals
            | Self::Review { .. }
            | Self::NearDuplicates { .. }
            | Self::Decontamination { .. }
            | Self::Judge { .. } => false,
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
            Self::Decontamination { benchmarks, .. } => {
                benchmarks.iter().map(String::as_str).collect()
            }
            Self::Judge { review, .. } => review.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// What is wrong with the files that the stage needs, for people.
    pub fn check_files(&self, inputs: &StageInputs) -> Result<(), String> {
        match self {
            Self::Review { file, .. } => {
                read_decisions(&inputs.file(file)).map(drop).map_err(|why| format!("{file}: {why}"))
            }
            Self::Decontamination { benchmarks, .. } => {
                decontamination::fault_of(benchmarks, inputs).map_or(Ok(()), Err)
            }
            Self::Judge { review: Some(file), .. } => {
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
            Self::Stalls { length, window } => {
                StageFinder::Row(Box::new(StallFinder::new(*length, *window)))
            }
            Self::ErrorSpirals { length } => StageFinder::Row(Box::new(SpiralFinder::new(*length))),
            Self::Idle { steps } => StageFinder::Row(Box::new(IdleFinder::new(*steps))),
            Self::LateActions { trailing } => {
                StageFinder::Row(Box::new(LateFinder::new(*trailing)))
            }
            Self::ForbiddenMeans { kinds, history } => {
                StageFinder::Row(Box::new(MeansFinder::new(kinds.clone(), history.clone())))
            }
            Self::Length { of, least, most } => {
                StageFinder::Row(Box::new(LengthFinder::new(*of, *least, *most)))
            }
            Self::Language { wanted, share, letters } => {
                let finder = LanguageFinder::new(wanted.clone(), *share, *letters);
                StageFinder::Row(Box::new(finder))
            }
            Self::Refusals => StageFinder::Row(Box::new(RefusalFinder)),
            Self::Review { file, decision, least } => {
                // A file with mistakes was refused before (`check_files`).
                let decisions = read_decisions(&inputs.file(file)).unwrap_or_default();
                StageFinder::Row(Box::new(ReviewDecisions::new(decisions, *decision, *least)))
            }
            &Self::NearDuplicates { of, threshold, words, keep } => {
                let rule = NearRule { of, threshold, words, keep };
                StageFinder::Whole(Box::new(NearRows::new(rule, inputs.seed)))
            }
            Self::Decontamination { benchmarks, by, observations } => StageFinder::Row(Box::new(
                BenchmarkText::new(benchmarks, by, *observations, inputs),
            )),
            Self::Judge { rubric, panel, below, from, .. } => {
                let (known, panel) = (inputs.rubric(rubric), panel.clone());
                let (bounds, form) =
                    (ScoreBounds { below: *below, from: *from }, known.rubric.form);
                match form {
                    RubricForm::One => {
                        StageFinder::Row(Box::new(JudgedRows::new(known, panel, bounds)))
                    }
                    RubricForm::Pair => StageFinder::Whole(Box::new(JudgedPairs::new(
                        known,
                        panel,
                        bounds,
                        inputs.seed,
                    ))),
                }
            }
        }
    }
}

/// The name of a rubric as a label: of a file, its name without the ending.
fn label_of(rubric: &str) -> &str {
    let name = rubric.rsplit('/').next().unwrap_or(rubric);
    name.strip_suffix(".toml").unwrap_or(name)
}

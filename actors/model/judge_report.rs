//! What the judges of a stage said of its rows, and how far they agree with the sealed check and with
//! reviewers, as metadata and card of a version tell it.

use super::Money;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answers of a stage's judges.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgeReport {
    pub rubric: String,
    pub rubric_version: u32,
    /// The digest of everything that the judges were asked beside the row.
    pub rubric_digest: String,
    /// How answers become one score, in words.
    pub rule: String,
    /// The rows that the stage saw.
    pub rows: u64,
    /// Those with a score.
    pub scored: u64,
    /// Those of which too few judges gave a score.
    pub short: u64,
    /// Those with nothing that the rubric shows, or with no other row to compare.
    pub empty: u64,
    /// Those of which a judge was not asked.
    pub unasked: u64,
    /// The answers with a score.
    pub answers: u64,
    /// The questions without one.
    pub faults: u64,
    /// What all answers have cost, when they were asked.
    pub cost_usd: Money,
    /// The mean score of rows, from 0 to 1.
    pub mean: Option<f64>,
    /// The mean difference between the highest and the lowest judge of a row.
    pub spread: Option<f64>,
    /// How far the aggregated score agrees.
    pub panel: JudgeAgreement,
    /// How far each judge alone agrees.
    pub judges: BTreeMap<String, JudgeAgreement>,
}

/// How far scores agree with others. None where nothing can be compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgeAgreement {
    /// With the sealed check.
    pub check: Option<AgreementFigures>,
    /// With what more than half of a row's reviewers say.
    pub reviewers: Option<AgreementFigures>,
}

/// How far scores agree with a yes or no.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgreementFigures {
    pub rows: u64,
    /// The judge and the other say yes.
    pub both_yes: u64,
    /// Only the judge says yes.
    pub only_judge: u64,
    /// Only the other says yes.
    pub only_other: u64,
    pub both_no: u64,
    /// The share of rows where both say the same, with its 95 % interval (Wilson).
    pub equal: f64,
    pub low: f64,
    pub high: f64,
    /// Cohen's kappa; null if chance alone would always agree.
    pub kappa: Option<f64>,
    /// The mean squared difference of score and yes (1) or no (0).
    pub brier: f64,
    /// The mean difference of score and share of yes within the bins, weighed by rows.
    pub calibration_error: f64,
    pub bins: Vec<CalibrationBin>,
}

/// Rows whose scores are near each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// The lowest score of the bin.
    pub from: f64,
    pub rows: u64,
    /// The mean score.
    pub mean: f64,
    /// The share of rows of which the other says yes.
    pub yes: f64,
}

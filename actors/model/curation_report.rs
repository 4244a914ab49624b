//! What a recipe made of its rows, as metadata and card of a version tell it.

use super::JudgeReport;
use serde::{Deserialize, Serialize};

/// What a recipe did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurationReport {
    /// The text of the recipe.
    pub recipe: String,
    pub sources: Vec<CurationSource>,
    /// The stages in their order.
    pub stages: Vec<CuratedStage>,
    /// How diverse the rows of the version are.
    #[serde(default)]
    pub diversity: DiversityReport,
    /// The same for each day on which episodes ended, oldest first. Empty if all rows are of one day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<DayDiversity>,
}

/// How diverse the rows of one day are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DayDiversity {
    /// In UTC, such as `2026-11-30`.
    pub day: String,
    pub diversity: DiversityReport,
}

/// How diverse rows are: figures of a sample of what models wrote, at equal length.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DiversityReport {
    /// The rows of the set.
    pub rows: u64,
    /// The texts of the sample that have the length.
    pub sampled: u64,
    /// The length of each text, in characters.
    pub length: u64,
    /// Bytes by compressed bytes of all texts together: more if they repeat each other.
    pub compression: Option<f64>,
    /// The share of different words, of different pairs and of different triples among all.
    pub distinct: [Option<f64>; 3],
    /// The share of texts with eight words in a row that another text has too.
    pub repeated: Option<f64>,
    /// The mean BLEU of each text against the others.
    pub self_bleu: Option<f64>,
    /// How many entirely different texts the compared ones are worth.
    pub vendi: Option<f64>,
    /// How many texts were compared for the two figures above.
    pub compared: u64,
    /// The entropy of rows by model, in bits.
    pub models: f64,
    /// The entropy of rows by template, in bits.
    pub templates: f64,
    /// Different tools that were called.
    pub tools: u64,
    /// Different programs that shell commands began with.
    pub commands: u64,
    /// Different categories.
    pub categories: u64,
}

/// Where rows came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurationSource {
    pub campaign: String,
    /// The digest of what decides the campaign's tasks and calls.
    pub identity: String,
    pub rows: u64,
}

/// What one stage did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CuratedStage {
    pub kind: String,
    pub version: u32,
    pub action: String,
    /// The settings, as JSON.
    pub settings: serde_json::Value,
    /// The rows that it was shown.
    pub seen: u64,
    /// Those with a finding.
    pub found: u64,
    /// Passages that it replaced.
    pub replaced: u64,
    /// The first findings.
    pub examples: Vec<StageExample>,
    /// What its judges said, if it has judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<JudgeReport>,
}

/// A finding for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageExample {
    pub row: String,
    pub detail: String,
}

//! What a rubric says: by which criteria a judge gives values, and what of a row it sees.

use crate::model::digest_of;
use serde::{Deserialize, Serialize};

/// Raised whenever the same rubric asks in other words, or reads its answers in another way.
const REQUEST_EDITION: &str = "1";

/// A rubric: what a judge is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rubric {
    pub name: String,
    pub version: u32,
    pub form: RubricForm,
    /// What is judged and how, in words for the judge.
    pub prompt: String,
    /// What of a row the judge sees.
    pub shows: Vec<ShownPart>,
    pub scale: RubricScale,
    pub criteria: Vec<RubricCriterion>,
    /// The most characters of a row that the judge sees.
    pub most_characters: u32,
    /// The score, in thousandths, from which on the judge says that the work is right. None if the rubric
    /// asks something that neither a check nor a reviewer says.
    pub right_from: Option<u32>,
}

/// How many rows a judge sees at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RubricForm {
    /// One row gets values.
    #[default]
    One,
    /// Two rows of one task are compared, in both orders.
    Pair,
}

impl RubricForm {
    pub const ALL: [(&str, Self); 2] = [("one", Self::One), ("pair", Self::Pair)];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Pair => "pair",
        }
    }
}

/// A part of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShownPart {
    /// What was asked: the task, or the messages before the answer.
    Instruction,
    /// What the model thought.
    Thoughts,
    /// What the agent did.
    Actions,
    /// What it was shown.
    Observations,
    /// The answer of a completion.
    Answer,
}

impl ShownPart {
    pub const ALL: [(&str, Self); 5] = [
        ("instruction", Self::Instruction),
        ("thoughts", Self::Thoughts),
        ("actions", Self::Actions),
        ("observations", Self::Observations),
        ("answer", Self::Answer),
    ];
}

/// The values that a judge may give. `low` is smaller than `high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RubricScale {
    pub low: i32,
    pub high: i32,
}

impl RubricScale {
    /// The scale of a comparison: 1 if the first row is better, -1 if the second is, 0 for a tie.
    pub const OF_PAIRS: Self = Self { low: -1, high: 1 };

    pub fn contains(self, value: i64) -> bool {
        (i64::from(self.low)..=i64::from(self.high)).contains(&value)
    }

    /// A value as its place on the scale, in thousandths.
    fn thousandths(self, value: i32) -> u64 {
        let place = u64::from(value.clamp(self.low, self.high).abs_diff(self.low));
        let length = u64::from(self.high.abs_diff(self.low)).max(1);
        (place * 2_000 + length) / (2 * length)
    }
}

impl Default for RubricScale {
    fn default() -> Self {
        Self { low: 1, high: 5 }
    }
}

/// One thing that a judge gives a value for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RubricCriterion {
    /// The key in answers: lower-case letters, digits, hyphens.
    pub name: String,
    /// What is asked, for the judge.
    pub asks: String,
    /// How much it counts beside the others.
    pub weight: u32,
}

impl Rubric {
    /// A digest of everything that a judge is asked. Answers belong to it.
    pub fn digest(&self) -> String {
        let said = serde_json::to_string(self).unwrap_or_default();
        digest_of(&["rubric", REQUEST_EDITION, &said])
    }

    /// The score of an answer in thousandths: the weighted mean of its values' places on the scale.
    pub fn score(&self, value_of: impl Fn(&str) -> Option<i32>) -> u32 {
        let (mut sum, mut weights) = (0, 0);
        for criterion in &self.criteria {
            if let Some(value) = value_of(&criterion.name) {
                sum += self.scale.thousandths(value) * u64::from(criterion.weight);
                weights += u64::from(criterion.weight);
            }
        }
        if weights == 0 {
            return 0;
        }
        u32::try_from((sum * 2 + weights) / (2 * weights)).unwrap_or(1_000).min(1_000)
    }
}

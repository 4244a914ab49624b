//! Reads the answer of a judge. An answer is one JSON object with the token of its request and a value
//! for each criterion, and nothing beside it. Everything else is a mistake: a judge that repeats what it
//! has read, or that obeys it, gives no score.

use super::rubric_form::Rubric;
use super::rubric_request::RubricToken;
use crate::model::{ChatReply, FinishReason};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The most bytes of an answer, 64 KiB.
const MOST_ANSWER: usize = 64 << 10;
/// The most characters of a reason that are kept.
const MOST_REASON: usize = 1_000;

/// What a judge says of a row, or of two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RubricAnswer {
    /// The value of each criterion.
    pub scores: BTreeMap<String, i32>,
    /// Why, in the judge's words.
    pub reason: String,
    /// The score that the values give, in thousandths.
    pub score: u32,
}

/// Why an answer could not be read. It never has words of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RubricMistake {
    /// The output limit cut it.
    Cut,
    /// The judge, or a filter of its provider, declined.
    Declined,
    /// It is too long.
    Long,
    /// It is no JSON object of the form that was asked for, or has words beside it.
    Form,
    /// It has another token than its request.
    Token,
    /// It leaves a criterion out, or has another one.
    Criteria,
    /// A value is not on the scale.
    Scale,
    /// The provider does not take the request: it is too long for the model, or not allowed.
    Refused,
}

impl RubricMistake {
    /// What the judge is told when it is asked again, and people in reports.
    pub fn told(self) -> &'static str {
        match self {
            Self::Cut => "it was cut at the output limit",
            Self::Declined => "it declined",
            Self::Long => "it was too long",
            Self::Form => "it was not one JSON object of the form and nothing else",
            Self::Token => "it did not have the token of the answer",
            Self::Criteria => "it did not have one value for each criterion",
            Self::Scale => "a value was not on the scale",
            Self::Refused => "the provider did not take the request",
        }
    }
}

/// An answer as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnswer {
    token: String,
    reason: String,
    scores: CriterionValues,
}

/// The values of an answer, with names that are given twice.
struct CriterionValues(Vec<(String, i64)>);

impl<'de> Deserialize<'de> for CriterionValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ValuesVisitor)
    }
}

/// Collects the entries of a map in their order.
struct ValuesVisitor;

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = CriterionValues;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a whole number for each criterion")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(entry) = map.next_entry::<String, i64>()? {
            values.push(entry);
        }
        Ok(CriterionValues(values))
    }
}

impl RubricAnswer {
    /// Reads a reply to the request that had this token.
    pub fn read(
        reply: &ChatReply,
        rubric: &Rubric,
        token: &RubricToken,
    ) -> Result<Self, RubricMistake> {
        match reply.finish {
            FinishReason::Length => return Err(RubricMistake::Cut),
            FinishReason::Refusal => return Err(RubricMistake::Declined),
            FinishReason::Stop | FinishReason::ToolCalls => {}
        }
        let text = reply.message.content.trim();
        if text.len() > MOST_ANSWER {
            return Err(RubricMistake::Long);
        }
        // A list with the same values in their order would be read as well.
        let object = Some(unfenced(text)).filter(|text| text.starts_with('{'));
        let written = object.and_then(|text| serde_json::from_str::<WrittenAnswer>(text).ok());
        let written = written.ok_or(RubricMistake::Form)?;
        if written.token != token.answer() {
            return Err(RubricMistake::Token);
        }
        let scores = values_of(written.scores, rubric)?;
        let score = rubric.score(|name| scores.get(name).copied());
        let reason = written.reason.chars().take(MOST_REASON).collect();
        Ok(Self { scores, reason, score })
    }
}

/// The text within a fence that surrounds the whole answer.
fn unfenced(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|text| text.strip_suffix("```"));
    let Some(inner) = inner else { return text };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

/// The values, if each criterion has exactly one and all are on the scale.
fn values_of(
    values: CriterionValues,
    rubric: &Rubric,
) -> Result<BTreeMap<String, i32>, RubricMistake> {
    let is_known = |name: &str| rubric.criteria.iter().any(|criterion| criterion.name == name);
    if values.0.len() != rubric.criteria.len() {
        return Err(RubricMistake::Criteria);
    }
    let mut scores = BTreeMap::new();
    for (name, value) in values.0 {
        if !rubric.scale.contains(value) {
            return Err(RubricMistake::Scale);
        }
        let value = i32::try_from(value).map_err(|_| RubricMistake::Scale)?;
        if !is_known(&name) || scores.insert(name, value).is_some() {
            return Err(RubricMistake::Criteria);
        }
    }
    Ok(scores)
}

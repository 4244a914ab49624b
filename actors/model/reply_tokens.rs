//! The tokens of a reply, as far as the provider gives them. A trainer that has them needs no tokenizer,
//! which might divide the texts in another way.

use serde::{Deserialize, Serialize};
use serde_json::Number;

/// The tokens of one reply. What the provider did not give is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplyTokens {
    /// The ids of all tokens that the model read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_ids: Option<Vec<i32>>,
    /// The ids of all tokens that the model wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<i32>>,
    /// The logarithm of the probability with which the model wrote each token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Vec<Number>>,
}

impl ReplyTokens {
    /// Whether the provider gave nothing.
    pub fn is_empty(&self) -> bool {
        self.prompt_ids.is_none() && self.ids.is_none() && self.logprobs.is_none()
    }

    /// The logarithms as numbers. None if one of them has no number.
    pub fn logprob_values(&self) -> Option<Vec<f64>> {
        self.logprobs.as_ref()?.iter().map(Number::as_f64).collect()
    }
}

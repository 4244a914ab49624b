//! Sampling parameters: what a campaign says about how a model is asked (temperature, seed, stop
//! words, reasoning), and how this is merged into a request of a scaffold.

use super::{ChatRequest, RequestSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// The output limit of a call, in tokens, if the campaign names none for the model.
pub const USUAL_OUTPUT_TOKENS: u32 = 4_096;
/// The largest seed. Several providers accept only 31 bits.
pub const MOST_SEED: u64 = 0x7fff_ffff;

/// How much a model reasons before it answers. It applies to families of models that take a word
/// for it; others take a `thinking_budget` in tokens. The order of the variants is from least to
/// most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningEffort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl ReasoningEffort {
    pub const ALL: [Self; 7] =
        [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

    /// The word in campaign files, such as `medium`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }
}

/// The sampling parameters of one model in a campaign. A parameter that is none is not sent, and
/// the scaffold's value or the provider's default applies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SamplingParams {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// The seed of sample 0. Sample `n` uses this seed plus `n`, see `of_sample`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The model stops when it writes one of these texts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_effort: Option<ReasoningEffort>,
    /// The most tokens of reasoning. They are part of the output limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_budget: Option<u32>,
    /// The most tokens of a reply. It replaces the scaffold's limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
    /// Further keys for the provider's JSON body. They are copied into the body of every request
    /// unchanged.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

impl SamplingParams {
    /// Whether the campaign says nothing about sampling for this model.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// The request of a scaffold with these parameters, for the given sample. If the campaign sets
    /// no parameter, it is the same shared request and nothing is copied.
    pub fn asked(&self, request: &Arc<ChatRequest>, sample: u32) -> Arc<ChatRequest> {
        match self.is_usual() {
            true => request.clone(),
            false => Arc::new(self.over(request, sample)),
        }
    }

    /// A copy of `request` in which these parameters replace the request's own settings. Settings
    /// without a parameter here stay as they are in the request.
    pub fn over(&self, request: &ChatRequest, sample: u32) -> ChatRequest {
        let own = &request.settings;
        let settings = RequestSettings {
            temperature: self.temperature.or(own.temperature),
            top_p: self.top_p.or(own.top_p),
            seed: self.seed.map(|seed| of_sample(seed, sample)).or(own.seed),
            stop: if self.stop.is_empty() { own.stop.clone() } else { self.stop.clone() },
            reasoning_effort: self.reasoning_effort.or(own.reasoning_effort),
            thinking_budget: self.thinking_budget.or(own.thinking_budget),
            extra: if self.extra.is_empty() { own.extra.clone() } else { self.extra.clone() },
            ..own.clone()
        };
        let max_output_tokens = self.max_output_tokens.unwrap_or(request.max_output_tokens);
        let (messages, tools) = (request.messages.clone(), request.tools.clone());
        ChatRequest { messages, tools, max_output_tokens, settings }
    }

    /// The parameters with which `request` was really asked. They go into the dataset row.
    pub fn of(request: &ChatRequest) -> Self {
        let RequestSettings { temperature, top_p, seed, stop, .. } = request.settings.clone();
        let RequestSettings { reasoning_effort, thinking_budget, extra, .. } =
            request.settings.clone();
        let max_output_tokens = Some(request.max_output_tokens);
        Self {
            temperature,
            top_p,
            seed,
            stop,
            reasoning_effort,
            thinking_budget,
            max_output_tokens,
            extra,
        }
    }
}

/// The seed of a sample. Each sample has another seed, and the seed wraps around within 31 bits.
fn of_sample(seed: u64, sample: u32) -> u64 {
    seed.wrapping_add(u64::from(sample)) & MOST_SEED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChatMessage, ChatRole};
    use proptest::prelude::*;

    fn request() -> Arc<ChatRequest> {
        Arc::new(ChatRequest {
            messages: vec![ChatMessage::text(ChatRole::User, "hello")],
            tools: Vec::new(),
            max_output_tokens: USUAL_OUTPUT_TOKENS,
            settings: RequestSettings::default(),
        })
    }

    #[test]
    fn a_model_of_which_nothing_is_said_is_asked_what_the_scaffold_asks() {
        let request = request();
        let asked = SamplingParams::default().asked(&request, 3);
        assert!(Arc::ptr_eq(&asked, &request));
    }

    proptest! {
        /// What is asked is what was said, but for the seed, which is the sample's own.
        #[test]
        fn what_is_said_is_what_is_asked(
            temperature in prop::option::of(0.0f64..2.0),
            seed in prop::option::of(0u64..=MOST_SEED),
            stop in prop::collection::vec("[a-z]{1,5}", 0..3),
            effort in prop::option::of(prop::sample::select(ReasoningEffort::ALL.to_vec())),
            cap in 1u32..1_000_000,
            samples in prop::array::uniform2(0u32..1_000),
        ) {
            let said = SamplingParams {
                temperature,
                seed,
                stop,
                reasoning_effort: effort,
                max_output_tokens: Some(cap),
                ..SamplingParams::default()
            };
            let asked = samples.map(|sample| SamplingParams::of(&said.asked(&request(), sample)));
            for one in &asked {
                prop_assert_eq!(&SamplingParams { seed: said.seed, ..one.clone() }, &said);
            }
            let same = asked[0].seed == asked[1].seed;
            prop_assert_eq!(same, seed.is_none() || samples[0] == samples[1]);
        }
    }
}

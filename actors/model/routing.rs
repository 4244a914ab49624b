//! The routing of a model within its campaign: its abilities, the tasks it takes, its limits, and
//! which fallback models are asked if it fails. `src/config/campaign/routing.rs` builds these
//! types; the assignment of models (`actors/policy/assign.rs`) and the router read them.

use super::{Difficulty, Money};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The planned model of an episode under least-latency assignment. The real model is chosen when
/// the episode begins.
pub const SOONEST: &str = "any/least-latency";

/// An ability that not every model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelAbility {
    /// It can call tools.
    Tools,
    /// It can read images.
    Vision,
    /// It can reason before it answers.
    Reasoning,
}

impl ModelAbility {
    pub const ALL: [Self; 3] = [Self::Tools, Self::Vision, Self::Reasoning];

    /// The word in campaign files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Reasoning => "reasoning",
        }
    }
}

/// What a campaign says about one of its models besides the price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelRouting {
    /// The most tokens a minute with each key, input and output together.
    pub tokens_per_minute: Option<u64>,
    /// What the model can do. None means that nobody said it: then only tool calls are assumed.
    pub abilities: Option<BTreeSet<ModelAbility>>,
    /// The difficulties that the model takes under assignment by difficulty. Empty means all.
    pub difficulty: Vec<Difficulty>,
    /// The model gets no tasks; it is asked only as a fallback.
    pub reserve: bool,
    /// The most that may be spent on this model.
    pub budget: Option<Money>,
    /// The models that are asked if this one fails.
    pub fallback: FallbackModels,
}

/// The models that are asked instead, by the kind of the failure. Each list is tried from its first
/// to its last model, but models that are down come last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FallbackModels {
    /// If the conversation is longer than the model can read.
    pub context: Vec<String>,
    /// If a content filter, or the model itself, declined to answer.
    pub filter: Vec<String>,
    /// If the model does not answer, after all retries.
    pub outage: Vec<String>,
    /// If the budget of the model is spent. The key in the campaign file is `spent`.
    pub budget: Vec<String>,
}

/// How a model failed, as far as a fallback model may be asked. See [`FallbackModels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFailure {
    Context,
    Filter,
    Outage,
    Budget,
}

impl ModelFailure {
    /// The word in reports and in `docs/faults.md`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Context => "context",
            Self::Filter => "filter",
            Self::Outage => "outage",
            Self::Budget => "spent",
        }
    }
}

impl FallbackModels {
    /// The fallback models for this failure, in order.
    pub fn of(&self, failure: ModelFailure) -> &[String] {
        match failure {
            ModelFailure::Context => &self.context,
            ModelFailure::Filter => &self.filter,
            ModelFailure::Outage => &self.outage,
            ModelFailure::Budget => &self.budget,
        }
    }

    /// The models of all lists. A model may occur several times.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        let lists = [&self.context, &self.filter, &self.outage, &self.budget];
        lists.into_iter().flatten()
    }
}

impl ModelRouting {
    /// Whether the campaign says nothing about routing for this model.
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the model has all the abilities in `needed`.
    pub fn has(&self, needed: &BTreeSet<ModelAbility>) -> bool {
        match &self.abilities {
            Some(abilities) => needed.is_subset(abilities),
            None => needed.iter().all(|ability| *ability == ModelAbility::Tools),
        }
    }

    /// Whether the model takes tasks of this difficulty.
    pub fn takes(&self, difficulty: Difficulty) -> bool {
        self.difficulty.is_empty() || self.difficulty.contains(&difficulty)
    }
}

//! A model among the others of its campaign: what it can do, what it is asked for, and who is
//! asked where it fails.

use super::{Difficulty, Money};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The model of an episode whose model is chosen when it begins.
pub const SOONEST: &str = "any/least-latency";

/// What not every model can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelAbility {
    Tools,
    Vision,
    Reasoning,
}

impl ModelAbility {
    pub const ALL: [Self; 3] = [Self::Tools, Self::Vision, Self::Reasoning];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Reasoning => "reasoning",
        }
    }
}

/// What a campaign says of one of its models, beside what it costs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelRouting {
    /// Tokens a minute with each key, read and written.
    pub tokens_per_minute: Option<u64>,
    /// None where nobody says: then it has tools, and nothing else is taken for granted.
    pub abilities: Option<BTreeSet<ModelAbility>>,
    /// The tasks it takes where they are assigned by difficulty; all where it says none.
    pub difficulty: Vec<Difficulty>,
    /// It is asked only where another one fails.
    pub reserve: bool,
    /// What may be spent on it.
    pub budget: Option<Money>,
    pub fallback: FallbackModels,
}

/// Who is asked instead, by how a model fails; the first of them first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FallbackModels {
    /// The conversation is longer than the model can read.
    pub context: Vec<String>,
    /// A filter, or the model itself, declined to answer.
    pub filter: Vec<String>,
    /// It does not answer, however often it is asked.
    pub outage: Vec<String>,
    /// What may be spent on it is spent.
    pub budget: Vec<String>,
}

/// How a model failed, as far as somebody else may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelFailure {
    Context,
    Filter,
    Outage,
    Budget,
}

impl ModelFailure {
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
    pub fn of(&self, failure: ModelFailure) -> &[String] {
        match failure {
            ModelFailure::Context => &self.context,
            ModelFailure::Filter => &self.filter,
            ModelFailure::Outage => &self.outage,
            ModelFailure::Budget => &self.budget,
        }
    }

    pub fn all(&self) -> impl Iterator<Item = &String> {
        let lists = [&self.context, &self.filter, &self.outage, &self.budget];
        lists.into_iter().flatten()
    }
}

impl ModelRouting {
    pub(super) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    pub fn has(&self, needed: &BTreeSet<ModelAbility>) -> bool {
        match &self.abilities {
            Some(abilities) => needed.is_subset(abilities),
            None => needed.iter().all(|ability| *ability == ModelAbility::Tools),
        }
    }

    pub fn takes(&self, difficulty: Difficulty) -> bool {
        self.difficulty.is_empty() || self.difficulty.contains(&difficulty)
    }
}

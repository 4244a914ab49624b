//! What may be spent, and what was: of a campaign, its models, its episodes, a day.

use super::{EpisodeId, ModelConfig, Money};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Days since 1970, UTC.
pub fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// The day whose cap stands today. A hold of a later day was recorded before the clock was set back:
/// then the cap of tomorrow stands already, and what was spent today counts for it.
pub fn day_that_counts(today: i64, newest: Option<i64>) -> i64 {
    newest.map_or(today, |newest| newest.clamp(today, today.saturating_add(1)))
}

/// What may be spent; no cap where none is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpendingCaps {
    pub campaign: Option<Money>,
    /// From midnight to midnight, UTC.
    pub day: Option<Money>,
    /// Over all attempts.
    pub episode: Option<Money>,
    pub models: BTreeMap<String, Money>,
}

impl SpendingCaps {
    /// With those that models have of their own.
    pub fn with(self, models: &[ModelConfig]) -> Self {
        let own = models.iter().filter_map(|m| Some((m.name.clone(), m.standing.budget?)));
        Self { models: own.collect(), ..self }
    }
}

/// A call that cost more than its worst case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostOverrun {
    pub hold: String,
    pub held: Money,
    pub cost: Money,
}

impl fmt::Display for CostOverrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hold, held, cost } = self;
        write!(f, "the call {hold} cost ${cost}, more than its worst case of ${held}")
    }
}

/// What was spent before, open holds in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendingTotals {
    pub total: Money,
    pub models: BTreeMap<String, Money>,
    /// Charged by an operator without a call, for records that were lost. Nobody knows which model
    /// it went to, so it counts against the cap of each.
    pub unexplained: Money,
    /// Since the beginning of today, with what a clock that was ahead recorded later; and the day
    /// for whose cap it counts.
    pub day: (i64, Money),
    /// Of episodes that have not ended.
    pub episodes: BTreeMap<EpisodeId, Money>,
    /// What of that went to calls without an answer, open holds among them.
    pub unanswered: BTreeMap<EpisodeId, Money>,
    /// A call that cost more than was held for it, and that nobody has corrected since.
    pub overrun: Option<CostOverrun>,
}

//! What may be spent (caps) and what was spent (totals), by campaign, day, episode and model. The
//! ledger in `actors/policy/ledger/` is built from these types.

use super::{EpisodeId, ModelConfig, Money};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Milliseconds of a day.
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The number of the UTC day since 1970 for a time in milliseconds since 1970. Times before 1970
/// give negative days.
pub fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

/// The day whose cap applies. `newest` is the newest day of any hold. If it is later than `today`,
/// the clock was set back after that hold was recorded. Then the cap of tomorrow applies already,
/// and what is spent today counts against it. So setting the clock back gives no second daily
/// budget.
pub fn day_that_counts(today: i64, newest: Option<i64>) -> i64 {
    newest.map_or(today, |newest| newest.clamp(today, today.saturating_add(1)))
}

/// The most that may be spent in each scope. None means no cap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpendingCaps {
    /// By the whole campaign, over all runs.
    pub campaign: Option<Money>,
    /// From midnight to midnight, UTC.
    pub day: Option<Money>,
    /// By one episode over all its attempts.
    pub episode: Option<Money>,
    /// By each model, keyed by the model's name. A model without an entry has no cap.
    pub models: BTreeMap<String, Money>,
}

impl SpendingCaps {
    /// These caps with the budgets of these models. They replace `models`.
    pub fn with(self, models: &[ModelConfig]) -> Self {
        let own = models.iter().filter_map(|m| Some((m.name.clone(), m.routing.budget?)));
        Self { models: own.collect(), ..self }
    }
}

/// A call that cost more than its worst case. While the record of it is not corrected, no cap can
/// be trusted, and nothing more is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CostOverrun {
    /// The id of the hold.
    pub hold: String,
    /// The worst case that was held before the call.
    pub held: Money,
    /// What the call really cost.
    pub cost: Money,
}

impl fmt::Display for CostOverrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { hold, held, cost } = self;
        write!(f, "the call {hold} cost ${cost}, more than its worst case of ${held}")
    }
}

/// What a campaign has spent so far, as read from the store. Open holds count in full.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendingTotals {
    /// Everything together.
    pub total: Money,
    /// The part of each model.
    pub models: BTreeMap<String, Money>,
    /// What an operator charged without a call, for records that were lost. Nobody knows which
    /// model the money went to, so it counts against the cap of each model.
    pub unexplained: Money,
    /// The day whose cap applies, and what counts against it: everything since the beginning of
    /// today, including what a clock that was ahead recorded for later days.
    pub day: (i64, Money),
    /// The part of each episode that has not ended.
    pub episodes: BTreeMap<EpisodeId, Money>,
    /// The part of `episodes` that went to calls without an answer, including open holds.
    pub unanswered: BTreeMap<EpisodeId, Money>,
    /// A call that cost more than was held for it, and whose record nobody has corrected yet.
    pub overrun: Option<CostOverrun>,
}

//! What is counted of a campaign: episodes by their end, faults by kind, tokens, rows.

use super::{EpisodeRecord, Outcome};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

/// Numbers of units. `finished` is the sum of the fields after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpisodeCounts {
    pub planned: u64,
    pub finished: u64,
    pub resolved: u64,
    /// Includes flaky episodes: the two verifications disagreed.
    pub unresolved: u64,
    /// Answers of completions. They are not verified, so they are neither resolved nor unresolved.
    #[serde(default, skip_serializing_if = "is_none")]
    pub answered: u64,
    /// Ended without a label, because of a fault.
    pub faulted: u64,
}

/// Faulted episodes by the kind of their fault. The keys are names such as `model_transient`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultCounts(pub BTreeMap<String, u64>);

impl FaultCounts {
    /// Counts the faulted episodes among these records.
    pub fn of(records: &[EpisodeRecord]) -> Self {
        let mut counts = Self::default();
        records.iter().filter_map(|record| record.outcome.as_ref()).for_each(|o| counts.add(o));
        counts
    }

    /// Counts one outcome, if it is a fault.
    pub fn add(&mut self, outcome: &Outcome) {
        if let Outcome::Faulted { fault } = outcome {
            *self.0.entry(fault.kind.as_str().to_owned()).or_default() += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Most frequent first: `3 model_transient, 1 task_setup`.
impl fmt::Display for FaultCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: Vec<_> = self.0.iter().collect();
        kinds.sort_by_key(|(kind, count)| (Reverse(**count), *kind));
        let told: Vec<String> =
            kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        f.write_str(&told.join(", "))
    }
}

/// Tokens of all recorded steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    pub input: u64,
    pub output: u64,
    /// Calls for which the provider sent no token counts. If there are any, the sums are the least
    /// that was used.
    #[serde(default, skip_serializing_if = "is_none")]
    pub uncounted_calls: u64,
}

/// For serde: leave the field out of the JSON if it is zero.
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl fmt::Display for TokenCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { input, output, uncounted_calls } = self;
        write!(f, "{input} in, {output} out")?;
        match uncounted_calls {
            0 => Ok(()),
            1 => f.write_str(" + 1 call without counts"),
            calls => write!(f, " + {calls} calls without counts"),
        }
    }
}

/// Rows that the quality stages accepted and rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    pub accepted: u64,
    pub rejected: u64,
}

/// The counts of a campaign as the store has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CampaignCounts {
    pub tasks: u64,
    pub episodes: EpisodeCounts,
    pub steps: u64,
    pub tokens: TokenCounts,
    pub rows: RowCounts,
}

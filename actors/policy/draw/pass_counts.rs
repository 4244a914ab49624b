//! How often templates were solved by models, as far as a store knows.

use crate::model::{EpisodeRecord, Outcome};
use std::collections::HashMap;

/// Verdicts of one template by one model, or of several such pairs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassCount {
    pub solved: u64,
    pub unsolved: u64,
}

impl PassCount {
    /// All verdicts.
    pub fn tries(self) -> u64 {
        self.solved + self.unsolved
    }

    /// Counts one verdict.
    pub(super) fn add(&mut self, solved: bool) {
        match solved {
            true => self.solved += 1,
            false => self.unsolved += 1,
        }
    }

    /// The sum of both.
    pub(super) fn plus(self, other: Self) -> Self {
        Self { solved: self.solved + other.solved, unsolved: self.unsolved + other.unsolved }
    }
}

/// Whether an outcome says that the task was solved. None if it says nothing: a fault, or two
/// verifications that disagree.
pub fn verdict_of(outcome: &Outcome) -> Option<bool> {
    match outcome.label() {
        "resolved" => Some(true),
        "unresolved" => Some(false),
        _ => None,
    }
}

/// The counts by template and model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassCounts(HashMap<String, HashMap<String, PassCount>>);

impl PassCounts {
    /// Counts the verdict of an episode, if it had one before `until_ms`. An episode that ended in a
    /// fault has none.
    pub fn add_record(&mut self, record: &EpisodeRecord, until_ms: i64) {
        let is_before = record.finished_at_ms.is_some_and(|at| at <= until_ms);
        let verdict = record.outcome.as_ref().and_then(verdict_of).filter(|_| is_before);
        if let Some(solved) = verdict {
            self.add(&record.plan.template, &record.plan.model, solved);
        }
    }

    /// Counts one verdict.
    pub fn add(&mut self, template: &str, model: &str, solved: bool) {
        let models = self.0.entry(template.to_owned()).or_default();
        models.entry(model.to_owned()).or_default().add(solved);
    }

    /// The counts of a template by a model.
    pub fn of(&self, template: &str, model: &str) -> PassCount {
        self.0.get(template).and_then(|models| models.get(model)).copied().unwrap_or_default()
    }
}

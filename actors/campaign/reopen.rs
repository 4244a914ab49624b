//! Which faulted episodes are tried again when a campaign is started once more, for example by
//! `synthd retry`. A reopened episode loses its outcome, and its attempts count from zero again.

use crate::model::{EpisodeRecord, FaultKind, JournalEntry, Outcome};
use crate::task::glob_matches;
use serde::{Deserialize, Serialize};

/// Chooses faulted episodes. As JSON, for example `"may_have_passed"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReopenFilter {
    /// Faulted episodes stay as they are.
    #[default]
    Nothing,
    /// Those whose reason may be gone by now. The table of faults says which kinds these are.
    MayHavePassed,
    /// Those that a person asked for. An empty list of kinds means every kind. `template` is a glob
    /// over template ids; None means every template.
    Matching { kinds: Vec<FaultKind>, template: Option<String> },
}

/// How a campaign is started once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestartOptions {
    pub reopen: ReopenFilter,
    pub changed: ChangedTemplates,
}

/// What to do if templates have changed since the campaign was planned, or if it asks for fewer
/// tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangedTemplates {
    /// The campaign does not start.
    #[default]
    Refuse,
    /// The campaign goes on. Finished episodes stay as they are; the others use the new template
    /// editions.
    Accept,
}

impl From<ReopenFilter> for RestartOptions {
    fn from(reopen: ReopenFilter) -> Self {
        Self { reopen, changed: ChangedTemplates::Refuse }
    }
}

impl ReopenFilter {
    /// Whether the filter chooses this episode. Always false for an episode that is not faulted.
    pub fn matches(&self, record: &EpisodeRecord) -> bool {
        let Some(Outcome::Faulted { fault }) = &record.outcome else { return false };
        match self {
            Self::Nothing => false,
            Self::MayHavePassed => fault.kind.policy().may_pass,
            Self::Matching { kinds, template } => {
                let id = record.plan.template.as_str();
                (kinds.is_empty() || kinds.contains(&fault.kind))
                    && template.as_ref().is_none_or(|glob| glob_matches(glob, id))
            }
        }
    }

    /// Whether it is an error if no episode matches.
    pub(super) fn requires_match(&self) -> bool {
        matches!(self, Self::Matching { .. })
    }

    /// The chosen episodes.
    pub(super) fn choose<'a>(
        &self,
        known: impl IntoIterator<Item = &'a EpisodeRecord>,
    ) -> Vec<&'a EpisodeRecord> {
        known.into_iter().filter(|record| self.matches(record)).collect()
    }
}

/// The journal entries that reopen the episodes.
pub(super) fn reopen_entries(chosen: &[&EpisodeRecord]) -> Vec<JournalEntry> {
    let reopened = |record: &&EpisodeRecord| JournalEntry::Reopened {
        episode: record.plan.id.clone(),
        attempt: record.attempt,
    };
    chosen.iter().map(reopened).collect()
}

/// The journal entries that give reopened episodes their outcome back. `chosen` are their records
/// from before.
pub(super) fn close_entries(chosen: &[&EpisodeRecord]) -> Vec<JournalEntry> {
    let closed = |record: &&EpisodeRecord| {
        Some(JournalEntry::Finished {
            episode: record.plan.id.clone(),
            attempt: record.attempt,
            outcome: Box::new(record.outcome.clone()?),
            fingerprint: record.fingerprint.clone(),
            at_ms: record.finished_at_ms?,
        })
    };
    chosen.iter().filter_map(closed).collect()
}

//! Which faulted episodes are tried again when a campaign is started once more.

use crate::model::{EpisodeRecord, FaultKind, JournalEntry, Outcome};
use crate::task::glob_matches;
use serde::{Deserialize, Serialize};

/// A choice among faulted episodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReopenFilter {
    /// They stay as they are.
    #[default]
    Nothing,
    /// Those whose reason may be gone by now, as the table of faults says.
    MayHavePassed,
    /// Those that somebody asked for. An empty list or none stands for all.
    Matching { kinds: Vec<FaultKind>, template: Option<String> },
}

/// How a campaign is started once more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestartOptions {
    pub reopen: ReopenFilter,
    pub changed: ChangedTemplates,
}

/// What becomes of a campaign whose templates have changed, or that asks for fewer tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChangedTemplates {
    /// It does not start.
    #[default]
    Refuse,
    /// It goes on: finished episodes stay as they are, the others are of the new editions.
    Accept,
}

impl From<ReopenFilter> for RestartOptions {
    fn from(reopen: ReopenFilter) -> Self {
        Self { reopen, changed: ChangedTemplates::Refuse }
    }
}

impl ReopenFilter {
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

    /// Whether finding none is an error.
    pub(super) fn requires_match(&self) -> bool {
        matches!(self, Self::Matching { .. })
    }

    /// What the journal is to be told, for all of these that are taken.
    pub(super) fn entries<'a>(
        &self,
        known: impl IntoIterator<Item = &'a EpisodeRecord>,
    ) -> Vec<JournalEntry> {
        let taken = known.into_iter().filter(|record| self.matches(record));
        let reopened = |record: &EpisodeRecord| JournalEntry::Reopened {
            episode: record.plan.id.clone(),
            attempt: record.attempt,
        };
        taken.map(reopened).collect()
    }
}

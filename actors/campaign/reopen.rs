//! Which faulted episodes are tried again when a campaign is started once more.

use crate::model::{Entry, EpisodeRecord, FaultKind, Outcome};
use crate::task::glob_matches;
use serde::{Deserialize, Serialize};

/// A choice among faulted episodes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reopen {
    /// They stay as they are.
    #[default]
    Nothing,
    /// Those whose reason may be gone by now, as the table of faults says.
    MayHavePassed,
    /// Those that somebody asked for. An empty list or none stands for all.
    Matching { kinds: Vec<FaultKind>, template: Option<String> },
}

impl Reopen {
    pub fn takes(&self, record: &EpisodeRecord) -> bool {
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
    pub(super) fn must_find(&self) -> bool {
        matches!(self, Self::Matching { .. })
    }

    /// What the journal is to be told, for all of these that are taken.
    pub(super) fn entries(&self, known: &[EpisodeRecord]) -> Vec<Entry> {
        let taken = known.iter().filter(|record| self.takes(record));
        let reopened = |record: &EpisodeRecord| Entry::Reopened {
            episode: record.plan.id.clone(),
            attempt: record.attempt,
        };
        taken.map(reopened).collect()
    }
}

//! How a draft ends.

use super::draft_machine::WrittenDraft;
use super::draft_role::DraftRole;
use serde::Serialize;

/// A draft that a solver needs fewer commands for is easy.
const FEWEST_COMMANDS: usize = 6;

/// The end of a draft.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftEnd {
    /// It passed the gate and its critic, and waits for a person.
    Offered(Box<OfferedDraft>),
    /// No more rounds are left, or a model declined.
    GivenUp(GiveUpReason),
    /// The budget did not cover the next call.
    OutOfBudget,
}

/// A draft that is offered, and how a solver did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedDraft {
    pub draft: WrittenDraft,
    pub solver: SolverResult,
}

/// Why a draft was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GiveUpReason {
    /// The last answer of a role could not be used.
    Unusable { role: DraftRole, mistakes: Vec<String> },
    /// The last version did not pass the gate.
    Unproven { problems: Vec<String> },
    /// The critic still objected.
    Objected { defects: Vec<String> },
    /// A model declined to answer.
    Refused { role: DraftRole },
}

/// How the solver did, who had only the instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum SolverResult {
    Solved {
        commands: usize,
    },
    Unsolved {
        commands: usize,
    },
    /// It proposed no commands that could be tried.
    Untried,
}

impl SolverResult {
    /// Whether the task was solved with so few commands that it teaches little.
    pub fn is_easy(self) -> bool {
        matches!(self, Self::Solved { commands } if commands < FEWEST_COMMANDS)
    }
}

impl GiveUpReason {
    /// The reason as a word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "unusable",
            Self::Unproven { .. } => "unproven",
            Self::Objected { .. } => "objected",
            Self::Refused { .. } => "refused",
        }
    }

    /// What was wrong, one line each.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Unusable { role, mistakes } => {
                let of_role =
                    |mistake: &String| format!("answer of the {}: {mistake}", role.as_str());
                mistakes.iter().map(of_role).collect()
            }
            Self::Unproven { problems } => problems.clone(),
            Self::Objected { defects } => defects.clone(),
            Self::Refused { role } => vec![format!("the {} declined to answer", role.as_str())],
        }
    }
}

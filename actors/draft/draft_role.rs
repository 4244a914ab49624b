//! The roles of models in a draft.

use crate::model::{ChatRequest, ChatRole};
use serde::Serialize;

/// What a model is asked to be. The first line of each request names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DraftRole {
    /// Proposes what a template is about.
    Ideator,
    /// Writes the files of the template, and repairs them.
    Builder,
    /// Names the defects of a template that passed the gate.
    Critic,
    /// Tries to solve a task of the template from its instruction alone.
    Solver,
}

impl DraftRole {
    /// Every role, in the order in which a draft asks them.
    pub const ALL: [Self; 4] = [Self::Ideator, Self::Builder, Self::Critic, Self::Solver];

    /// The word in reports and in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ideator => "ideator",
            Self::Builder => "builder",
            Self::Critic => "critic",
            Self::Solver => "solver",
        }
    }

    /// The first line of the role's requests.
    pub fn headline(self) -> String {
        format!("Role: {}", self.as_str())
    }

    /// The role that a request asks for. None for a request that is not about a draft.
    pub fn of(request: &ChatRequest) -> Option<Self> {
        let first = request.messages.first().filter(|first| first.role == ChatRole::System)?;
        let line = first.content.lines().next()?;
        Self::ALL.into_iter().find(|role| role.headline() == line)
    }
}

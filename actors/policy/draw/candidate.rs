//! A template as a draw sees it.

use crate::model::DrawAspect;

/// A template from which tasks may be drawn, with what they are told apart by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawCandidate {
    pub template: String,
    pub kind: String,
    pub category: String,
    pub difficulty: String,
    pub skills: Vec<String>,
}

impl DrawCandidate {
    /// Its values of an aspect: one, except that it has any number of skills.
    pub fn values(&self, aspect: DrawAspect) -> Vec<&str> {
        match aspect {
            DrawAspect::Kind => vec![self.kind.as_str()],
            DrawAspect::Category => vec![self.category.as_str()],
            DrawAspect::Difficulty => vec![self.difficulty.as_str()],
            DrawAspect::Skill => self.skills.iter().map(String::as_str).collect(),
        }
    }
}

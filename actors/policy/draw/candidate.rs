//! A template as a draw sees it.

use crate::model::{DrawAspect, TaskKind};
use crate::task::Template;

/// The value of templates that do not say their kind.
const NO_KIND: &str = "none";

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
    /// What a draw needs of a template.
    pub fn of(template: &Template) -> Self {
        Self {
            template: template.id.clone(),
            kind: template.kind.map_or(NO_KIND, TaskKind::as_str).to_owned(),
            category: template.category.clone(),
            difficulty: template.difficulty.as_str().to_owned(),
            skills: template.skills.clone(),
        }
    }

    /// Its values of an aspect: one, except that it has any number of skills.
    pub fn values(&self, aspect: DrawAspect) -> Vec<&str> {
        match aspect {
            DrawAspect::Kind => vec![&self.kind],
            DrawAspect::Category => vec![&self.category],
            DrawAspect::Difficulty => vec![&self.difficulty],
            DrawAspect::Skill => self.skills.iter().map(String::as_str).collect(),
        }
    }
}

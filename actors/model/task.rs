//! A task: a template with its parameters drawn. Fixed bytes with a digest.

use super::{FileSpec, TaskId, digest_of};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Difficulty {
    Easy,
    Medium,
    Hard,
}

impl Difficulty {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }
}

/// One move of a solution or of a cheat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptedMove {
    pub think: String,
    pub deed: MoveAction,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveAction {
    Run(String),
    Edit {
        path: String,
        search: String,
        replace: String,
    },
    Write {
        path: String,
        content: String,
    },
    /// Submits the work. The player of the moves adds it; a template never contains it.
    Submit,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskCheck {
    pub name: String,
    pub weight: f64,
    pub run: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheatSolution {
    pub name: String,
    pub moves: Vec<ScriptedMove>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskVerification {
    pub files: Vec<FileSpec>,
    pub checks: Vec<TaskCheck>,
    pub milestones: Vec<TaskCheck>,
    pub cheats: Vec<CheatSolution>,
    pub timeout: Duration,
    /// Stands in the sealed tree only; an agent that prints it has read what it must not.
    pub canary: String,
}

/// Fixed bytes: everything an episode needs, rendered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub template: String,
    pub title: String,
    pub category: String,
    pub difficulty: Difficulty,
    pub expected_steps: (u32, u32),
    pub requires: Vec<String>,
    /// Which draw of the template this is in its campaign.
    pub index: u32,
    /// The generator's key, as recorded in the dataset.
    pub seed: u64,
    pub image: String,
    pub files: Vec<FileSpec>,
    pub setup: Vec<String>,
    pub instruction: String,
    pub canary: String,
    pub solution: Vec<ScriptedMove>,
    pub verification: TaskVerification,
    /// sha256 over every rendered byte.
    pub digest: String,
    /// sha256 over its template's own files. No part of the task: a comment in a template
    /// changes this and makes the same task.
    #[serde(skip)]
    pub template_digest: String,
    /// Groups tasks with the same content, canaries aside, so splits never part them.
    pub cluster: String,
}

impl Task {
    /// The cluster key of a task whose public content is `content`.
    pub fn cluster_of(template: &str, content: &str) -> String {
        digest_of(&["cluster", template, content])
    }
}

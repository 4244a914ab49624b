//! A task: a template with its parameters drawn. A task is fixed: the same seed gives the same
//! bytes and therefore the same digest. `actors/task/task_builder.rs` builds tasks, and the episode
//! actor uses everything in them.

use super::{
    FileSpec, TaskContainer, TaskId, TaskKind, TaskResources, TaskService, TaskStage, WORKSPACE,
    digest_of,
};
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
    /// The word in templates and rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Medium => "medium",
            Self::Hard => "hard",
        }
    }
}

/// One move of a solution or of a cheat. A scripted model plays it as one turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptedMove {
    /// The text that the scripted model says before the move.
    pub think: String,
    /// The digests of tasks have it under its older name.
    #[serde(rename = "deed")]
    pub action: MoveAction,
}

/// What a scripted move does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MoveAction {
    /// Runs a shell command.
    Run(String),
    Edit {
        path: String,
        search: String,
        replace: String,
    },
    /// Writes a whole file.
    Write {
        path: String,
        content: String,
    },
    /// Submits the work. The player of the moves adds it at the end; a template never contains it. In
    /// the moves of a task with stages, it stands between two stages.
    Submit,
}

/// A check or a milestone: a command that passes if it exits with code 0, or a comparison of files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskCheck {
    pub name: String,
    /// The share in the score or in the potential.
    pub weight: f64,
    /// A line for the sandbox's shell. Empty if there is a comparison.
    pub run: String,
    /// The part of the command's output that decides it. Checks with the same command have one run of it.
    /// None: the exit code decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// What the engine compares by itself; no sandbox runs for it. None for a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<FileComparison>,
}

/// What must be true of the files that an agent left. `actors/judge/declared_check.rs` evaluates it.
/// Globs are those of `path_matches`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileComparison {
    /// The file `path` of the workspace has the bytes of the sealed file `sealed`.
    Same {
        path: String,
        sealed: String,
        #[serde(default, skip_serializing_if = "FinalNewline::is_exact")]
        trailing_newline: FinalNewline,
    },
    /// The files that match are those of the task, with the same bytes, and no others.
    Unchanged(Vec<String>),
    /// Nothing matches.
    Absent(Vec<String>),
    /// Each glob matches at least one file.
    Present(Vec<String>),
}

/// Whether a newline at the end of a file counts.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum FinalNewline {
    /// It counts like every other byte.
    #[default]
    Exact,
    /// The file may end with a newline or without.
    Any,
}

impl FinalNewline {
    /// Whether it is the default, which is left out of serialized tasks.
    fn is_exact(&self) -> bool {
        *self == Self::Exact
    }
}

/// A fault that a template put into a file of the workspace. The seed drew which of its wrong texts
/// stands there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskFault {
    pub name: String,
    /// The name of the wrong text.
    pub variant: String,
    /// The file, relative to the workspace.
    pub path: String,
    /// The repaired place, with the text before it that makes it the only one of its kind.
    pub right: String,
    /// The same place with the fault.
    pub wrong: String,
}

impl TaskFault {
    /// The edit that repairs the fault.
    pub fn repair(&self) -> MoveAction {
        MoveAction::Edit {
            path: self.path.clone(),
            search: self.wrong.clone(),
            replace: self.right.clone(),
        }
    }

    /// The move that puts the fault back. It does not apply if a solution has rewritten the place.
    pub fn put_back(&self) -> ScriptedMove {
        let action = MoveAction::Edit {
            path: self.path.clone(),
            search: self.right.clone(),
            replace: self.wrong.clone(),
        };
        ScriptedMove { think: String::new(), action }
    }
}

/// Where a task from a pack comes from. The licence of the project holds for its files in the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPack {
    pub name: String,
    pub version: String,
    /// The digest of the pack.
    pub digest: String,
    /// The licence of the project, as an SPDX expression.
    pub licence: String,
    /// The licences of the project as they came.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub notices: String,
    /// The ids of the entries that were drawn.
    pub entries: Vec<String>,
}

/// A solution with a name: an honest one beside the oracle's, which must pass, or a cheat, which must
/// fail. Only proofs play them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedSolution {
    pub name: String,
    pub moves: Vec<ScriptedMove>,
}

/// Where checks run, and where the programs of the workspace run that they start.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum JudgePlace {
    /// Both run in one sandbox, which has the workspace and the sealed files. Judged code can reach
    /// the check. Only templates of the first format may ask for it.
    #[default]
    Shared,
    /// The checks run in a sandbox of their own. What they run of the workspace runs in another one,
    /// which has no sealed files. See `actors/judge/`.
    Apart,
    /// The tests of a task of a container run in a fresh container of what the agent has left. No
    /// template may ask for it.
    #[schemars(skip)]
    Container,
}

impl JudgePlace {
    /// The word in templates, rows and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Apart => "apart",
            Self::Container => "container",
        }
    }

    /// Whether it is the place of old templates, which is left out of serialized tasks, so that their
    /// digests stay.
    fn is_shared(&self) -> bool {
        *self == Self::Shared
    }
}

/// How the work of an agent is judged. The agent never sees any of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskVerification {
    /// Files for the sealed tree, such as expected results and test programs.
    pub files: Vec<FileSpec>,
    /// The checks, which run after the agent has stopped.
    pub checks: Vec<TaskCheck>,
    /// Checks on the way to the solution. They run on a copy of the workspace after a turn.
    pub milestones: Vec<TaskCheck>,
    /// Wrong solutions that must fail. Only proofs use them.
    pub cheats: Vec<NamedSolution>,
    /// Where the checks and milestones run.
    #[serde(default, skip_serializing_if = "JudgePlace::is_shared")]
    pub judge: JudgePlace,
    /// Wall time of one check or milestone.
    pub timeout: Duration,
    /// A unique text that is only in the sealed tree. An agent whose trajectory shows it has read
    /// the sealed files.
    pub canary: String,
}

/// A rendered task with everything that an episode needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub id: TaskId,
    pub template: String,
    pub title: String,
    pub category: String,
    /// What the task asks for. It is not part of the task's bytes, nor are the skills: a template that
    /// gets them makes the same tasks.
    #[serde(skip)]
    pub kind: Option<TaskKind>,
    /// The skills that the task needs.
    #[serde(skip)]
    pub skills: Vec<String>,
    pub difficulty: Difficulty,
    /// The least and the most turns that the author of the template expects.
    pub expected_steps: (u32, u32),
    /// Programs that the sandbox must have.
    pub requires: Vec<String>,
    /// The number of this task among the tasks of its template in the campaign, from zero.
    pub index: u32,
    /// The seed of the task as the dataset records it. It is derived from the campaign's seed, the
    /// template and the index.
    pub seed: u64,
    /// The image that the template names, such as `base`. The campaign says which real image it is.
    pub image: String,
    /// The files of the workspace at the start.
    pub files: Vec<FileSpec>,
    /// Commands that run in the workspace before the agent starts.
    pub setup: Vec<String>,
    /// Programs that run in the sandbox from before the agent starts, in the order of their start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<TaskService>,
    /// What the template states of its sandboxes and of its time.
    #[serde(default, skip_serializing_if = "TaskResources::is_empty")]
    pub resources: TaskResources,
    /// What the agent is asked to do. It ends with the canary.
    pub instruction: String,
    /// Which of the template's wordings the instruction is. None if the template has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wording: Option<String>,
    /// A unique text in the instruction, with which copies of the task can be found in other data.
    pub canary: String,
    /// The moves that solve the task. Only proofs and scripted models use them.
    pub solution: Vec<ScriptedMove>,
    /// Other honest solutions. Each must pass the checks as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<NamedSolution>,
    /// The faults in the files of the workspace. With any one of them put back, the work of the
    /// oracle must not pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<TaskFault>,
    /// The pack from which the task was made. None for a task of a template's own files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<TaskPack>,
    /// The environment, if it is a container image and not files in a workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<TaskContainer>,
    pub verification: TaskVerification,
    /// The stages, if the agent is told of its work in several instructions. Then `instruction` is
    /// the first one, a submission stands in `solution` between two stages, and `verification` is
    /// that of all stages together ([`TaskVerification::of_stages`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<TaskStage>,
    /// SHA-256 in hex over every rendered byte.
    pub digest: String,
    /// SHA-256 in hex over the template's own files. It is not part of the task: a changed comment
    /// in the template changes this digest, but not the task.
    #[serde(skip)]
    pub template_digest: String,
    /// Tasks with the same public content (apart from canaries) have the same cluster. A cluster is
    /// never divided among dataset splits.
    pub cluster: String,
}

impl Task {
    /// Where the agent's commands start.
    pub fn workspace(&self) -> &str {
        let site = self.container.as_ref().map(|container| &container.site);
        site.and_then(|site| site.directory.as_deref()).unwrap_or(WORKSPACE)
    }

    /// The cluster of a task from its template and its public content.
    pub fn cluster_of(template: &str, content: &str) -> String {
        digest_of(&["cluster", template, content])
    }
}

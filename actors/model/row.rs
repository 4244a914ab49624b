//! The row of a dataset in the canonical format `synthd.trajectory/2`: one trajectory with its
//! task, its steps and its verification. `actors/quality/row.rs` builds rows, and `src/dataset/`
//! writes them as Parquet. The names and the order of the fields are the published contract;
//! `docs/columns.md` describes each column.

use super::{Money, SandboxFingerprint};
use serde::{Deserialize, Serialize};

/// The name and the version of the format.
pub const ROW_SCHEMA: &str = "synthd.trajectory/2";

/// One trajectory: a finished episode whose work was judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryRow {
    /// Always [`ROW_SCHEMA`] in rows that are written now.
    pub schema_version: String,
    /// The id of the episode.
    pub trajectory_id: String,
    pub campaign: String,
    pub task_id: String,
    pub template: String,
    /// The digest of the template's files, which names the edition of the template. None in rows of
    /// earlier versions that did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_digest: Option<String>,
    /// The seed of the task, see [`super::Task::seed`]. It has 63 bits, so it fits a signed column.
    pub task_seed: i64,
    pub task_instruction: String,
    /// The category of the template, such as `debugging`.
    pub category: String,
    /// `easy`, `medium` or `hard`.
    pub difficulty: String,
    /// The model that gave the replies, without the provider's name. If several models answered, it
    /// is the last one.
    pub llm_model: String,
    /// The name of the provider in the campaign.
    pub llm_provider: String,
    pub scaffold: String,
    /// The sampling parameters of the first request: a JSON object as text. None if no request was
    /// recorded.
    #[serde(default)]
    pub sampling: Option<String>,
    /// The digest of the first messages and the tools, with the task's own text replaced. Rows with
    /// the same prompts and tools have the same digest. None if no request was recorded.
    #[serde(default)]
    pub prompt_digest: Option<String>,
    /// The number of the sample, from zero.
    #[serde(default)]
    pub sample: i32,
    /// Where and how the sandbox ran.
    pub sandbox: SandboxFingerprint,
    /// The steps in order.
    pub trajectory: Vec<RowStep>,
    /// `resolved`, `unresolved` or `flaky`.
    pub final_result: String,
    /// The sum of the rewards of all steps.
    pub total_reward: f64,
    pub verification: RowVerification,
    /// The pass rate over all samples of the task by this model and scaffold. None while it is not
    /// known.
    #[serde(default)]
    pub pass_rate: Option<PassRate>,
    /// Labels of the quality stages, such as `stop:submitted` or `loops`.
    pub labels: Vec<String>,
    /// The time of all model calls and commands together.
    pub execution_time_seconds: f64,
    /// Input and output tokens of all steps. None if any step was not counted.
    pub total_tokens: Option<i64>,
    /// The cost of all steps.
    pub cost_usd: Money,
    /// The number of the attempt that finished the episode.
    pub attempt: i32,
    /// The canary of the task: a unique text that shows whether the row was used as training data.
    pub canary: String,
    /// When the episode finished: RFC 3339, UTC, with milliseconds.
    pub created_at: String,
}

/// How often a task was solved. The true rate lies between `low` and `high` with a confidence of 95
/// % (Wilson score interval).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassRate {
    /// Samples with a verdict.
    pub tries: i32,
    /// Samples that solved the task.
    pub solved: i32,
    /// The lower bound of the pass rate, from 0 to 1.
    pub low: f64,
    /// The upper bound of the pass rate, from 0 to 1.
    pub high: f64,
}

/// One step of the trajectory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowStep {
    /// The number of the step, from zero.
    pub step: i32,
    pub state: RowState,
    pub action: RowAction,
    /// What the agent was shown after the action.
    pub observation: String,
    /// The reward of this step.
    pub reward: f64,
    /// What the model wrote or thought before it acted.
    pub reasoning: String,
    /// The sum of the rewards from this step on.
    pub return_to_go: f64,
    /// True in the last step only.
    pub done: bool,
    /// What went wrong in the step, such as an unreadable reply or a killed command.
    pub error: Option<String>,
    /// The exit code of the command; none if no command ran.
    pub exit_code: Option<i32>,
    /// Whether a part of the command's output is missing.
    pub truncated: bool,
    /// None if the provider did not count; none is not zero.
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    /// The cost of this step.
    pub cost_usd: Money,
    /// The time of the action. If `model_ms` is none, the time of the model is included.
    pub duration_ms: i64,
    /// The time of the model's answer. None in rows of earlier versions that did not measure it
    /// separately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_ms: Option<i64>,
}

/// The state in which the action was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowState {
    /// The working directory of the session.
    pub cwd: String,
    /// The files of the workspace as far as they are listed.
    pub files: Vec<String>,
}

/// What the agent did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowAction {
    /// The kind of the action, such as `tool_call`, see [`super::ActionType`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The name of the tool; empty if the reply called none.
    pub tool: String,
    /// A JSON object as text. Nested arguments as structs would give every tool its own Arrow
    /// columns.
    pub arguments: String,
}

/// The result of the verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowVerification {
    /// From 0 to 1; 0 if the verdict is flaky.
    pub score: f64,
    pub passed: bool,
    pub checks: Vec<RowCheck>,
}

/// One check of the verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowCheck {
    pub name: String,
    /// The share in the score, relative to the other checks.
    pub weight: f64,
    pub passed: bool,
}

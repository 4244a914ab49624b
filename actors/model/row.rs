//! The canonical row, `synthd.trajectory/2`. Field names and order are the contract.

use super::{Money, SandboxFingerprint};
use serde::{Deserialize, Serialize};

pub const ROW_SCHEMA: &str = "synthd.trajectory/2";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajectoryRow {
    pub schema_version: String,
    pub trajectory_id: String,
    pub campaign: String,
    pub task_id: String,
    pub template: String,
    /// Which edition of the template: the digest of its files. None in rows of engines that did
    /// not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_digest: Option<String>,
    pub task_seed: i64,
    pub task_instruction: String,
    pub category: String,
    pub difficulty: String,
    pub llm_model: String,
    pub llm_provider: String,
    pub scaffold: String,
    /// How the model was asked: a JSON object as text; none where no record says.
    #[serde(default)]
    pub sampling: Option<String>,
    /// The digest of the prompts the conversation opened with; likewise.
    #[serde(default)]
    pub prompt_digest: Option<String>,
    /// Which of the task's samples by this model and scaffold it is.
    #[serde(default)]
    pub sample: i32,
    pub sandbox: SandboxFingerprint,
    pub trajectory: Vec<RowStep>,
    /// `resolved`, `unresolved` or `flaky`.
    pub final_result: String,
    pub total_reward: f64,
    pub verification: RowVerification,
    /// Of all samples of the task by this model and scaffold; none while they are not known.
    #[serde(default)]
    pub pass_rate: Option<PassRate>,
    pub labels: Vec<String>,
    pub execution_time_seconds: f64,
    /// None where a step's are not known.
    pub total_tokens: Option<i64>,
    pub cost_usd: Money,
    pub attempt: i32,
    pub canary: String,
    /// RFC 3339, UTC, milliseconds.
    pub created_at: String,
}

/// How often a task was solved, with the bounds between which the true rate lies with a
/// confidence of 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PassRate {
    pub tries: i32,
    pub solved: i32,
    pub low: f64,
    pub high: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowStep {
    pub step: i32,
    pub state: RowState,
    pub action: RowAction,
    pub observation: String,
    pub reward: f64,
    pub reasoning: String,
    pub return_to_go: f64,
    pub done: bool,
    pub error: Option<String>,
    pub exit_code: Option<i32>,
    pub truncated: bool,
    /// None where the provider did not count, which is not zero.
    pub input_tokens: Option<i64>,
    pub output_tokens: Option<i64>,
    pub cost_usd: Money,
    /// Of the action alone; with the model's time where `model_ms` is none.
    pub duration_ms: i64,
    /// What the model took to answer; none in rows of engines that did not tell it apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_ms: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowState {
    pub cwd: String,
    pub files: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowAction {
    #[serde(rename = "type")]
    pub kind: String,
    pub tool: String,
    /// A JSON object as text: nested arguments as structs ruin Arrow columns.
    pub arguments: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowVerification {
    pub score: f64,
    pub passed: bool,
    pub checks: Vec<RowCheck>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowCheck {
    pub name: String,
    pub weight: f64,
    pub passed: bool,
}

//! The row of a trajectory in the canonical format `synthd.trajectory/2`: one trajectory with its
//! task, its steps and its verification. `actors/quality/row.rs` builds rows, and `src/dataset/`
//! writes them as Parquet. The names and the order of the fields are the published contract; their
//! comments are the text of `docs/columns.md`.
//!
//! Editions of the format: in files of edition 0, every count of tokens is a number. In edition 1,
//! a count may be null. Edition 2 added `template_digest`. Edition 3 added what was sent to the model
//! and came back (`messages`, `tools`, `model_version`, `finish_reason`), `milestones` and `calls`.
//! Edition 4 added `actions` of steps whose reply asked for several. Edition 5 added `task_wording`.
//! Edition 6 added why a verdict is what it is: `judge` of the verification, and `ended`, `output` and
//! `second` of a check. It also added `milestones_changed` of a step. Edition 7 added `reverified`, and
//! `stage` of a step. Edition 8 added `kind` and `skills`. Edition 9 added `pack`. Edition 10 added what
//! trainers need of each reply and message: `model_version`, `fallback_model`, `cached_tokens`,
//! `reasoning_tokens` and the tokens of a step, `step` and `loss_hint` of a message, and `conversations`.

use super::column::row_columns;
use super::{Money, RowMessage, SandboxFingerprint};
use serde::{Deserialize, Serialize};

/// The name and the version of the format.
pub const ROW_SCHEMA: &str = "synthd.trajectory/2";

row_columns! {
    /// One trajectory: a finished episode whose work was judged.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct TrajectoryRow {
        /// The row format, `synthd.trajectory/2`.
        pub schema_version: String,
        /// Unique in the dataset: the id of the episode.
        pub trajectory_id: String,
        /// The campaign that made the row.
        pub campaign: String,
        /// Template and digest of the task's bytes; never in two splits.
        pub task_id: String,
        /// The template that the task was generated from.
        pub template: String,
        /// The digest of the template's own files: its edition. Null where no record says.
        #[since(2)]
        pub template_digest: Option<String>,
        /// The seed that the task's parameters were drawn from.
        pub task_seed: i64,
        /// What the agent was asked to do; the first instruction, if the task has stages.
        #[long_text(true)]
        pub task_instruction: String,
        /// Which of the template's wordings the instruction is, such as `terse`. Null if the template
        /// has only one.
        #[since(5)]
        pub task_wording: Option<String>,
        /// The kind of work, such as `debugging`.
        pub category: String,
        /// What the task asks for, such as `repair`. Null if the template does not say it.
        #[since(8)]
        pub kind: Option<String>,
        /// What somebody must be able to do, such as `sql.ddl`. Null where no record says.
        #[since(8)]
        pub skills: Option<Vec<String>>,
        /// The pack that the task was made from: its licence holds for the project's files in the row.
        /// Null for other tasks, and where no record says.
        #[since(9)]
        pub pack: Option<RowPack>,
        /// `easy`, `medium` or `hard`, as the author of the template judged it.
        pub difficulty: String,
        /// The model that acted, without the provider's name; the last of several where the label
        /// `mixed-models` says so.
        pub llm_model: String,
        /// The provider that served the model; `scripted` means no model at all.
        pub llm_provider: String,
        /// The version of the model as the provider reports it with the last reply; null if it does
        /// not.
        #[since(3)]
        pub model_version: Option<String>,
        /// The protocol between model and sandbox.
        pub scaffold: String,
        /// How the model was asked: a JSON object as text. Null where no record says.
        #[missing(default)]
        pub sampling: Option<String>,
        /// The digest of the prompts and tools around the task. Rows with the same prompts and tools
        /// have the same digest. Null where no record says.
        #[missing(default)]
        pub prompt_digest: Option<String>,
        /// Which of the task's samples by this model and scaffold, from 0.
        #[missing(default)]
        pub sample: i32,
        /// The tools that the model was given: a JSON list as text, each tool in the form
        /// `{"type": "function", "function": {...}}`. Null where no record says.
        #[since(3)]
        pub tools: Option<String>,
        /// Where and how the sandbox ran.
        pub sandbox: SandboxFingerprint,
        /// The steps in order.
        pub trajectory: Vec<RowStep>,
        /// The conversation, exactly as sent and received: the messages of the first request, then
        /// those of each step. If an agent's program began several conversations, it is the last one.
        /// A reply is as the model gave it, even if the program sent it back in another form. A
        /// refusal without a word is no message. Null where no record says.
        #[since(3)]
        pub messages: Option<Vec<RowMessage>>,
        /// Each conversation that was begun anew: by an agent's program, or because a part of it was left
        /// out so that the rest fits. Empty if there was only one. Null where no record says.
        #[since(10)]
        pub conversations: Option<Vec<RowConversation>>,
        /// `resolved`, `unresolved` or `flaky`.
        pub final_result: String,
        /// The sum of the rewards of all steps.
        pub total_reward: f64,
        /// Score, verdict and single checks of the sealed verification.
        pub verification: RowVerification,
        /// A later verdict on the same work: the kept workspace was judged again, with the checks of
        /// a later day. It changes nothing in the other columns. Null if it was not judged again.
        #[since(7)]
        pub reverified: Option<RowReverification>,
        /// Each change of the milestone potential; empty if it never changed. Null where an older
        /// engine made the row.
        #[since(3)]
        pub milestones: Option<Vec<RowMilestone>>,
        /// How often the task was solved by this model and scaffold. Null while it is not known.
        #[missing(default)]
        pub pass_rate: Option<PassRate>,
        /// What the quality stages noted, such as `stop:submitted` or `loops`.
        pub labels: Vec<String>,
        /// Seconds, the sum of `duration_ms` and `model_ms` of all steps: the model's answers, also
        /// tries that failed, and the actions. Setup, checks and waiting do not count.
        pub execution_time_seconds: f64,
        /// Tokens in and out of all steps; null where a step's are null.
        pub total_tokens: Option<i64>,
        /// The cost of all steps: exact decimal dollars.
        pub cost_usd: Money,
        /// Which attempt at the episode this is, from 1.
        pub attempt: i32,
        /// How often models were called for all steps, failed tries included. Null where an older
        /// engine made the row.
        #[since(3)]
        pub calls: Option<i64>,
        /// A unique text that stands in the task. A model that repeats it was trained on the task.
        pub canary: String,
        /// When the episode finished: RFC 3339, UTC, with milliseconds.
        pub created_at: String,
    }
}

row_columns! {
    /// The pack of a task, and the licence of its project.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RowPack {
        /// The name of the pack.
        pub name: String,
        /// The version of its project.
        pub version: String,
        /// The digest of the pack.
        pub digest: String,
        /// The licence of the project, as an SPDX expression.
        pub licence: String,
        /// The licences of the project as they came. Empty if it came with none.
        pub notices: String,
    }
}

row_columns! {
    /// How often a task was solved. The true rate lies between `low` and `high` with a confidence of
    /// 95 % (Wilson score interval).
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
}

row_columns! {
    /// One step of the trajectory.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct RowStep {
        /// The number of the step, from 0 and without gaps.
        pub step: i32,
        /// The state in which the action was chosen.
        pub state: RowState,
        /// What the agent did.
        pub action: RowAction,
        /// What the agent was shown after the action.
        #[long_text(true)]
        pub observation: String,
        /// The change of the milestone potential; the last step adds the final score. A step that ends a
        /// stage of the task has what the verification of the stage adds.
        pub reward: f64,
        /// What the model wrote or thought before it acted.
        #[long_text(true)]
        pub reasoning: String,
        /// The sum of the rewards from this step on.
        pub return_to_go: f64,
        /// True for the last step only.
        pub done: bool,
        /// What went wrong: an unreadable reply, a refusal, a command that could not be started or
        /// was killed. Null otherwise, whatever the exit code is.
        pub error: Option<String>,
        /// The exit code of the command; null where none ran.
        pub exit_code: Option<i32>,
        /// Whether a part of the observation is missing.
        pub truncated: bool,
        /// Tokens that the model read; null where the provider did not count.
        pub input_tokens: Option<i64>,
        /// Tokens that the model wrote; null where the provider did not count.
        pub output_tokens: Option<i64>,
        /// The cost of the model's answer: exact decimal dollars.
        pub cost_usd: Money,
        /// The time of the action in milliseconds. If `model_ms` is null, the time of the model is
        /// included.
        pub duration_ms: i64,
        /// The time of the model's answer in milliseconds, failed tries included. Null where an older
        /// engine recorded the step.
        #[since(0)]
        pub model_ms: Option<i64>,
        /// Why the model stopped: `stop`, `tool_calls`, `length` or `refusal`. Null where an older
        /// engine made the row.
        #[since(3)]
        pub finish_reason: Option<String>,
        /// How often models were called for the answer, failed tries included. Null where an older
        /// engine made the row.
        #[since(3)]
        pub calls: Option<i32>,
        /// If the reply asked for several actions: each of them with its own observation. Then
        /// `action` lists them under the tool `parallel`, and `observation` joins their
        /// observations. Null for a step with one action, and where an older engine made the row.
        #[since(4)]
        pub actions: Option<Vec<RowStepAction>>,
        /// Why the potential changed: `+name` for each milestone that holds since this step, `-name`
        /// for each that no longer does. Null where no record says.
        #[since(6)]
        pub milestones_changed: Option<Vec<String>>,
        /// The stage of the task in which the step was taken. Null if the task has no stages, and
        /// where an older engine made the row.
        #[since(7)]
        pub stage: Option<String>,
        /// The version of the model as the provider reports it with the reply; null if it does not, and
        /// where an older engine made the row.
        #[since(10)]
        pub model_version: Option<String>,
        /// The model that gave the reply, as `provider/model`, if it is not the planned one. Null
        /// otherwise, and where an older engine made the row.
        #[since(10)]
        pub fallback_model: Option<String>,
        /// Tokens that the model read from the provider's cache, as a part of `input_tokens`; null where
        /// the provider did not count.
        #[since(10)]
        pub cached_tokens: Option<i64>,
        /// Tokens of reasoning, as a part of `output_tokens`; null where the provider did not count.
        #[since(10)]
        pub reasoning_tokens: Option<i64>,
        /// How many of the tokens of the step before, prompt and reply in their order, are the beginning of
        /// this step's prompt. Null if the provider does not give the tokens of the prompt.
        #[since(10)]
        pub prompt_kept: Option<i32>,
        /// The ids of the prompt's other tokens, after those that `prompt_kept` counts. Null if the
        /// provider does not give them.
        #[since(10)]
        pub prompt_token_ids: Option<Vec<i32>>,
        /// The ids of the reply's tokens. Null if the provider does not give them.
        #[since(10)]
        pub token_ids: Option<Vec<i32>>,
        /// The logarithm of the probability of each token of the reply. Null if the provider does not
        /// give them.
        #[since(10)]
        pub logprobs: Option<Vec<f64>>,
    }
}

row_columns! {
    /// A conversation that was begun anew, and what it no longer has of the one before.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RowConversation {
        /// The step with whose request it began.
        pub step: i32,
        /// The messages of this request.
        pub messages: i32,
        /// How many messages of the conversation before it no longer has.
        pub dropped: i32,
        /// The steps whose replies it no longer has.
        pub dropped_steps: Vec<i32>,
    }
}

row_columns! {
    /// One of several actions of a step, with what came of it.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct RowStepAction {
        /// `tool_call`, `submit`, `message`, `malformed` or `refusal`.
        #[named("type")]
        pub kind: String,
        /// The name of the tool.
        pub tool: String,
        /// The arguments of the tool: a JSON object as text.
        #[long_text(true)]
        pub arguments: String,
        /// The id of the call in the model's reply; null if the action is no call.
        pub call_id: Option<String>,
        /// Whether the action ran. Actions behind the one that ended the episode did not. Null for
        /// an agent's program, which runs its actions itself.
        pub ran: Option<bool>,
        /// What the agent was shown after the action.
        #[long_text(true)]
        pub observation: String,
        /// What went wrong; null otherwise, whatever the exit code is.
        pub error: Option<String>,
        /// The exit code of the last command of the action; null where none ran.
        pub exit_code: Option<i32>,
        /// Whether a part of the observation is missing.
        pub truncated: bool,
        /// The time of the action in milliseconds.
        pub duration_ms: i64,
    }
}

row_columns! {
    /// One change of the milestone potential, as it was measured.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct RowMilestone {
        /// The number of the step after which the potential changed.
        pub step: i32,
        /// The potential since this step: the sum of the weights of the milestones that hold. If the
        /// task has stages, what the stages before have earned is added.
        pub potential: f64,
        /// The names of the milestones that hold; null if the potential does not tell which.
        pub reached: Option<Vec<String>>,
    }
}

row_columns! {
    /// The state in which the action was chosen.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RowState {
        /// The working directory of the session.
        pub cwd: String,
        /// The files of the workspace as far as they are listed.
        #[long_text(true)]
        pub files: Vec<String>,
    }
}

row_columns! {
    /// What the agent did.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RowAction {
        /// `tool_call`, `submit`, `message`, `malformed` or `refusal`.
        #[named("type")]
        pub kind: String,
        /// The name of the tool; empty if the reply called none.
        pub tool: String,
        /// The arguments of the tool: a JSON object as text. Structs would give every tool its own
        /// Arrow columns.
        #[long_text(true)]
        pub arguments: String,
    }
}

row_columns! {
    /// The result of the verification.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct RowVerification {
        /// From 0 to 1; 0 if the verdict is flaky.
        pub score: f64,
        /// Whether every check passed, twice.
        pub passed: bool,
        /// Each check by itself.
        pub checks: Vec<RowCheck>,
        /// Where the checks ran. Null if the workspace could not be judged, and where an older engine
        /// made the row.
        #[since(6)]
        pub judge: Option<RowJudge>,
    }
}

row_columns! {
    /// A later verdict on the work of an episode.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct RowReverification {
        /// `resolved`, `unresolved` or `flaky`.
        pub outcome: String,
        /// From 0 to 1; 0 if the verdict is flaky.
        pub score: f64,
        /// What is not the same any more since `final_result` was found: the task, files of its
        /// template, its checks, the judge.
        pub reason: String,
        /// The digest of the template's files whose checks have judged.
        pub template_digest: String,
        /// When the work was judged again: RFC 3339, UTC, with milliseconds.
        pub at: String,
    }
}

row_columns! {
    /// Where the checks ran, and what they could trust.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RowJudge {
        /// `apart`: the programs of the workspace ran in another sandbox than the checks. `shared`:
        /// they ran in the same one. `container`: the tests of a task of a container ran in a fresh
        /// container of what the agent has left.
        pub place: String,
        /// The sandbox of the checks; null if the engine made all checks by itself.
        pub sandbox: Option<SandboxFingerprint>,
        /// The version of the library with which checks reach the programs of the workspace; null if
        /// `place` is `shared`.
        pub library: Option<i32>,
    }
}

row_columns! {
    /// One check of the verification.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct RowCheck {
        /// The name of the check in the template. If the task has stages, it stands behind the name of
        /// its stage, as in `read-config/parses`.
        pub name: String,
        /// The share in the score, relative to the other checks.
        pub weight: f64,
        /// Whether the check passed.
        pub passed: bool,
        /// How the command of the check ended, such as `exit code 1` or `timeout`. Null for a check
        /// that compares files, and where an older engine made the row.
        #[since(6)]
        pub ended: Option<String>,
        /// The end of what the check said: what it expected and what it found. Null where an older
        /// engine made the row.
        #[since(6)]
        #[long_text(true)]
        pub output: Option<String>,
        /// The second run of the check; null if it was the same as the first one, and where an older
        /// engine made the row.
        #[since(6)]
        pub second: Option<RowCheckRerun>,
    }
}

row_columns! {
    /// The second run of a check that was not the same as the first one.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct RowCheckRerun {
        /// Whether the check passed.
        pub passed: bool,
        /// How the command of the check ended; null for a check that compares files.
        pub ended: Option<String>,
        /// The end of what the check said.
        #[long_text(true)]
        pub output: String,
    }
}

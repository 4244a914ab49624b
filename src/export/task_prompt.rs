//! Prompts for reinforcement learning: what the model was asked, with what an answer is judged by. A
//! task is there once, however often it was tried. The judge is no part of a row, so the ground truth of a
//! trajectory names the task, from which synthd makes the same checks again. That of a completion is
//! what its prompt's line says besides the prompt.

use super::chat_formats::has_calls;
use super::chat_line::{ChatLine, chat_lines};
use super::chat_row::ChatRow;
use super::export_format::LinePlace;
use super::left_reason::{ExportedRow, LeftReason, LostPart, LostParts};
use super::plain_json::plain_object;
use super::trl::STYLE;
use serde::Serialize;
use serde_json::value::RawValue;
use synthd_actors::model::{DatasetRow, PassRate, TrajectoryRow, digest_of};

/// The environment that SkyRL is asked for.
const ENVIRONMENT: &str = "synthd";

/// What a trainer asks, and how it judges.
struct TaskPrompt<'a> {
    row: &'a DatasetRow,
    messages: Vec<ChatLine<'a>>,
    tools: Option<Box<RawValue>>,
    /// A JSON object.
    truth: Box<RawValue>,
    lost: LostParts,
}

/// The ground truth of a trajectory.
#[derive(Serialize)]
struct TaskTruth<'a> {
    task_id: &'a str,
    template: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_digest: Option<&'a str>,
    task_seed: i64,
    checks: Vec<TruthCheck<'a>>,
}

/// A check of the sealed verification.
#[derive(Serialize)]
struct TruthCheck<'a> {
    name: &'a str,
    weight: f64,
}

/// What stands beside a prompt.
#[derive(Serialize)]
struct PromptInfo<'a> {
    split: &'static str,
    index: u64,
    row: &'a str,
    task: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    difficulty: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pass_rate: Option<PassRate>,
    /// The tools as JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a str>,
}

/// A line of `verl-rl`.
#[derive(Serialize)]
struct VerlLine<'a> {
    data_source: String,
    prompt: &'a [ChatLine<'a>],
    ability: &'a str,
    reward_model: VerlReward<'a>,
    extra_info: PromptInfo<'a>,
}

#[derive(Serialize)]
struct VerlReward<'a> {
    style: &'static str,
    ground_truth: &'a str,
}

/// A line of `skyrl`.
#[derive(Serialize)]
struct SkyLine<'a> {
    data_source: String,
    prompt: &'a [ChatLine<'a>],
    env_class: &'static str,
    reward_spec: SkyReward<'a>,
    extra_info: PromptInfo<'a>,
}

#[derive(Serialize)]
struct SkyReward<'a> {
    method: &'static str,
    ground_truth: &'a str,
}

/// A line of `prime-rl`, which the environments of `verifiers` read.
#[derive(Serialize)]
struct VerifierLine<'a> {
    prompt: &'a [ChatLine<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<String>,
    /// A JSON object as text.
    info: String,
}

#[derive(Serialize)]
struct VerifierInfo<'a> {
    ground_truth: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a RawValue>,
    extra_info: PromptInfo<'a>,
}

/// A line of `openrlhf-rl`.
#[derive(Serialize)]
struct LabelLine<'a> {
    prompt: &'a [ChatLine<'a>],
    label: &'a str,
    datasource: String,
}

/// The RL dataset of verl. Its tools come from a file of its own, so those of the row stand in
/// `extra_info`.
pub(super) fn verl(row: &DatasetRow, place: LinePlace) -> Result<ExportedRow, LeftReason> {
    let task = TaskPrompt::of(row)?;
    let ability = row.as_trajectory().map_or("completion", |row| row.category.as_str());
    let reward_model = VerlReward { style: "rule", ground_truth: task.truth.get() };
    let (data_source, prompt, extra_info) = (task.source(), &task.messages, task.info(place));
    task.line(&VerlLine { data_source, prompt, ability, reward_model, extra_info })
}

/// The dataset of SkyRL. Whoever trains registers an environment with the name `synthd`.
pub(super) fn sky_rl(row: &DatasetRow, place: LinePlace) -> Result<ExportedRow, LeftReason> {
    let task = TaskPrompt::of(row)?;
    let reward_spec = SkyReward { method: "rule", ground_truth: task.truth.get() };
    let (data_source, prompt, extra_info) = (task.source(), &task.messages, task.info(place));
    let env_class = ENVIRONMENT;
    task.line(&SkyLine { data_source, prompt, env_class, reward_spec, extra_info })
}

/// The dataset of an environment of `verifiers`, with which prime-rl trains.
pub(super) fn prime_rl(row: &DatasetRow, place: LinePlace) -> Result<ExportedRow, LeftReason> {
    let task = TaskPrompt::of(row)?;
    let extra_info = PromptInfo { tools: None, ..task.info(place) };
    let info = VerifierInfo { ground_truth: &task.truth, tools: task.tools.as_deref(), extra_info };
    let info = serde_json::to_string(&info).map_err(|_| LeftReason::NoJson)?;
    task.line(&VerifierLine { prompt: &task.messages, answer: task.answer(), info })
}

/// The prompts of OpenRLHF, which has neither tools nor calls.
pub(super) fn open_rlhf(row: &DatasetRow, _: LinePlace) -> Result<ExportedRow, LeftReason> {
    let chat = ChatRow::of(row)?;
    if chat.tools.is_some() || chat.prompt().iter().any(has_calls) {
        return Err(LeftReason::ToolCalls);
    }
    let task = TaskPrompt::of(row)?;
    let (prompt, datasource) = (&task.messages, task.source());
    task.line(&LabelLine { prompt, label: task.truth.get(), datasource })
}

impl<'a> TaskPrompt<'a> {
    fn of(row: &'a DatasetRow) -> Result<Self, LeftReason> {
        let chat = ChatRow::of(row)?;
        let mut lost = LostParts::new();
        let messages = chat_lines(chat.prompt(), STYLE, &mut lost)?;
        // Nothing of a prompt is trained on, whoever said it.
        lost.remove(&LostPart::OtherReplies);
        Ok(Self { row, messages, tools: chat.tools, truth: truth_of(row)?, lost })
    }

    /// Whose task it is: the template or the file of prompts.
    fn source(&self) -> String {
        match self.row {
            DatasetRow::Trajectory(row) => format!("synthd/{}", row.template),
            DatasetRow::Completion(row) => format!("synthd/{}", row.source),
        }
    }

    /// What stands beside the prompt.
    fn info(&self, place: LinePlace) -> PromptInfo<'_> {
        let trajectory = self.row.as_trajectory();
        PromptInfo {
            split: place.split.as_str(),
            index: place.index,
            row: self.row.id(),
            task: self.row.work_id(),
            difficulty: trajectory.map(|row| row.difficulty.as_str()),
            pass_rate: trajectory.and_then(|row| row.pass_rate),
            tools: self.tools.as_deref().map(RawValue::get),
        }
    }

    /// The expected answer, if the line of a completion's prompt has a text `answer`.
    fn answer(&self) -> Option<String> {
        let fields = self.row.as_completion()?.fields.as_deref()?;
        let fields: serde_json::Value = serde_json::from_str(fields).ok()?;
        fields.get("answer")?.as_str().map(str::to_owned)
    }

    /// The line, once for each task that was asked the same with the same tools.
    fn line(&self, line: &impl Serialize) -> Result<ExportedRow, LeftReason> {
        let asked = serde_json::to_string(&self.messages).map_err(|_| LeftReason::NoJson)?;
        let tools = self.tools.as_deref().map_or("", RawValue::get);
        let key = digest_of(&[self.row.work_id(), &asked, tools]);
        let made = ExportedRow::of(line, self.lost.clone())?;
        Ok(ExportedRow { once: Some((key, LeftReason::SameTask)), ..made })
    }
}

/// What an answer is judged by, as a JSON object.
fn truth_of(row: &DatasetRow) -> Result<Box<RawValue>, LeftReason> {
    match row {
        DatasetRow::Trajectory(row) => {
            let text = serde_json::to_string(&task_truth(row)).map_err(|_| LeftReason::NoJson)?;
            RawValue::from_string(text).map_err(|_| LeftReason::NoJson)
        }
        DatasetRow::Completion(row) => {
            let fields = row.fields.as_deref().and_then(plain_object);
            fields.filter(|fields| fields.get() != "{}").ok_or(LeftReason::NoTruth)
        }
    }
}

fn task_truth(row: &TrajectoryRow) -> TaskTruth<'_> {
    let checks = row.verification.checks.iter();
    TaskTruth {
        task_id: &row.task_id,
        template: &row.template,
        template_digest: row.template_digest.as_deref(),
        task_seed: row.task_seed,
        checks: checks.map(|one| TruthCheck { name: &one.name, weight: one.weight }).collect(),
    }
}

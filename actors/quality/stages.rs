//! The quality stages over one row. Each stage looks for one defect that would harm a dataset: a
//! leak of sealed content, tampering, loops, truncation and others. The campaign says for each
//! stage whether a row with the defect is rejected, gets a label, or is kept as it is.
//!
//! The stage `duplicates` needs all rows, so it runs when a dataset is written (`review.rs`).

use super::pipeline::{RowStage, StageFindings, StageRule, run_stages};
use super::row::FinishedEpisode;
use crate::model::{
    ActionType, JudgePlace, MoveAction, QualityPolicy, RowMessage, RowStep, SEALED, StageAction,
    StopReason, Task, TrajectoryRow,
};
use std::collections::HashSet;

/// The label of a row with a step that has an `error`: a reply that could not be read, a model that
/// declined, a command that did not start or was killed (by a signal, or for its time, processor
/// time, memory or output), or an external agent that failed. A command that ended by itself is no
/// error, whatever its exit code.
pub const ERROR_STEPS: &str = "error-steps";
/// The label of a row with a reply that could not be read.
pub const MALFORMED_STEPS: &str = "malformed-steps";
/// The label of a row whose checks ran beside the programs of the workspace.
pub const SHARED_JUDGE: &str = "shared-judge";

/// Every label that a row can have, with its meaning. A label that is named for a stage is there
/// only if the campaign sets this stage to `label`.
pub const LABELS: [(&str, &str); 23] = [
    ("resolved", "every check of the sealed verification passed, twice"),
    ("unresolved", "a check failed, both times"),
    ("flaky", "the two verifications disagree; never counted as solved"),
    ("stop:submitted", "the agent handed its work in"),
    (
        "stop:step_limit",
        "the agent was stopped after `episode.max_turns` turns, or after those of the last stage of its \
         task",
    ),
    ("stop:time_limit", "the agent's time was up"),
    ("stop:refused", "the model declined"),
    ("stop:malformed", "too many replies in a row could not be read"),
    ("stop:truncated", "the same, and the last reply was cut by its output cap"),
    ("stop:context_full", "the conversation was longer than the model can read"),
    ("stop:cost_limit", "what may be spent on an episode was spent"),
    ("stop:agent_failed", "the agent's own program failed after its model had answered"),
    ("partial", "some checks passed, not all"),
    (
        ERROR_STEPS,
        "a step has an `error`: an unreadable reply, a model that declined, a command that could \
         not be started or was killed (by a signal, for its time, processor time, memory or \
         output), or an agent's own program that failed. A command that ended by itself is none, \
         whatever its `exit_code`",
    ),
    (MALFORMED_STEPS, "a reply could not be read; the agent was told and went on"),
    ("mixed-models", "replies of more than one model, after a fallback"),
    (
        SHARED_JUDGE,
        "the checks ran in one sandbox with the programs of the workspace, which could reach them: \
         the result can be forged",
    ),
    ("loops", "the same action `quality.loop_length` times in a row (stage `loops`)"),
    ("truncation", "ended by a limit of steps, time or output (stage `truncation`)"),
    (
        "format",
        "no step, a gap in their numbers, or arguments that are no JSON object (stage `format`)",
    ),
    ("leak", "the agent saw or wrote sealed content (stage `leak`)"),
    ("tampering", "a command reached for the sealed files (stage `tampering`)"),
    (
        "duplicate",
        "the same task, number of the sample, actions, reasoning and observations as an earlier row \
         (stage `duplicates`)",
    ),
];

/// A row with the episode that it was made of: what a stage looks at.
pub(super) struct JudgedRow<'a> {
    pub(super) judged: &'a FinishedEpisode,
    pub(super) row: &'a TrajectoryRow,
}

/// The stages in their order.
fn stages<'a>() -> [RowStage<JudgedRow<'a>>; 6] {
    [
        stage("format", |policy| policy.format, |it| unrepresentable(it.row)),
        stage("leak", |policy| policy.leak, |it| leak(it.row, &it.judged.task)),
        stage("tampering", |policy| policy.tampering, |it| tampering(it.row)),
        RowStage {
            // The second version does not count texts without a call.
            rule: StageRule::new("loops", 2, |policy| policy.loops),
            find: |it| looping(it.row, it.judged.policy.loop_length),
        },
        stage("truncation", |policy| policy.truncation, |it| truncated(it.judged.stop)),
        stage("unresolved", |policy| policy.unresolved, |it| unresolved(it.row)),
    ]
}

/// The first version of a stage.
fn stage<'a>(
    name: &'static str,
    action: fn(&QualityPolicy) -> StageAction,
    find: fn(&JudgedRow<'a>) -> Option<String>,
) -> RowStage<JudgedRow<'a>> {
    RowStage { rule: StageRule::new(name, 1, action), find }
}

/// Runs every stage over the row of an episode.
pub fn judge(judged: &FinishedEpisode, row: &TrajectoryRow) -> StageFindings {
    let plain = plain_labels(judged, row);
    run_stages(&stages(), &judged.policy, &JudgedRow { judged, row }, plain)
}

/// The labels that do not come from a stage: the result, the stop reason, errors and others.
fn plain_labels(judged: &FinishedEpisode, row: &TrajectoryRow) -> Vec<String> {
    let mut labels = vec![row.final_result.clone(), format!("stop:{}", judged.stop.as_str())];
    if row.trajectory.iter().any(|step| step.error.is_some()) {
        labels.push(ERROR_STEPS.to_owned());
    }
    if row.trajectory.iter().any(|step| step.action.kind == ActionType::Malformed.as_str()) {
        labels.push(MALFORMED_STEPS.to_owned());
    }
    if row.verification.score > 0.0 && !row.verification.passed {
        labels.push("partial".to_owned());
    }
    if judged.is_mixed() {
        labels.push("mixed-models".to_owned());
    }
    if judged.task.verification.judge == JudgePlace::Shared {
        labels.push(SHARED_JUDGE.to_owned());
    }
    labels.extend(judged.task.container.iter().flat_map(|container| container.labels()));
    labels
}

/// Stage `format`: an empty trajectory, a gap in the numbers of the steps, or arguments that are
/// not a JSON object.
fn unrepresentable(row: &TrajectoryRow) -> Option<String> {
    if row.trajectory.is_empty() {
        return Some("the trajectory has no step".to_owned());
    }
    row.trajectory.iter().enumerate().find_map(|(at, step)| {
        let object: Result<serde_json::Map<_, _>, _> = serde_json::from_str(&step.action.arguments);
        if usize::try_from(step.step) != Ok(at) {
            Some(format!("step {at} is numbered {}", step.step))
        } else if object.is_err() {
            Some(format!("the arguments of step {at} are not a JSON object"))
        } else {
            None
        }
    })
}

/// This many lines in a row of a sealed program, shown in a trajectory, are a leak and no
/// coincidence.
const TELLING_LINES: usize = 3;
/// Marks of program text. A sealed line without any of them may be an expected result, which an
/// honest agent prints too.
const CODE: [&str; 7] = ["$", "==", "def ", "import ", "exit", "assert", "return"];

/// Stage `leak`: a step or a message shows the sealed canary anywhere, or what the agent was shown
/// has a passage of a sealed program. The detail names the first such step or message.
fn leak(row: &TrajectoryRow, task: &Task) -> Option<String> {
    let (canary, passages) = (task.verification.canary.as_str(), telling_passages(task));
    let in_step = |step: &RowStep| {
        let texts = [&step.observation, &step.action.arguments, &step.reasoning];
        let what = shown(canary, &passages, &step.observation, &texts.map(String::as_str))?;
        Some(format!("step {} shows {what}", step.step))
    };
    let in_message = |(at, message): (usize, &RowMessage)| {
        // What the model wrote itself was not shown to it. Only the canary cannot be its own.
        let output = if message.role == "assistant" { "" } else { &message.content };
        let what = shown(canary, &passages, output, &message_texts(message))?;
        Some(format!("message {at} shows {what}"))
    };
    let messages = row.messages.iter().flatten().enumerate();
    row.trajectory.iter().find_map(in_step).or_else(|| messages.into_iter().find_map(in_message))
}

/// What is sealed and shown: the canary in one of the texts, or a passage in `output`.
fn shown(canary: &str, passages: &[String], output: &str, texts: &[&str]) -> Option<String> {
    if texts.iter().any(|text| text.contains(canary)) {
        return Some("the sealed canary".to_owned());
    }
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    let lines = lines.join("\n");
    let found = passages.iter().find(|passage| lines.contains(passage.as_str()))?;
    Some(format!("a sealed program: {}", found.lines().next().unwrap_or_default()))
}

/// All texts of a message.
fn message_texts(message: &RowMessage) -> Vec<&str> {
    let calls = message.tool_calls.iter().flatten().map(|call| call.arguments.as_str());
    let thought = message.reasoning.as_deref();
    [message.content.as_str()].into_iter().chain(thought).chain(calls).collect()
}

/// Passages of sealed programs that an agent cannot know from anywhere else. Every line of a
/// passage is at least 20 bytes long, is program text, and does not stand in the task's files,
/// instruction or solution.
fn telling_passages(task: &Task) -> Vec<String> {
    let public: HashSet<&str> = public_lines(task).collect();
    let telling = |line: &&str| {
        line.len() >= 20 && CODE.iter().any(|code| line.contains(code)) && !public.contains(*line)
    };
    let programs = task.verification.files.iter().filter(|file| file.is_program());
    programs
        .flat_map(|file| {
            let lines: Vec<&str> = file.content.lines().map(str::trim).collect();
            let passages = lines.windows(TELLING_LINES);
            let whole = passages.filter(|passage| passage.iter().all(telling));
            whole.map(|passage| passage.join("\n")).collect::<Vec<_>>()
        })
        .collect()
}

/// Every line that an agent may know or write by itself: the task's files, its instruction, its
/// solutions.
fn public_lines(task: &Task) -> impl Iterator<Item = &str> {
    let alternatives = task.alternatives.iter().flat_map(|alternative| &alternative.moves);
    let moved = task.solution.iter().chain(alternatives).flat_map(|step| match &step.action {
        MoveAction::Run(command) => [command.as_str(), ""],
        MoveAction::Edit { search, replace, .. } => [search.as_str(), replace.as_str()],
        MoveAction::Write { content, .. } => [content.as_str(), ""],
        MoveAction::Submit => ["", ""],
    });
    task.files
        .iter()
        .map(|file| file.content.as_str())
        .chain([task.instruction.as_str()])
        .chain(task.stages.iter().map(|stage| stage.instruction.as_str()))
        .chain(moved)
        .flat_map(str::lines)
        .map(str::trim)
}

/// Stage `tampering`: the arguments of an action name `/sealed` or a path below it.
fn tampering(row: &TrajectoryRow) -> Option<String> {
    let reaches = |step: &&RowStep| {
        let text = &step.action.arguments;
        text.match_indices(SEALED).any(|(at, _)| {
            // `/sealed-orders` is another path.
            let next = text[at + SEALED.len()..].bytes().next();
            !next.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
    };
    row.trajectory
        .iter()
        .find(reaches)
        .map(|step| format!("the command of step {} reaches for {SEALED}", step.step))
}

/// Stage `loops`: the same action `length` times in a row, at least twice. A text without a call
/// says nothing of what an agent's program does with it, so it is no action here.
fn looping(row: &TrajectoryRow, length: u32) -> Option<String> {
    let mut run = 0;
    let mut last: Option<(&str, &str)> = None;
    let acts = |step: &&RowStep| step.action.kind != ActionType::Message.as_str();
    for step in row.trajectory.iter().filter(acts) {
        let action = (step.action.tool.as_str(), step.action.arguments.as_str());
        run = if last == Some(action) { run + 1 } else { 1 };
        last = Some(action);
        if run >= length.max(2) {
            return Some(format!("the same action {run} times in a row up to step {}", step.step));
        }
    }
    None
}

/// Stage `truncation`: a limit of steps, time or output ended the episode.
fn truncated(stop: StopReason) -> Option<String> {
    matches!(stop, StopReason::StepLimit | StopReason::TimeLimit | StopReason::Truncated)
        .then(|| format!("ended by {}", stop.as_str()))
}

/// Stage `unresolved`: the task was not solved, or the verdict is flaky.
fn unresolved(row: &TrajectoryRow) -> Option<String> {
    (row.final_result != "resolved").then(|| format!("the task is {}", row.final_result))
}

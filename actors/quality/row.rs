//! The canonical row of an episode: what one line of the dataset says. `docs/columns.md` describes
//! the columns. Everything here is pure: the same episode gives the same row.

use crate::model::{
    ActionType, AttemptNumber, ChatMessage, ChatRequest, ChatRole, Money, PlannedEpisode,
    QualityPolicy, ROW_SCHEMA, RowAction, RowCheck, RowMessage, RowState, RowStep, RowVerification,
    SamplingParams, SandboxFingerprint, Step, StopReason, Task, TrajectoryRow, Turn, Verdict,
    digest_of, reached_milestones, returns_to_go, rewards,
};
use crate::policy::same_message;
use std::sync::Arc;

/// Stands in place of the task's own text when the digest of the prompts is computed.
const INSTRUCTION: &str = "{{ instruction }}";

/// Everything that is known of a finished episode.
#[derive(Clone, Debug)]
pub struct FinishedEpisode {
    pub plan: PlannedEpisode,
    /// The attempt that reached the verdict.
    pub attempt: AttemptNumber,
    pub task: Arc<Task>,
    pub turns: Arc<Vec<Turn>>,
    pub stop: StopReason,
    pub verdict: Verdict,
    pub fingerprint: SandboxFingerprint,
    /// Milliseconds since the Unix epoch.
    pub finished_at_ms: i64,
    /// What each stage does, as the campaign says.
    pub policy: QualityPolicy,
    /// Percentages of train, validation and test.
    pub splits: [u32; 3],
}

impl FinishedEpisode {
    /// The model that gave the last reply. None recorded in a turn means the planned model.
    fn answered_by(&self) -> &str {
        let last = self.turns.last().and_then(|turn| turn.model.as_deref());
        last.unwrap_or(&self.plan.model)
    }

    /// Whether more than one model has replied.
    pub(super) fn is_mixed(&self) -> bool {
        self.turns.windows(2).any(|pair| pair[0].model != pair[1].model)
    }
}

/// Builds the row, without labels and pass rate. `stamp` is the time of the end as text. A flaky
/// verdict counts as a score of 0.
pub fn build_row(judged: &FinishedEpisode, stamp: String) -> TrajectoryRow {
    let steps: Vec<Step> = judged.turns.iter().map(|turn| turn.step.clone()).collect();
    // A flaky verdict is no success, whatever its score is.
    let score = if judged.verdict.flaky { 0.0 } else { judged.verdict.score };
    // Rewards come from the milestone potential and the final score. They sum up to the score.
    let rewards = rewards(&steps, score);
    let returns = returns_to_go(&rewards);
    let turns = judged.turns.iter().enumerate();
    let trajectory: Vec<RowStep> = turns
        .map(|(at, turn)| row_step(turn, rewards[at], returns[at], at + 1 == steps.len()))
        .collect();
    // If the provider did not count one reply, the sum of tokens is unknown and not zero.
    let all_counted = judged.turns.iter().all(|turn| turn.reply.counted().is_some());
    let tokens = all_counted.then(|| steps.iter().map(|step| step.usage.total()).sum());
    let elapsed: u64 = steps.iter().map(Step::took_ms).sum();
    let answered = judged.answered_by();
    // A model name is `provider/model`.
    let (provider, model) = answered.split_once('/').unwrap_or(("", answered));
    TrajectoryRow {
        schema_version: ROW_SCHEMA.to_owned(),
        trajectory_id: judged.plan.id.to_string(),
        campaign: judged.plan.campaign.to_string(),
        task_id: judged.task.id.to_string(),
        template: judged.task.template.clone(),
        template_digest: Some(judged.task.template_digest.clone()),
        task_seed: judged.task.seed.cast_signed(),
        task_instruction: judged.task.instruction.clone(),
        category: judged.task.category.clone(),
        difficulty: judged.task.difficulty.as_str().to_owned(),
        llm_model: model.to_owned(),
        llm_provider: provider.to_owned(),
        model_version: judged.turns.last().and_then(|turn| turn.reply.answered_by.clone()),
        scaffold: judged.plan.scaffold.clone(),
        sampling: sampling(judged),
        prompt_digest: prompt_digest(judged),
        sample: i32::try_from(judged.plan.id.sample()).unwrap_or(i32::MAX),
        tools: tools(judged),
        sandbox: judged.fingerprint.clone(),
        total_reward: returns.first().copied().unwrap_or(0.0),
        trajectory,
        messages: messages(judged),
        final_result: final_result(&judged.verdict).to_owned(),
        verification: verification(&judged.verdict, score),
        milestones: Some(reached_milestones(&judged.task.verification.milestones, &steps)),
        pass_rate: None,
        labels: Vec::new(),
        execution_time_seconds: elapsed as f64 / 1_000.0,
        total_tokens: tokens.map(signed),
        cost_usd: steps.iter().map(|step| step.cost).sum::<Money>(),
        attempt: i32::try_from(judged.attempt.0).unwrap_or(i32::MAX),
        calls: Some(judged.turns.iter().map(|turn| i64::from(turn.calls)).sum()),
        canary: judged.task.canary.clone(),
        created_at: stamp,
    }
}

/// The sampling parameters as JSON, from the request with which the episode opened. None if the
/// request was not recorded.
fn sampling(judged: &FinishedEpisode) -> Option<String> {
    let opening = judged.turns.first()?.opening.as_deref()?;
    serde_json::to_string(&SamplingParams::of(opening)).ok()
}

/// The request with which the newest conversation began, and the position of its turn. An agent's
/// program may begin several. None if no request was recorded.
fn newest_opening(turns: &[Turn]) -> Option<(usize, &ChatRequest)> {
    let openings = turns.iter().enumerate().rev();
    openings.into_iter().find_map(|(at, turn)| Some((at, turn.opening.as_deref()?)))
}

/// The newest conversation: the messages of its first request, then those of each turn. Replies of
/// the model in this trajectory are marked, also those that an agent's program repeated in its
/// request. A refusal without a word is no message: the model did not say it.
fn messages(judged: &FinishedEpisode) -> Option<Vec<RowMessage>> {
    let (start, opening) = newest_opening(&judged.turns)?;
    let (before, turns) = judged.turns.split_at(start);
    let repeated = |message: &&ChatMessage| {
        let mut spoken = before.iter().filter(|turn| !turn.reply.is_silent_refusal());
        spoken.any(|turn| same_message(&turn.reply.message, message))
    };
    let mut own: Vec<bool> = opening.messages.iter().map(|m| repeated(&m)).collect();
    own.extend(turns.iter().flat_map(said).map(|(is_reply, _)| is_reply));
    let added = turns.iter().flat_map(said).map(|(_, message)| message);
    let all: Vec<&ChatMessage> = opening.messages.iter().chain(added).collect();
    Some(RowMessage::all_of(&all, |at, _| own.get(at).copied().unwrap_or(false)))
}

/// The messages that a turn added, and for each whether it is the reply, which is the first one.
fn said(turn: &Turn) -> impl Iterator<Item = (bool, &ChatMessage)> {
    let unsaid = usize::from(turn.reply.is_silent_refusal());
    turn.messages.iter().enumerate().map(|(at, message)| (at == 0, message)).skip(unsaid)
}

/// The tools of the newest conversation as JSON, in the form that trainers read. None if no request
/// was recorded.
fn tools(judged: &FinishedEpisode) -> Option<String> {
    let (_, opening) = newest_opening(&judged.turns)?;
    let function = |tool| serde_json::json!({ "type": "function", "function": tool });
    serde_json::to_string(&opening.tools.iter().map(function).collect::<Vec<_>>()).ok()
}

/// A digest of the prompts and tools with which the conversation opened, without the task's own
/// text. It is equal for tasks that were asked with the same prompts. None if the request was not
/// recorded.
fn prompt_digest(judged: &FinishedEpisode) -> Option<String> {
    let opening = judged.turns.first()?.opening.as_deref()?;
    let around = |message: &ChatMessage| {
        // The task's own text differs from task to task; the prompts around it do not.
        let text = message.content.replace(judged.task.instruction.as_str(), INSTRUCTION);
        (message.role, text)
    };
    let messages: Vec<(ChatRole, String)> = opening.messages.iter().map(around).collect();
    let prompts = serde_json::to_string(&(messages, &opening.tools)).ok()?;
    Some(digest_of(&["prompts", &prompts]))
}

/// The result in a word: `flaky`, `resolved` or `unresolved`.
fn final_result(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict { flaky: true, .. } => "flaky",
        Verdict { passed: true, .. } => "resolved",
        _ => "unresolved",
    }
}

/// The checks as the row shows them. `score` is 0 for a flaky verdict.
fn verification(verdict: &Verdict, score: f64) -> RowVerification {
    let check = |c: &crate::model::CheckResult| RowCheck {
        name: c.name.clone(),
        weight: c.weight,
        passed: c.passed,
    };
    RowVerification {
        score,
        passed: verdict.passed,
        checks: verdict.checks.iter().map(check).collect(),
    }
}

/// One turn as the row shows it. `done` marks the last step.
fn row_step(turn: &Turn, reward: f64, return_to_go: f64, done: bool) -> RowStep {
    let step = &turn.step;
    // None if the provider did not count the reply.
    let usage = turn.reply.counted().map(|_| step.usage);
    RowStep {
        step: i32::try_from(step.index).unwrap_or(i32::MAX),
        state: RowState { cwd: step.state.cwd.clone(), files: step.state.files.clone() },
        action: RowAction {
            kind: step.action.kind.as_str().to_owned(),
            tool: step.action.tool.clone(),
            arguments: arguments(step),
        },
        observation: step.observation.clone(),
        reward,
        reasoning: step.reasoning.clone(),
        return_to_go,
        done,
        error: step.error.clone(),
        exit_code: step.end.as_ref().map(crate::model::ExecEnd::exit_code),
        truncated: step.truncated,
        input_tokens: usage.map(|usage| signed(usage.input_tokens)),
        output_tokens: usage.map(|usage| signed(usage.output_tokens)),
        cost_usd: step.cost,
        duration_ms: signed(step.duration_ms),
        model_ms: step.model_ms.map(signed),
        finish_reason: Some(turn.reply.finish.as_str().to_owned()),
        calls: Some(i32::try_from(turn.calls).unwrap_or(i32::MAX)),
    }
}

/// The arguments of an action as a JSON object in text. What a model wrote in place of an object is
/// kept inside one, as in `{"unparsed": "..."}`.
fn arguments(step: &Step) -> String {
    let written = &step.action.arguments;
    let is_object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(written);
    if is_object.is_ok() || step.action.kind != ActionType::Malformed {
        return written.clone();
    }
    serde_json::json!({ "unparsed": written }).to_string()
}

/// Parquet columns are signed. A number that is too large becomes the largest one.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

//! The canonical row of an episode: what one line of the dataset says. `docs/columns.md` describes
//! the columns. Everything here is pure: the same episode gives the same row.

use super::turn_parts::{TurnParts, signed};
use crate::model::{
    AttemptNumber, ChatMessage, ChatRole, CheckRerun, CheckResult, ExecEnd, JudgeEnvironment,
    Money, PlannedEpisode, QualityPolicy, ROW_SCHEMA, RowCheck, RowCheckRerun, RowJudge, RowPack,
    RowVerification, SamplingParams, SandboxFingerprint, Step, StopReason, Task, TaskPack,
    TrajectoryRow, Turn, Verdict, digest_of, reached_milestones,
};
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
    let parts = TurnParts::of(&judged.turns, score);
    // If the provider did not count one reply, the sum of tokens is unknown and not zero.
    let all_counted = judged.turns.iter().all(|turn| turn.reply.counted().is_some());
    let tokens = all_counted.then(|| steps.iter().map(|step| step.usage.total()).sum());
    let elapsed: u64 = steps.iter().map(Step::took_ms).sum();
    let answered = judged.answered_by();
    // A model name is `provider/model`.
    let (provider, model) = answered.split_once('/').unwrap_or(("", answered));
    let mut row = TrajectoryRow {
        schema_version: ROW_SCHEMA.to_owned(),
        trajectory_id: judged.plan.id.to_string(),
        campaign: judged.plan.campaign.to_string(),
        task_id: judged.task.id.to_string(),
        template: judged.task.template.clone(),
        template_digest: Some(judged.task.template_digest.clone()),
        task_seed: judged.task.seed.cast_signed(),
        task_instruction: judged.task.instruction.clone(),
        task_wording: judged.task.wording.clone(),
        category: judged.task.category.clone(),
        kind: judged.task.kind.map(|kind| kind.as_str().to_owned()),
        skills: Some(judged.task.skills.clone()),
        pack: judged.task.pack.as_ref().map(row_pack),
        difficulty: judged.task.difficulty.as_str().to_owned(),
        llm_model: model.to_owned(),
        llm_provider: provider.to_owned(),
        model_version: judged.turns.last().and_then(|turn| turn.reply.answered_by.clone()),
        scaffold: judged.plan.scaffold.clone(),
        sampling: sampling(judged),
        prompt_digest: prompt_digest(judged),
        sample: i32::try_from(judged.plan.id.sample()).unwrap_or(i32::MAX),
        tools: None,
        sandbox: judged.fingerprint.clone(),
        total_reward: parts.total_reward(),
        trajectory: Vec::new(),
        messages: None,
        conversations: None,
        final_result: judged.verdict.label().to_owned(),
        verification: verification(&judged.verdict, score),
        reverified: None,
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
    };
    parts.put(&mut row);
    row
}

/// The pack of a task as a row has it.
fn row_pack(pack: &TaskPack) -> RowPack {
    RowPack {
        name: pack.name.clone(),
        version: pack.version.clone(),
        digest: pack.digest.clone(),
        licence: pack.licence.clone(),
        notices: pack.notices.clone(),
    }
}

/// The sampling parameters as JSON, from the request with which the episode opened. None if the
/// request was not recorded.
fn sampling(judged: &FinishedEpisode) -> Option<String> {
    let opening = judged.turns.first()?.opening.as_deref()?;
    serde_json::to_string(&SamplingParams::of(opening)).ok()
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

/// The checks as the row shows them. `score` is 0 for a flaky verdict.
fn verification(verdict: &Verdict, score: f64) -> RowVerification {
    RowVerification {
        score,
        passed: verdict.passed,
        checks: verdict.checks.iter().map(row_check).collect(),
        judge: verdict.judge.as_deref().map(row_judge),
    }
}

/// A check with what it said.
fn row_check(check: &CheckResult) -> RowCheck {
    RowCheck {
        name: check.name.clone(),
        weight: check.weight,
        passed: check.passed,
        ended: check.end.as_ref().map(ExecEnd::describe),
        output: Some(check.output.clone()),
        second: check.second.as_ref().map(row_second),
    }
}

/// The second run of a check.
fn row_second(second: &CheckRerun) -> RowCheckRerun {
    RowCheckRerun {
        passed: second.passed,
        ended: second.end.as_ref().map(ExecEnd::describe),
        output: second.output.clone(),
    }
}

/// Where the checks ran.
fn row_judge(judge: &JudgeEnvironment) -> RowJudge {
    RowJudge {
        place: judge.place.as_str().to_owned(),
        sandbox: judge.sandbox.clone(),
        library: judge.library.map(|version| i32::try_from(version).unwrap_or(i32::MAX)),
    }
}

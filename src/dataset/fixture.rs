//! Made-up rows and a journal that serves them, for this module's tests.

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use synthd_actors::model::*;
use synthd_actors::ports::{DatasetWriteRequest, RowPages, SetReview};

pub(super) const CAMPAIGN: &str = "fixture";

/// A row whose every field depends on `n`.
pub(crate) fn row(n: u64) -> TrajectoryRow {
    row_with_steps(n, 2 + n % 5)
}

pub(super) fn row_with_steps(n: u64, count: u64) -> TrajectoryRow {
    let solved = n % 3 != 1;
    let score = if solved { 1.0 } else { 0.25 };
    let mut rewards = vec![0.1; usize::try_from(count).unwrap()];
    if let Some(last) = rewards.last_mut() {
        *last = ((score - 0.1 * (count - 1) as f64) * 1e9).round() / 1e9;
    }
    let returns = returns_to_go(&rewards);
    let steps = (0..count).map(|i| {
        let at = usize::try_from(i).unwrap();
        step(n, i, count, rewards[at], returns[at])
    });
    TrajectoryRow {
        schema_version: ROW_SCHEMA.to_owned(),
        trajectory_id: format!("ep-{n:016x}"),
        campaign: CAMPAIGN.to_owned(),
        task_id: format!("shell/rename@{:08x}", n / 3),
        template: "shell/rename".to_owned(),
        template_digest: n.is_multiple_of(5).then(|| format!("{n:064x}")),
        task_seed: i64::MIN + i64::try_from(n).unwrap(),
        task_instruction: format!("Rename {n} files.\n\tKeep \"quotes\", ünïcödé and 🦀."),
        task_wording: None,
        category: ["shell", "debugging"][usize::try_from(n % 2).unwrap()].to_owned(),
        kind: None,
        skills: None,
        pack: None,
        difficulty: ["easy", "medium", "hard"][usize::try_from(n % 3).unwrap()].to_owned(),
        llm_model: ["scripted/oracle", "acme/large"][usize::from(n.is_multiple_of(4))].to_owned(),
        llm_provider: ["scripted", "acme"][usize::from(n.is_multiple_of(4))].to_owned(),
        model_version: n.is_multiple_of(4).then(|| "large-2026-01-01".to_owned()),
        scaffold: "minimal".to_owned(),
        sampling: (!n.is_multiple_of(3)).then(|| format!("{{\"seed\":{n}}}")),
        prompt_digest: n.is_multiple_of(2).then(|| format!("{n:064x}")),
        sample: i32::try_from(n % 3).unwrap(),
        tools: (!n.is_multiple_of(6)).then(|| "[]".to_owned()),
        sandbox: fingerprint(),
        trajectory: steps.collect(),
        messages: (!n.is_multiple_of(6)).then(|| conversation(n)),
        conversations: (!n.is_multiple_of(6)).then(|| begun(n)),
        final_result: if solved { "resolved" } else { "unresolved" }.to_owned(),
        total_reward: returns.first().copied().unwrap_or(0.0),
        verification: verification(solved, score),
        reverified: None,
        milestones: (!n.is_multiple_of(6)).then(|| milestones(n)),
        pass_rate: (n % 3 != 2).then_some(PassRate { tries: 3, solved: 2, low: 0.2, high: 0.9 }),
        labels: (0..n % 3).map(|i| format!("label-{i}")).collect(),
        execution_time_seconds: 1.5 + n as f64 / 8.0,
        total_tokens: Some(i64::try_from(30 * count).unwrap()),
        cost_usd: Money::from_nanos(n * count),
        attempt: i32::try_from(n % 2).unwrap() + 1,
        calls: (!n.is_multiple_of(6)).then(|| i64::try_from(count).unwrap()),
        canary: format!("canary-{n:08x}"),
        created_at: "2026-01-02T03:04:05.678Z".to_owned(),
    }
}

fn step(n: u64, i: u64, count: u64, reward: f64, return_to_go: f64) -> RowStep {
    let failed = i % 2 == 1;
    RowStep {
        step: i32::try_from(i).unwrap(),
        state: RowState {
            cwd: "/work".to_owned(),
            files: (0..i).map(|f| format!("dir {f}/file|{n}.txt")).collect(),
        },
        action: RowAction {
            kind: if i + 1 == count { "submit" } else { "tool_call" }.to_owned(),
            tool: "bash".to_owned(),
            arguments: serde_json::json!({ "command": format!("mv a{i} \"b{n}\"") }).to_string(),
        },
        observation: format!("<returncode>{}</returncode>\nöutput {n}/{i}\u{0}", i % 2),
        reward,
        reasoning: if i == 0 { String::new() } else { format!("step {i} comes next") },
        return_to_go,
        done: i + 1 == count,
        error: failed.then(|| "exit status 1".to_owned()),
        exit_code: (i + 1 != count).then(|| i32::try_from(i % 2).unwrap()),
        truncated: failed,
        input_tokens: Some(20),
        output_tokens: Some(10),
        cost_usd: Money::from_nanos(n),
        duration_ms: i64::try_from(i).unwrap(),
        model_ms: (!n.is_multiple_of(3)).then(|| i64::try_from(n).unwrap()),
        finish_reason: (!n.is_multiple_of(6)).then(|| "tool_calls".to_owned()),
        calls: (!n.is_multiple_of(6)).then_some(1),
        actions: (i % 3 == 2).then(|| vec![step_action(n, 0), step_action(n, 1)]),
        milestones_changed: None,
        stage: None,
        model_version: n.is_multiple_of(4).then(|| "large-2026-01-01".to_owned()),
        fallback_model: n.is_multiple_of(5).then(|| "acme/small".to_owned()),
        cached_tokens: n.is_multiple_of(2).then_some(4),
        reasoning_tokens: n.is_multiple_of(3).then_some(0),
        prompt_kept: n.is_multiple_of(3).then(|| i32::try_from(i).unwrap()),
        prompt_token_ids: n.is_multiple_of(3).then(|| vec![1, 0, i32::MAX]),
        token_ids: n.is_multiple_of(3).then(|| vec![i32::try_from(n).unwrap(), 7]),
        logprobs: n.is_multiple_of(3).then(|| vec![-0.125, -1e-9]),
    }
}

/// One of two actions of a step; the second one did not run.
fn step_action(n: u64, at: u64) -> RowStepAction {
    RowStepAction {
        kind: "tool_call".to_owned(),
        tool: "bash".to_owned(),
        arguments: serde_json::json!({ "command": format!("mv a{at} \"b{n}\"") }).to_string(),
        call_id: Some(format!("call_{at}")),
        ran: (!n.is_multiple_of(2)).then_some(at == 0),
        observation: format!("output {n}/{at}"),
        error: (at == 1).then(|| "killed by signal 9".to_owned()),
        exit_code: (at == 0).then_some(0),
        truncated: at == 1,
        duration_ms: i64::try_from(n).unwrap(),
    }
}

/// No conversation that was begun anew, or one.
fn begun(n: u64) -> Vec<RowConversation> {
    let begun = RowConversation { step: 1, messages: 2, dropped: 1, dropped_steps: vec![0] };
    if n.is_multiple_of(2) { Vec::new() } else { vec![begun] }
}

/// A message of each kind: with calls, with a result, with and without a weight.
fn conversation(n: u64) -> Vec<RowMessage> {
    let message = |role: &str, content: String| RowMessage {
        role: role.to_owned(),
        content,
        reasoning: None,
        tool_calls: None,
        tool_call_id: None,
        name: None,
        weight: None,
        step: None,
        loss_hint: None,
    };
    let call = RowToolCall {
        id: format!("call-{n}"),
        name: "bash".to_owned(),
        arguments: "{\"command\":\"ls\"}".to_owned(),
    };
    let (id, name) = (Some(call.id.clone()), Some(call.name.clone()));
    let asked = message("user", format!("Rename {n} files."));
    let called = message("assistant", String::new());
    let reasoning = n.is_multiple_of(2).then(|| "first look".to_owned());
    let called = RowMessage { tool_calls: Some(vec![call]), reasoning, weight: Some(1), ..called };
    let loss_hint = n.is_multiple_of(3).then(|| "reply".to_owned());
    let called = RowMessage { step: Some(0), loss_hint, ..called };
    let result = RowMessage { tool_call_id: id, name, ..message("tool", format!("öutput {n}")) };
    vec![asked, called, result]
}

/// No change, or two, of which the second tells nothing.
fn milestones(n: u64) -> Vec<RowMilestone> {
    let milestone = |step, potential, reached| RowMilestone { step, potential, reached };
    let both = [milestone(0, 0.25, Some(vec!["exists".to_owned()])), milestone(1, 0.5, None)];
    both[..if n.is_multiple_of(2) { 0 } else { 2 }].to_vec()
}

fn fingerprint() -> SandboxFingerprint {
    SandboxFingerprint {
        backend: "namespace".to_owned(),
        root: "host:0123".to_owned(),
        kernel: "6.1.0".to_owned(),
        shell: "bash 5.2".to_owned(),
        enforced: BTreeMap::from([("memory".to_owned(), "cgroup v2".to_owned())]),
    }
}

fn verification(passed: bool, score: f64) -> RowVerification {
    let check = |name: &str, weight, passed| RowCheck {
        name: name.to_owned(),
        weight,
        passed,
        ended: None,
        output: None,
        second: None,
    };
    let checks = vec![check("exists", 0.25, true), check("equal", 0.75, passed)];
    RowVerification { score, passed, checks, judge: None }
}

/// Every seventh is rejected; the split follows the task.
pub(super) fn record(n: u64) -> RowRecord {
    let split = match (n / 3) % 10 {
        8 => DatasetSplit::Validation,
        9 => DatasetSplit::Test,
        _ => DatasetSplit::Train,
    };
    let rejected = (n % 7 == 6)
        .then(|| RowRejection { stage: "leak".to_owned(), detail: "sealed content".to_owned() });
    RowRecord {
        episode: EpisodeId(format!("ep-{n:016x}")),
        campaign: CampaignName(CAMPAIGN.to_owned()),
        ordinal: n * 2,
        rejected,
        split,
        findings: Vec::new(),
        content_digest: format!("{n}"),
        row: row(n).into(),
    }
}

/// A completion whose every field depends on `n`. Three answer each prompt.
pub(crate) fn completion(n: u64) -> CompletionRow {
    let response = format!("Answer {n} with \"quotes\", ünïcödé and 🦀.");
    let text = |role: &str, content: &str, weight| RowMessage {
        role: role.to_owned(),
        content: content.to_owned(),
        reasoning: None,
        tool_calls: None,
        tool_call_id: None,
        name: None,
        weight,
        step: None,
        loss_hint: weight.map(|_| "reply".to_owned()),
    };
    let asked = format!("What is {n}?\n\tSay it.");
    let (asked, said) = (text("user", &asked, None), text("assistant", &response, Some(1)));
    CompletionRow {
        schema_version: COMPLETION_SCHEMA.to_owned(),
        completion_id: format!("ep-{n:016x}"),
        campaign: CAMPAIGN.to_owned(),
        prompt_id: format!("questions@{:08x}", n / 3),
        source: ["questions.jsonl", "more.txt"][usize::from(n.is_multiple_of(7))].to_owned(),
        prompt_index: i64::try_from(n / 3).unwrap(),
        fields: Some(format!("{{\"topic\":\"numbers\",\"n\":{n}}}")),
        messages: vec![asked, said],
        response,
        reasoning: (!n.is_multiple_of(3)).then(|| format!("{n} is a number")),
        finish_reason: ["stop", "length"][usize::from(n.is_multiple_of(5))].to_owned(),
        llm_model: ["small", "large"][usize::from(n.is_multiple_of(2))].to_owned(),
        llm_provider: "acme".to_owned(),
        model_version: n.is_multiple_of(2).then(|| "large-2026-01-01".to_owned()),
        sampling: (!n.is_multiple_of(4)).then(|| format!("{{\"seed\":{n}}}")),
        sample: i32::try_from(n % 3).unwrap(),
        labels: (0..n % 3).map(|i| format!("label-{i}")).collect(),
        input_tokens: Some(i64::try_from(n).unwrap()),
        output_tokens: Some(12),
        prompt_token_ids: n.is_multiple_of(2).then(|| vec![1, 2]),
        token_ids: n.is_multiple_of(2).then(Vec::new),
        logprobs: n.is_multiple_of(2).then(|| vec![-0.5]),
        cost_usd: Money::from_nanos(n + 1),
        model_ms: i64::try_from(n * 10).unwrap(),
        attempt: 1,
        calls: 1 + i32::try_from(n % 2).unwrap(),
        created_at: "2026-01-02T03:04:05.678Z".to_owned(),
    }
}

/// Like [`record`], with a completion.
pub(super) fn completion_record(n: u64) -> RowRecord {
    RowRecord { row: completion(n).into(), ..record(n) }
}

/// The trajectory in a record, to be changed.
pub(super) fn within(record: &mut RowRecord) -> &mut TrajectoryRow {
    record.row.as_trajectory_mut().unwrap()
}

/// Serves rows, as a journal does.
#[derive(Default)]
pub(super) struct FixtureJournal {
    pub(super) rows: Mutex<Vec<RowRecord>>,
    pub(super) datasets: Mutex<Vec<DatasetRecord>>,
    pub(super) repeats_itself: bool,
}

impl FixtureJournal {
    pub(super) fn numbered(count: u64) -> Arc<Self> {
        Arc::new(Self { rows: Mutex::new((0..count).map(record).collect()), ..Self::default() })
    }
}

/// What a review found beforehand, by episode.
pub(super) struct FixtureReview {
    pub(super) rejections: BTreeMap<EpisodeId, RowRejection>,
    pub(super) pass_rates: BTreeMap<EpisodeId, PassRate>,
}

impl Default for FixtureReview {
    /// One duplicate.
    fn default() -> Self {
        let rejection =
            RowRejection { stage: "duplicate".to_owned(), detail: "of ep-1".to_owned() };
        let id = EpisodeId(format!("ep-{:016x}", 2));
        Self { rejections: BTreeMap::from([(id, rejection)]), pass_rates: BTreeMap::new() }
    }
}

impl SetReview for FixtureReview {
    fn review(&mut self, record: &mut RowRecord) {
        let late = self.rejections.get(&record.episode).cloned();
        record.rejected = record.rejected.take().or(late);
        if let Some(row) = record.row.as_trajectory_mut() {
            row.pass_rate = self.pass_rates.get(&record.episode).copied().or(row.pass_rate);
        }
    }
}

pub(super) fn edition(journal: &Arc<FixtureJournal>) -> DatasetWriteRequest {
    reviewed(journal, FixtureReview::default())
}

pub(super) fn reviewed(
    journal: &Arc<FixtureJournal>,
    review: FixtureReview,
) -> DatasetWriteRequest {
    DatasetWriteRequest {
        campaign: CampaignName(CAMPAIGN.to_owned()),
        rows: Arc::<FixtureJournal>::clone(journal),
        review: Box::new(review),
        format: RowFormat::Trajectory,
        faulted: 2,
        planned: 102,
        licence: "cc-by-4.0".to_owned(),
        seed: u64::MAX,
        config_digest: "c0ffee".to_owned(),
        now_ms: 1_767_323_045_678,
    }
}

/// Writes a version below `dir` and returns where it is.
pub(super) async fn write(dir: &Path, journal: &Arc<FixtureJournal>) -> DatasetRecord {
    use synthd_actors::ports::DatasetSink;
    crate::dataset::ParquetSink::new(dir).write(edition(journal)).await.unwrap().record
}

#[async_trait]
impl RowPages for FixtureJournal {
    async fn page(&self, after: Option<u64>, limit: usize) -> Result<Vec<RowRecord>, Fault> {
        let after = if self.repeats_itself { None } else { after };
        let rows = self.rows.lock().unwrap();
        let rest = rows.iter().filter(|row| after.is_none_or(|after| row.ordinal > after));
        Ok(rest.take(limit).cloned().collect())
    }

    async fn recorded_version(&self) -> Result<u32, Fault> {
        let recorded = self.datasets.lock().unwrap();
        Ok(recorded.iter().map(|record| record.version).max().unwrap_or(0))
    }
}

//! Entries to append, small unless asked otherwise.

use std::collections::BTreeMap;
use std::ops::Range;
use synthd_actors::model::*;

pub(in crate::store) fn name(campaign: &str) -> CampaignName {
    CampaignName(campaign.to_owned())
}

pub(in crate::store) fn id(campaign: &str, ordinal: u64) -> EpisodeId {
    EpisodeId(format!("ep-{campaign}-{ordinal}"))
}

pub(in crate::store) fn campaign(campaign: &str) -> CampaignRecord {
    CampaignRecord {
        name: name(campaign),
        kind: Default::default(),
        identity: format!("identity of {campaign}"),
        sampling: None,
        config: "seed = 1".to_owned(),
        images: [("base".to_owned(), "sha256:0".to_owned())].into(),
        price_table: Some("p".to_owned()),
        state: CampaignState::Running,
        reason: None,
        created_at_ms: 1_000,
    }
}

pub(in crate::store) fn opened(name: &str) -> JournalEntry {
    JournalEntry::CampaignOpened(campaign(name))
}

pub(in crate::store) fn plan(campaign: &str, ordinal: u64) -> PlannedEpisode {
    PlannedEpisode {
        id: id(campaign, ordinal),
        campaign: name(campaign),
        ordinal,
        task: TaskId(format!("debugging/loop@{ordinal}")),
        template: "debugging/loop".to_owned(),
        index: 3,
        category: "debugging".to_owned(),
        difficulty: "medium".to_owned(),
        model: "scripted/oracle".to_owned(),
        scaffold: "minimal".to_owned(),
        reason: None,
    }
}

pub(in crate::store) fn planned(campaign: &str, ordinals: Range<u64>) -> JournalEntry {
    JournalEntry::Planned(ordinals.map(|ordinal| plan(campaign, ordinal)).collect())
}

pub(in crate::store) fn start(
    campaign: &str,
    ordinal: u64,
    attempt: u32,
    from: Option<u32>,
) -> JournalEntry {
    JournalEntry::AttemptStarted {
        episode: id(campaign, ordinal),
        attempt: AttemptNumber(attempt),
        resumed_from: from.map(AttemptNumber),
        at_ms: 1_000 * i64::from(attempt),
    }
}

pub(in crate::store) fn turn_of(index: u32, cost: u64, observation: &str) -> Turn {
    let usage = Usage::of(100 + u64::from(index), 7);
    let message = ChatMessage {
        tool_calls: vec![ToolCall {
            id: "call-1".to_owned(),
            name: "bash".to_owned(),
            arguments: r#"{"command":"ls -l"}"#.to_owned(),
        }],
        ..ChatMessage::text(ChatRole::Assistant, "let me look")
    };
    let step = Step {
        index,
        state: StepState { cwd: "/work".to_owned(), files: vec!["a.py".to_owned()] },
        actions: vec![TurnAction {
            request: StepAction {
                kind: ActionType::ToolCall,
                tool: "bash".to_owned(),
                arguments: r#"{"command":"ls -l"}"#.to_owned(),
            },
            call_id: "call-1".to_owned(),
            ran: true,
            observation: observation.to_owned(),
            error: Some("exit 1".to_owned()),
            end: Some(ExecEnd::Exited(1)),
            truncated: false,
            duration_ms: 12,
        }],
        reasoning: "let me look".to_owned(),
        potential: 0.1 + 0.2,
        milestones: Some(vec!["begun".to_owned()]),
        usage,
        cost: Money::from_nanos(cost),
        model_ms: None,
        failed_ms: None,
        stage: None,
    };
    Turn {
        step,
        reply: ChatReply::new(message.clone(), FinishReason::ToolCalls, usage),
        messages: vec![message, ChatMessage::tool_result("call-1", observation)],
        opening: None,
        changes: Vec::new(),
        calls: 1,
        model: None,
    }
}

pub(in crate::store) fn turn(
    campaign: &str,
    ordinal: u64,
    attempt: u32,
    index: u32,
    cost: u64,
) -> JournalEntry {
    JournalEntry::TurnTaken {
        episode: id(campaign, ordinal),
        attempt: AttemptNumber(attempt),
        turn: Box::new(turn_of(index, cost, "a.py\n")),
    }
}

pub(in crate::store) fn large_turn(
    campaign: &str,
    ordinal: u64,
    index: u32,
    bytes: usize,
) -> JournalEntry {
    // Noise, so that compression does not hide its size.
    let mut seed = 1u64.wrapping_add(u64::from(index));
    let noise: String = (0..bytes)
        .map(|_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            char::from(b' ' + ((seed >> 33) % 90) as u8)
        })
        .collect();
    JournalEntry::TurnTaken {
        episode: id(campaign, ordinal),
        attempt: AttemptNumber(1),
        turn: Box::new(turn_of(index, 0, &noise)),
    }
}

pub(in crate::store) fn fault(kind: FaultKind) -> Fault {
    Fault::new(kind, "it broke")
}

pub(in crate::store) fn faulted(
    campaign: &str,
    ordinal: u64,
    attempt: u32,
    kind: FaultKind,
) -> JournalEntry {
    JournalEntry::AttemptFaulted {
        episode: id(campaign, ordinal),
        attempt: AttemptNumber(attempt),
        fault: fault(kind),
        at_ms: 5_000,
    }
}

pub(in crate::store) fn outcome() -> Outcome {
    let check = CheckResult {
        name: "fixed".to_owned(),
        weight: 0.3,
        passed: true,
        output: "ok\n".to_owned(),
        end: None,
        second: None,
    };
    let checks = vec![check];
    let verdict = Verdict { score: 1.0 / 3.0, passed: false, flaky: false, checks, judge: None };
    Outcome::Judged { stop: StopReason::Submitted, verdict }
}

pub(in crate::store) fn fingerprint() -> SandboxFingerprint {
    SandboxFingerprint {
        backend: "namespace".to_owned(),
        enforced: BTreeMap::from([("memory".to_owned(), "cgroup v2".to_owned())]),
        ..SandboxFingerprint::default()
    }
}

pub(in crate::store) fn finished(campaign: &str, ordinal: u64, attempt: u32) -> JournalEntry {
    JournalEntry::Finished {
        episode: id(campaign, ordinal),
        attempt: AttemptNumber(attempt),
        outcome: Box::new(outcome()),
        fingerprint: Some(fingerprint()),
        at_ms: 9_000,
    }
}

pub(in crate::store) fn held(hold: &str, campaign: &str, ordinal: u64, nanos: u64) -> JournalEntry {
    JournalEntry::Held {
        id: hold.to_owned(),
        campaign: name(campaign),
        episode: id(campaign, ordinal),
        attempt: AttemptNumber(1),
        amount: Money::from_nanos(nanos),
        model: format!("m/{}", ordinal % 2),
        at_ms: i64::try_from(ordinal).unwrap() * 43_200_000,
    }
}

pub(in crate::store) fn settled(hold: &str, nanos: u64) -> JournalEntry {
    JournalEntry::Settled { id: hold.to_owned(), amount: Money::from_nanos(nanos) }
}

pub(in crate::store) fn row(campaign: &str, ordinal: u64, rejected: Option<&str>) -> RowRecord {
    RowRecord {
        episode: id(campaign, ordinal),
        campaign: name(campaign),
        ordinal,
        rejected: rejected
            .map(|stage| RowRejection { stage: stage.to_owned(), detail: "why".to_owned() }),
        split: DatasetSplit::Validation,
        findings: Vec::new(),
        content_digest: "abc".to_owned(),
        row: trajectory(campaign, ordinal).into(),
    }
}

fn trajectory(campaign: &str, ordinal: u64) -> TrajectoryRow {
    TrajectoryRow {
        // As in the store of an older engine that tests open: a store keeps what was judged.
        schema_version: "synthd.trajectory/1".to_owned(),
        trajectory_id: id(campaign, ordinal).0,
        campaign: campaign.to_owned(),
        task_id: "debugging/loop@1".to_owned(),
        template: "debugging/loop".to_owned(),
        task_seed: -5,
        task_instruction: "mend it".to_owned(),
        task_wording: None,
        category: "debugging".to_owned(),
        kind: None,
        skills: None,
        pack: None,
        difficulty: "medium".to_owned(),
        llm_model: "scripted/oracle".to_owned(),
        llm_provider: "scripted".to_owned(),
        model_version: None,
        scaffold: "minimal".to_owned(),
        template_digest: None,
        sampling: None,
        prompt_digest: None,
        sample: 0,
        tools: None,
        sandbox: fingerprint(),
        trajectory: vec![row_step()],
        messages: None,
        conversations: None,
        final_result: "unresolved".to_owned(),
        total_reward: 0.1 + 0.7,
        verification: RowVerification {
            score: 1.0 / 3.0,
            passed: false,
            checks: Vec::new(),
            judge: None,
        },
        reverified: None,
        milestones: None,
        pass_rate: None,
        labels: vec!["loop".to_owned()],
        execution_time_seconds: 0.123_456_789,
        total_tokens: Some(107),
        cost_usd: Money::from_nanos(17),
        attempt: 1,
        calls: None,
        canary: "canary".to_owned(),
        created_at: "2026-01-01T00:00:00.000Z".to_owned(),
    }
}

fn row_step() -> RowStep {
    RowStep {
        step: 0,
        state: RowState { cwd: "/work".to_owned(), files: Vec::new() },
        action: RowAction {
            kind: "tool_call".to_owned(),
            tool: "bash".to_owned(),
            arguments: "{}".to_owned(),
        },
        observation: "x".repeat(3_000),
        reward: 0.1,
        reasoning: String::new(),
        return_to_go: 0.3,
        done: true,
        error: None,
        exit_code: Some(0),
        truncated: false,
        input_tokens: Some(1),
        output_tokens: Some(2),
        cost_usd: Money::ZERO,
        duration_ms: 3,
        model_ms: None,
        finish_reason: None,
        calls: None,
        actions: None,
        milestones_changed: None,
        stage: None,
        model_version: None,
        fallback_model: None,
        cached_tokens: None,
        reasoning_tokens: None,
        prompt_kept: None,
        prompt_token_ids: None,
        token_ids: None,
        logprobs: None,
    }
}

/// What a later day says of an episode that [`finished`] has judged.
pub(in crate::store) fn later(
    campaign: &str,
    ordinal: u64,
    passed: bool,
    at_ms: i64,
) -> Reverification {
    let check = CheckResult {
        name: "fixed".to_owned(),
        weight: 0.3,
        passed,
        output: "now\n".to_owned(),
        end: Some(ExecEnd::Exited(i32::from(!passed))),
        second: None,
    };
    Reverification {
        episode: id(campaign, ordinal),
        attempt: AttemptNumber(1),
        judge: "digest of the judge".to_owned(),
        reason: ReverificationReason {
            engine: "0.1.0".to_owned(),
            ..ReverificationReason::default()
        },
        verdict: Verdict::agree(vec![check.clone()], &[check]),
        at: "2026-01-02T00:00:00.000Z".to_owned(),
        at_ms,
    }
}

pub(in crate::store) fn reverified(again: &Reverification) -> JournalEntry {
    JournalEntry::Reverified(Box::new(again.clone()))
}

pub(in crate::store) fn dataset(campaign: &str, version: u32) -> DatasetRecord {
    DatasetRecord {
        campaign: name(campaign),
        version,
        path: format!("datasets/{campaign}/v{version}"),
        rows: BTreeMap::from([(DatasetSplit::Train, 8), (DatasetSplit::Test, 1)]),
        rejected: BTreeMap::from([("loops".to_owned(), 2)]),
        digest: format!("digest {version}"),
        created_at_ms: 77,
    }
}

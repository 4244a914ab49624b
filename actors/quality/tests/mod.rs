//! The stages, each with each action, and what a row is made of.

mod conversation;
mod packs;
mod queue;
mod review;
mod stages;

use super::pipeline::StageFindings;
use super::row::{FinishedEpisode, build_row};
use super::stages::judge;
use crate::model::{
    ActionType, AttemptNumber, CampaignName, ChatMessage, ChatReply, ChatRole, CheckResult,
    EpisodeId, ExecEnd, FinishReason, JudgeEnvironment, JudgePlace, Money, PlannedEpisode,
    QualityPolicy, SandboxFingerprint, Step, StepAction, StepState, StopReason, Task,
    TrajectoryRow, Turn, TurnAction, Usage, Verdict,
};
use crate::quality::SHARED_JUDGE;
use crate::testkit::catalog;
use std::sync::Arc;

fn task() -> Task {
    catalog().get("unit/letter").unwrap().task(7, 0).unwrap()
}

fn turn(index: u32, command: &str, observation: &str) -> Turn {
    let arguments = serde_json::json!({ "command": command }).to_string();
    let action = StepAction { kind: ActionType::ToolCall, tool: "bash".to_owned(), arguments };
    let step = Step {
        index,
        state: StepState::default(),
        actions: vec![TurnAction {
            call_id: "call_0".to_owned(),
            ran: true,
            observation: observation.to_owned(),
            end: Some(ExecEnd::Exited(0)),
            duration_ms: 1,
            ..TurnAction::unrun(action)
        }],
        reasoning: String::new(),
        potential: 0.0,
        milestones: None,
        usage: Usage::of(5, 2),
        cost: Money::from_nanos(3),
        model_ms: Some(1),
        failed_ms: None,
        stage: None,
    };
    let message = ChatMessage::text(ChatRole::Assistant, "");
    let reply = ChatReply::new(message, FinishReason::ToolCalls, Usage::default());
    Turn {
        step,
        reply,
        messages: Vec::new(),
        changes: Vec::new(),
        calls: 1,
        model: None,
        opening: None,
    }
}

fn verdict(passed: bool) -> Verdict {
    let check = check(passed);
    Verdict::agree(vec![check.clone()], &[check])
}

fn check(passed: bool) -> CheckResult {
    CheckResult {
        name: "only".to_owned(),
        weight: 1.0,
        passed,
        output: format!("said {passed}"),
        end: Some(ExecEnd::Exited(i32::from(!passed))),
        second: None,
    }
}

/// A good trajectory: two commands and a submission.
fn good() -> FinishedEpisode {
    let task = task();
    let mut turns = vec![turn(0, "get start", "word"), turn(1, "put a b", "")];
    turns.push(turn(2, "echo done", "done"));
    turns[2].step.actions[0].request.kind = ActionType::Submit;
    FinishedEpisode {
        plan: PlannedEpisode {
            id: EpisodeId("e".to_owned()),
            campaign: CampaignName("c".to_owned()),
            ordinal: 0,
            task: task.id.clone(),
            template: task.template.clone(),
            index: 0,
            category: task.category.clone(),
            difficulty: "easy".to_owned(),
            model: "fake/org/one".to_owned(),
            scaffold: "minimal".to_owned(),
            reason: None,
        },
        attempt: AttemptNumber(2),
        task: Arc::new(task),
        turns: Arc::new(turns),
        stop: StopReason::Submitted,
        verdict: verdict(true),
        fingerprint: SandboxFingerprint::default(),
        finished_at_ms: 3_500,
        policy: QualityPolicy::default(),
        splits: [80, 10, 10],
    }
}

/// The row of a good trajectory.
pub(crate) fn trajectory() -> TrajectoryRow {
    build_row(&good(), "now".to_owned())
}

fn found(judged: &FinishedEpisode) -> StageFindings {
    judge(judged, &build_row(judged, "now".to_owned()))
}

/// Tokens that nobody counted are null, and so is every sum that lacks them.
#[test]
fn tokens_that_nobody_counted_are_null() {
    let mut judged = good();
    let mut turns = judged.turns.to_vec();
    turns[1].reply.uncounted = true;
    turns[1].step.usage = Usage::default();
    judged.turns = Arc::new(turns);
    let row = build_row(&judged, "now".to_owned());
    let input: Vec<Option<i64>> = row.trajectory.iter().map(|step| step.input_tokens).collect();
    let output: Vec<Option<i64>> = row.trajectory.iter().map(|step| step.output_tokens).collect();
    assert_eq!((input, output), (vec![Some(5), None, Some(5)], vec![Some(2), None, Some(2)]));
    assert_eq!(row.total_tokens, None);
    let json = serde_json::to_value(&row).unwrap();
    assert!(json["total_tokens"].is_null() && json["trajectory"][1]["input_tokens"].is_null());
    let again: TrajectoryRow = serde_json::from_value(json).unwrap();
    assert_eq!(again, row);
}

#[test]
fn a_good_trajectory_is_accepted() {
    let judged = good();
    assert_eq!(found(&judged).rejected, None);
    assert_eq!(found(&judged).labels, ["resolved", "stop:submitted", SHARED_JUDGE]);
    let row = build_row(&judged, "now".to_owned());
    assert_eq!((row.llm_provider.as_str(), row.llm_model.as_str()), ("fake", "org/one"));
    assert_eq!((row.total_tokens, row.cost_usd.nanos(), row.attempt), (Some(21), 9, 2));
    assert_eq!((row.execution_time_seconds, row.total_reward), (0.006, 1.0));
    assert_eq!((row.trajectory[0].duration_ms, row.trajectory[0].model_ms), (1, Some(1)));
    let done: Vec<bool> = row.trajectory.iter().map(|step| step.done).collect();
    assert_eq!(done, [false, false, true]);
}

#[test]
fn dense_rewards_follow_the_milestones() {
    let mut judged = good();
    let mut turns = (*judged.turns).clone();
    turns[1].step.potential = 0.25;
    turns[2].step.potential = 0.25;
    judged.turns = Arc::new(turns);
    let row = build_row(&judged, String::new());
    let rewards: Vec<f64> = row.trajectory.iter().map(|step| step.reward).collect();
    assert_eq!(rewards, [0.0, 0.25, 0.75]);
    let returns: Vec<f64> = row.trajectory.iter().map(|step| step.return_to_go).collect();
    assert_eq!(returns, [1.0, 1.0, 0.75]);
}

#[test]
fn a_flaky_success_is_worth_nothing() {
    let mut judged = good();
    judged.verdict = Verdict::agree(vec![check(true)], &[check(false)]);
    let row = build_row(&judged, String::new());
    assert_eq!((row.final_result.as_str(), row.total_reward), ("flaky", 0.0));
    assert!(!row.verification.passed && row.verification.score == 0.0);
}

#[test]
fn a_row_says_why_its_verdict_is_what_it_is() {
    let mut judged = good();
    let sandbox = Some(SandboxFingerprint { backend: "fake".to_owned(), ..Default::default() });
    let judge = JudgeEnvironment { place: JudgePlace::Apart, sandbox, library: Some(1) };
    judged.verdict = Verdict::agree(vec![check(false)], &[check(true)]).judged_in(judge);
    let verification = build_row(&judged, String::new()).verification;
    let judge = verification.judge.unwrap();
    assert_eq!((judge.place.as_str(), judge.library), ("apart", Some(1)));
    assert_eq!(judge.sandbox.unwrap().backend, "fake");
    let check = &verification.checks[0];
    assert_eq!(check.ended.as_deref(), Some("exit code 1"));
    assert_eq!(check.output.as_deref(), Some("said false"));
    let second = check.second.as_ref().unwrap();
    assert_eq!((second.passed, second.output.as_str()), (true, "said true"));
}

#[test]
fn a_judge_apart_has_no_label() {
    let mut judged = good();
    let mut task = (*judged.task).clone();
    task.verification.judge = JudgePlace::Apart;
    judged.task = Arc::new(task);
    assert_eq!(found(&judged).labels, ["resolved", "stop:submitted"]);
}

#[test]
fn arguments_are_always_an_object() {
    let mut judged = good();
    let mut turns = (*judged.turns).clone();
    turns[0].step.actions[0].request.kind = ActionType::Malformed;
    turns[0].step.actions[0].request.arguments = "{\"command\": ".to_owned();
    judged.turns = Arc::new(turns);
    let row = build_row(&judged, String::new());
    let kept: serde_json::Value =
        serde_json::from_str(&row.trajectory[0].action.arguments).unwrap();
    assert_eq!(kept["unparsed"], "{\"command\": ");
}

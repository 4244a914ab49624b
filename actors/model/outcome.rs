//! How an episode ends: the reason why the agent stopped, the verdict of the verification, and the
//! rewards of the steps that follow from it. The episode actor makes an [`Outcome`]; quality turns
//! it into a dataset row.

use super::{ExecEnd, Fault, FinishReason, JudgePlace, SandboxFingerprint, Step};
use serde::{Deserialize, Serialize};

/// Why the agent stopped. Every reason is the agent's own behaviour, so its work is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The agent submitted its work.
    Submitted,
    /// `[episode] max_turns` was reached, or the turns of the last stage of the task.
    StepLimit,
    /// `[episode] timeout` was reached.
    TimeLimit,
    /// The model declined to continue.
    Refused,
    /// The scaffold could not read too many replies in a row.
    Malformed,
    /// Like `Malformed`, but the output limit cut the last reply, which is the likely reason.
    Truncated,
    /// The conversation became longer than the model can read.
    ContextFull,
    /// The budget of the episode was spent.
    CostLimit,
    /// The agent program failed after its model had answered at least once. Also: it hung up on so
    /// many calls of one turn that the engine ended it.
    AgentFailed,
}

impl StopReason {
    /// Every reason, for tables and tests.
    pub const ALL: [Self; 9] = [
        Self::Submitted,
        Self::StepLimit,
        Self::TimeLimit,
        Self::Refused,
        Self::Malformed,
        Self::Truncated,
        Self::ContextFull,
        Self::CostLimit,
        Self::AgentFailed,
    ];

    /// The word in rows and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::StepLimit => "step_limit",
            Self::TimeLimit => "time_limit",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::ContextFull => "context_full",
            Self::CostLimit => "cost_limit",
            Self::AgentFailed => "agent_failed",
        }
    }
}

/// The result of one check of the verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The name of the check in the template. In the verdict over a task with stages, it stands behind
    /// the name of its stage.
    pub name: String,
    /// The share of this check in the score, relative to the other checks.
    pub weight: f64,
    /// Whether the command of the check exited with code 0, or the comparison held.
    pub passed: bool,
    /// The end of what the check printed: what it expected and what it found. `episode show` displays
    /// it.
    pub output: String,
    /// How the command ended. None for a comparison, and in records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ExecEnd>,
    /// The second run, if it was not the same as the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<CheckRerun>,
}

impl CheckResult {
    /// Keeps the second run if it differs from this one.
    fn keep_second(&mut self, again: &Self) {
        let is_same =
            self.passed == again.passed && self.end == again.end && self.output == again.output;
        self.second = (!is_same).then(|| CheckRerun {
            passed: again.passed,
            output: again.output.clone(),
            end: again.end.clone(),
        });
    }
}

/// The second run of a check. The fields are those of [`CheckResult`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRerun {
    pub passed: bool,
    pub output: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ExecEnd>,
}

/// Where the checks of a verdict ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeEnvironment {
    /// Whether the programs of the workspace ran in another sandbox than the checks.
    pub place: JudgePlace,
    /// The sandbox of the checks in the first run. None if the engine made all checks by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxFingerprint>,
    /// The version of the library with which checks reach the judged sandbox. None in a shared
    /// sandbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<u32>,
}

/// The result of the two verification runs. Both runs execute the same checks in fresh sandboxes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The weight of the passed checks divided by the weight of all checks, from 0 to 1. The lower
    /// score of the two runs counts.
    pub score: f64,
    /// Every check passed in both runs.
    pub passed: bool,
    /// The two runs disagree about a check. Then the episode does not count as solved.
    pub flaky: bool,
    /// The results of the first run, each with the second one if that differs.
    pub checks: Vec<CheckResult>,
    /// Where the checks ran. None if the workspace could not be judged, and in records of older
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<Box<JudgeEnvironment>>,
}

impl Verdict {
    /// The verdict from the results of two runs. A task without checks is never passed.
    pub fn agree(mut first: Vec<CheckResult>, second: &[CheckResult]) -> Self {
        let same = first.len() == second.len()
            && first.iter().zip(second).all(|(a, b)| a.name == b.name && a.passed == b.passed);
        let score = share_passed(&first).min(share_passed(second));
        let all = first.iter().all(|c| c.passed) && !first.is_empty();
        for (check, again) in first.iter_mut().zip(second) {
            check.keep_second(again);
        }
        Self { score, passed: same && all, flaky: !same, checks: first, judge: None }
    }

    /// One word: `flaky`, `resolved` or `unresolved`.
    pub fn label(&self) -> &'static str {
        match self {
            Self { flaky: true, .. } => "flaky",
            Self { passed: true, .. } => "resolved",
            _ => "unresolved",
        }
    }

    /// The same verdict with the place where it was reached.
    #[must_use]
    pub fn judged_in(self, judge: JudgeEnvironment) -> Self {
        Self { judge: Some(Box::new(judge)), ..self }
    }
}

/// The weight of the passed checks divided by the weight of all checks. It is exactly 1 if all
/// passed, whatever the weights, and 0 if there are no checks.
fn share_passed(checks: &[CheckResult]) -> f64 {
    // `sum` of an empty list of floats is -0.0; `fold` from 0.0 is not.
    let total = checks.iter().fold(0.0, |sum, c| sum + c.weight);
    let passed = checks.iter().filter(|c| c.passed).fold(0.0, |sum, c| sum + c.weight);
    if checks.iter().all(|c| c.passed) && !checks.is_empty() {
        1.0
    } else if total > 0.0 {
        passed / total
    } else {
        0.0
    }
}

/// The end of an episode. A faulted episode has no score: its score is null and never 0, because a
/// fault says nothing about the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Outcome {
    /// The agent stopped, and its work was verified.
    Judged { stop: StopReason, verdict: Verdict },
    /// The model has answered a prompt. Nothing was verified, so this says nothing about whether the
    /// answer is right.
    Answered { finish: FinishReason },
    /// A fault ended the episode. It makes no row.
    Faulted { fault: Fault },
}

impl Outcome {
    /// Whether a row is made of it: always, unless it is a fault.
    pub fn makes_row(&self) -> bool {
        !matches!(self, Self::Faulted { .. })
    }

    /// One word for reports: `resolved`, `unresolved`, `flaky`, `answered` or `faulted`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Judged { verdict, .. } => verdict.label(),
            Self::Answered { .. } => "answered",
            Self::Faulted { .. } => "faulted",
        }
    }
}

/// The reward of each step: the change of the milestone potential during the step. At the last step
/// the potential falls back to zero and the final score is added. So the rewards add up to `score`
/// (templates keep the potential of the start at zero). A step that ends a stage of the task gets what
/// the verification of the stage adds. The shaping is a difference of potentials,
/// so it does not change which behaviour is best.
pub fn rewards(steps: &[Step], score: f64) -> Vec<f64> {
    let mut before = 0.0;
    let mut rewards: Vec<f64> = steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let after = potential_after(step, steps.get(at + 1));
            let change = after - before;
            before = after;
            change
        })
        .collect();
    if let Some(last) = rewards.last_mut() {
        *last += score - before;
    }
    rewards.iter().map(|r| round_reward(*r)).collect()
}

/// The potential after a step. If the step ended a stage of the task, it is what the stages so far
/// have earned; the next step tells it.
fn potential_after(step: &Step, next: Option<&Step>) -> f64 {
    let begun = next.filter(|next| next.stage_index() != step.stage_index());
    let earned = begun.and_then(|next| next.stage.as_ref()).map(|stage| stage.earned);
    earned.unwrap_or(step.potential)
}

/// For each step, the sum of its reward and of all later rewards.
pub fn returns_to_go(rewards: &[f64]) -> Vec<f64> {
    let mut total = 0.0;
    let mut returns: Vec<f64> = rewards
        .iter()
        .rev()
        .map(|r| {
            total += r;
            round_reward(total)
        })
        .collect();
    returns.reverse();
    returns
}

// Differences of decimal weights have errors in the last bits. Nine digits are precise enough.
// Negative zero becomes zero.
fn round_reward(value: f64) -> f64 {
    let rounded = (value * 1e9).round() / 1e9;
    if rounded == 0.0 { 0.0 } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ActionType, Money, StepAction, StepStage, StepState, TurnAction, Usage};
    use proptest::prelude::*;

    fn step(potential: f64) -> Step {
        Step {
            index: 0,
            state: StepState::default(),
            actions: vec![TurnAction::unrun(StepAction::bare(ActionType::ToolCall))],
            reasoning: String::new(),
            potential,
            milestones: None,
            usage: Usage::default(),
            cost: Money::ZERO,
            model_ms: Some(0),
            failed_ms: None,
            stage: None,
        }
    }

    proptest! {
        /// Whatever the potentials in between, shaping adds nothing to the whole.
        #[test]
        fn rewards_sum_to_the_score(
            potentials in proptest::collection::vec(0.0..1.0_f64, 1..120),
            score in 0.0..=1.0_f64,
        ) {
            let steps: Vec<Step> = potentials.into_iter().map(step).collect();
            let rewards = rewards(&steps, score);
            prop_assert_eq!(rewards.len(), steps.len());
            prop_assert!((rewards.iter().sum::<f64>() - score).abs() < 1e-6);
            let returns = returns_to_go(&rewards);
            prop_assert!((returns[0] - score).abs() < 1e-6);
            prop_assert_eq!(returns.last(), rewards.last());
            for (at, pair) in returns.windows(2).enumerate() {
                prop_assert!((pair[0] - pair[1] - rewards[at]).abs() < 1e-8);
            }
        }

        #[test]
        fn only_agreement_is_believed(
            first in proptest::collection::vec((1u8..5, any::<bool>()), 0..6),
            second in proptest::collection::vec(any::<bool>(), 0..6),
        ) {
            let check = |(at, weight, passed): (usize, u8, bool)| CheckResult {
                name: format!("check {at}"),
                weight: f64::from(weight),
                passed,
                output: String::new(),
                end: None,
                second: None,
            };
            let one: Vec<CheckResult> =
                first.iter().enumerate().map(|(at, (w, p))| check((at, *w, *p))).collect();
            let two: Vec<CheckResult> = second
                .iter()
                .enumerate()
                .map(|(at, p)| check((at, first.get(at).map_or(1, |(w, _)| *w), *p)))
                .collect();
            let verdict = Verdict::agree(one.clone(), &two);
            let same = one == two;
            prop_assert_eq!(verdict.flaky, !same);
            let all = !one.is_empty() && one.iter().all(|c| c.passed);
            prop_assert_eq!(verdict.passed, same && all);
            prop_assert_eq!(verdict.passed, verdict.score == 1.0 && !verdict.flaky);
            prop_assert!((0.0..=1.0).contains(&verdict.score));
        }
    }

    fn check(passed: bool, output: &str) -> CheckResult {
        CheckResult {
            name: "only".to_owned(),
            weight: 1.0,
            passed,
            output: output.to_owned(),
            end: Some(ExecEnd::Exited(i32::from(!passed))),
            second: None,
        }
    }

    #[test]
    fn the_second_run_is_kept_where_it_differs() {
        let same = Verdict::agree(vec![check(false, "found 3")], &[check(false, "found 3")]);
        assert_eq!(same.checks[0].second, None);
        let other = Verdict::agree(vec![check(false, "found 3")], &[check(false, "found 4")]);
        assert!(!other.flaky);
        assert_eq!(other.checks[0].second.as_ref().unwrap().output, "found 4");
        let flaky = Verdict::agree(vec![check(false, "")], &[check(true, "")]);
        let second = flaky.checks[0].second.as_ref().unwrap();
        assert_eq!(
            (flaky.flaky, second.passed, &second.end),
            (true, true, &Some(ExecEnd::Exited(0)))
        );
    }

    /// A record of an older version says less, and is read; what is not known is not written.
    #[test]
    fn an_older_verdict_is_read_and_written_as_it_was() {
        let text = r#"{"score":0.0,"passed":false,"flaky":false,"checks":[{"name":"a","weight":1.0,"passed":false,"output":"o"}]}"#;
        let verdict: Verdict = serde_json::from_str(text).unwrap();
        assert_eq!((&verdict.judge, &verdict.checks[0].end), (&None, &None));
        assert_eq!(serde_json::to_string(&verdict).unwrap(), text);
        let judge = JudgeEnvironment { place: JudgePlace::Apart, sandbox: None, library: Some(1) };
        let newer = Verdict::agree(vec![check(true, "")], &[check(false, "x")]).judged_in(judge);
        let text = serde_json::to_string(&newer).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), newer);
    }

    #[test]
    fn the_step_that_ends_a_stage_gets_what_its_verification_adds() {
        let in_stage = |potential: f64, index: u32, earned: f64| {
            let name = format!("s{index}");
            let stage = StepStage { index, name, earned, before: None };
            Step { stage: Some(Box::new(stage)), ..step(potential) }
        };
        // A milestone of the first stage, its end (half of the score), nothing, the end of all.
        let steps = [(0.25, 0, 0.0), (0.25, 0, 0.0), (0.5, 1, 0.5), (0.5, 1, 0.5)];
        let steps = steps.map(|(potential, index, earned)| in_stage(potential, index, earned));
        assert_eq!(rewards(&steps, 1.0), [0.25, 0.25, 0.0, 0.5]);
        // The first stage failed: its milestone is taken back when it ends.
        let steps = [(0.25, 0, 0.0), (0.25, 0, 0.0), (0.0, 1, 0.0), (0.0, 1, 0.0)];
        let steps = steps.map(|(potential, index, earned)| in_stage(potential, index, earned));
        assert_eq!(rewards(&steps, 0.5), [0.25, -0.25, 0.0, 0.5]);
    }

    #[test]
    fn an_empty_trajectory_has_no_rewards() {
        assert!(rewards(&[], 1.0).is_empty() && returns_to_go(&[]).is_empty());
    }
}

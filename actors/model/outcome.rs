//! How an episode ends: the reason why the agent stopped, the verdict of the verification, and the
//! rewards of the steps that follow from it. The episode actor makes an [`Outcome`]; quality turns
//! it into a dataset row.

use super::{Fault, FinishReason, Step};
use serde::{Deserialize, Serialize};

/// Why the agent stopped. Every reason is the agent's own behaviour, so its work is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The agent submitted its work.
    Submitted,
    /// `[episode] max_turns` was reached.
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
    /// The name of the check in the template.
    pub name: String,
    /// The share of this check in the score, relative to the other checks.
    pub weight: f64,
    /// Whether the command of the check exited with code 0.
    pub passed: bool,
    /// The end of what the check printed. `episode show` displays it.
    pub output: String,
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
    /// The results of the first run.
    pub checks: Vec<CheckResult>,
}

impl Verdict {
    /// The verdict from the results of two runs. A task without checks is never passed.
    pub fn agree(first: Vec<CheckResult>, second: &[CheckResult]) -> Self {
        let same = first.len() == second.len()
            && first.iter().zip(second).all(|(a, b)| a.name == b.name && a.passed == b.passed);
        let score = share_passed(&first).min(share_passed(second));
        let all = first.iter().all(|c| c.passed) && !first.is_empty();
        Self { score, passed: same && all, flaky: !same, checks: first }
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
            Self::Judged { verdict, .. } if verdict.flaky => "flaky",
            Self::Judged { verdict, .. } if verdict.passed => "resolved",
            Self::Judged { .. } => "unresolved",
            Self::Answered { .. } => "answered",
            Self::Faulted { .. } => "faulted",
        }
    }
}

/// The reward of each step: the change of the milestone potential during the step. At the last step
/// the potential falls back to zero and the final score is added. So the rewards add up to `score`
/// (templates keep the potential of the start at zero). The shaping is a difference of potentials,
/// so it does not change which behaviour is best.
pub fn rewards(steps: &[Step], score: f64) -> Vec<f64> {
    let mut before = 0.0;
    let mut rewards: Vec<f64> = steps
        .iter()
        .map(|step| {
            let change = step.potential - before;
            before = step.potential;
            change
        })
        .collect();
    if let Some(last) = rewards.last_mut() {
        *last += score - before;
    }
    rewards.iter().map(|r| round_reward(*r)).collect()
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
    use crate::model::{ActionType, Money, StepAction, StepState, TurnAction, Usage};
    use proptest::prelude::*;

    fn step(potential: f64) -> Step {
        Step {
            index: 0,
            state: StepState::default(),
            actions: vec![TurnAction::unrun(StepAction::bare(ActionType::ToolCall))],
            reasoning: String::new(),
            potential,
            usage: Usage::default(),
            cost: Money::ZERO,
            model_ms: Some(0),
            failed_ms: None,
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

    #[test]
    fn an_empty_trajectory_has_no_rewards() {
        assert!(rewards(&[], 1.0).is_empty() && returns_to_go(&[]).is_empty());
    }
}

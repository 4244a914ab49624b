//! How episodes end: outcomes, verdicts, and the rewards that follow from them.

use super::{Fault, Step};
use serde::{Deserialize, Serialize};

/// Why the agent stopped acting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    Submitted,
    StepLimit,
    TimeLimit,
    Refused,
    /// Too many replies in a row that the scaffold could not read.
    Malformed,
    /// The last reply was cut by the output cap.
    Truncated,
}

impl StopReason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::StepLimit => "step_limit",
            Self::TimeLimit => "time_limit",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    pub name: String,
    pub weight: f64,
    pub passed: bool,
    /// The end of what the check printed, for `episode show`.
    pub output: String,
}

/// What two independent verifications said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub score: f64,
    /// Score exactly 1 in both runs.
    pub passed: bool,
    /// The two runs disagreed: no success is believed.
    pub flaky: bool,
    pub checks: Vec<CheckResult>,
}

impl Verdict {
    /// The verdict of two runs of the same checks.
    pub fn agree(first: Vec<CheckResult>, second: &[CheckResult]) -> Self {
        let same = first.len() == second.len()
            && first.iter().zip(second).all(|(a, b)| a.name == b.name && a.passed == b.passed);
        let score = share_passed(&first).min(share_passed(second));
        let all = first.iter().all(|c| c.passed) && !first.is_empty();
        Self { score, passed: same && all, flaky: !same, checks: first }
    }
}

fn share_passed(checks: &[CheckResult]) -> f64 {
    let total: f64 = checks.iter().map(|c| c.weight).sum();
    let passed: f64 = checks.iter().filter(|c| c.passed).map(|c| c.weight).sum();
    if checks.iter().all(|c| c.passed) && !checks.is_empty() {
        1.0
    } else if total > 0.0 {
        passed / total
    } else {
        0.0
    }
}

/// The end of an episode. A fault carries no score: null, never 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum Outcome {
    Judged { stop: StopReason, verdict: Verdict },
    Faulted { fault: Fault },
}

impl Outcome {
    pub fn label(&self) -> &'static str {
        match self {
            Self::Judged { verdict, .. } if verdict.flaky => "flaky",
            Self::Judged { verdict, .. } if verdict.passed => "resolved",
            Self::Judged { .. } => "unresolved",
            Self::Faulted { .. } => "faulted",
        }
    }
}

/// The reward of each step: the change of the milestone potential, which falls back to zero
/// at the end, where the final score is added. So rewards sum to the score (less the
/// potential of the start, which templates keep at zero) and the shaping, being a
/// potential's difference, does not change which behaviour is best.
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

/// Sums of each step's reward and all that follow it.
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

// Differences of decimal weights leave dust in the last bits; nine digits are plenty.
fn round_reward(value: f64) -> f64 {
    let rounded = (value * 1e9).round() / 1e9;
    if rounded == 0.0 { 0.0 } else { rounded }
}

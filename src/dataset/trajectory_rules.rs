//! The rules of a trajectory: a known result that agrees with the verification; steps without gaps,
//! of which only the last is done; texts that are JSON; rewards, calls, cost and tokens that sum up as stated.

use super::shared_rules::{broken_messages, is_finish_reason, is_list, is_object};
use std::cmp::Ordering;
use synthd_actors::model::{RowStep, TrajectoryRow, broken_sums, returns_to_go};

/// How much two sums of rewards may differ, relative to the larger one, or absolutely if both are
/// below 1. Rewards have nine decimals, and floating-point sums are not exact in the last ones.
const TOLERANCE: f64 = 1e-6;

/// The rules that a trajectory breaks, as sentences.
pub(super) fn broken_trajectory(row: &TrajectoryRow) -> Vec<String> {
    let mut broken = Vec::new();
    if !is_label(&row.final_result) {
        broken.push(format!("final_result is {:?}", row.final_result));
    }
    if let Some(again) = row.reverified.as_ref().filter(|again| !is_label(&again.outcome)) {
        broken.push(format!("the outcome of reverified is {:?}", again.outcome));
    }
    // A row is resolved if and only if the verification passed. A flaky row never passed.
    if (row.final_result == "resolved") != row.verification.passed {
        let passed = row.verification.passed;
        broken.push(format!("final_result is {:?}, but passed is {passed}", row.final_result));
    }
    broken.extend(broken_steps(&row.trajectory));
    broken.extend(broken_rewards(row));
    broken.extend(broken_requests(row));
    broken.extend(broken_sums(row));
    broken
}

/// Whether it is the label of a verdict.
fn is_label(label: &str) -> bool {
    matches!(label, "resolved" | "unresolved" | "flaky")
}

/// The rules that what was asked of the model, and how often, breaks. What is null breaks none.
fn broken_requests(row: &TrajectoryRow) -> Vec<String> {
    let mut broken = Vec::new();
    if row.sampling.as_deref().is_some_and(|text| !is_object(text)) {
        broken.push("sampling is not a JSON object".to_owned());
    }
    if row.tools.as_deref().is_some_and(|text| !is_list(text)) {
        broken.push("tools is not a JSON list".to_owned());
    }
    broken.extend(row.messages.as_deref().map(broken_messages).unwrap_or_default());
    let calls: Option<Vec<i64>> =
        row.trajectory.iter().map(|step| step.calls.map(i64::from)).collect();
    let sum = calls.map(|calls| calls.into_iter().fold(0, i64::saturating_add));
    if let (Some(total), Some(sum)) = (row.calls, sum)
        && total != sum
    {
        broken.push(format!("calls is {total}, but the steps have {sum}"));
    }
    broken
}

/// The rules that the steps of a row break.
fn broken_steps(steps: &[RowStep]) -> Vec<String> {
    let mut broken = Vec::new();
    // Steps are numbered from zero or from one, without gaps.
    let first = steps.first().map_or(0, |step| step.step);
    if !matches!(first, 0 | 1) {
        broken.push(format!("the first step is {first}"));
    }
    let indices = (first..).zip(steps);
    if let Some((wanted, step)) = indices.into_iter().find(|(wanted, s)| s.step != *wanted) {
        broken.push(format!("step {} stands where step {wanted} belongs", step.step));
    }
    for (position, step) in steps.iter().enumerate() {
        let last = position + 1 == steps.len();
        if step.done != last {
            broken.push(format!("step {} has done {}", step.step, step.done));
        }
        if !is_object(&step.action.arguments) {
            broken.push(format!("arguments of step {} are not a JSON object", step.step));
        }
        if let Some(reason) = step.finish_reason.as_deref().filter(|r| !is_finish_reason(r)) {
            broken.push(format!("finish_reason of step {} is {reason:?}", step.step));
        }
    }
    broken
}

/// How the returns and the total of a row disagree with its rewards. Only the first wrong return is
/// reported.
fn broken_rewards(row: &TrajectoryRow) -> Vec<String> {
    let rewards: Vec<f64> = row.trajectory.iter().map(|step| step.reward).collect();
    let returns = returns_to_go(&rewards);
    let mut broken = Vec::new();
    let wrong = row.trajectory.iter().zip(&returns).find(|(s, r)| differ(s.return_to_go, **r));
    if let Some((step, wanted)) = wrong {
        let (index, found) = (step.step, step.return_to_go);
        broken.push(format!("return_to_go of step {index} is {found}, not {wanted}"));
    }
    if let Some(sum) = returns.first().filter(|sum| differ(row.total_reward, **sum)) {
        broken.push(format!("total_reward is {}, but rewards sum to {sum}", row.total_reward));
    }
    broken
}

/// Whether two sums differ by more than the tolerance. NaN differs from everything.
fn differ(a: f64, b: f64) -> bool {
    let scale = a.abs().max(b.abs()).max(1.0);
    let near = (a - b).abs().partial_cmp(&(TOLERANCE * scale));
    !matches!(near, Some(Ordering::Less | Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::row;
    use synthd_actors::model::{Money, RowReverification};

    fn reverified(outcome: &str) -> RowReverification {
        RowReverification {
            outcome: outcome.to_owned(),
            score: 1.0,
            reason: String::new(),
            template_digest: String::new(),
            at: String::new(),
        }
    }

    fn set_role(row: &mut TrajectoryRow, role: &str) {
        row.messages.as_mut().unwrap()[0].role = role.to_owned();
    }

    #[test]
    fn each_rule_is_noticed() {
        type Break = fn(&mut TrajectoryRow);
        let cases: [(Break, &str); 16] = [
            (|r| r.final_result = "solved".into(), "final_result is \"solved\""),
            (|r| r.reverified = Some(reverified("solved")), "outcome of reverified is \"solved\""),
            (|r| r.verification.passed = !r.verification.passed, "but passed is"),
            (|r| r.trajectory[1].step = 7, "step 7 stands where"),
            (|r| r.trajectory[0].step = 5, "the first step is 5"),
            (|r| r.trajectory[0].done = true, "has done true"),
            (|r| r.trajectory[1].action.arguments = "[1]".into(), "are not a JSON object"),
            (|r| r.trajectory[0].return_to_go += 0.1, "return_to_go of step 0"),
            (|r| r.total_reward = f64::NAN, "total_reward is NaN"),
            (|r| r.tools = Some("{}".into()), "tools is not a JSON list"),
            (|r| r.sampling = Some("[]".into()), "sampling is not a JSON object"),
            (|r| r.cost_usd = Money::from_nanos(7), "cost_usd is 0.000000007, but the steps cost"),
            (|r| r.total_tokens = Some(7), "total_tokens is 7, but the steps have"),
            (|r| r.calls = Some(99), "calls is 99, but the steps have"),
            (|r| r.trajectory[0].finish_reason = Some("x".into()), "finish_reason of step 0 is"),
            (|r| set_role(r, "human"), "message 0 has the role \"human\""),
        ];
        for (spoil, message) in cases {
            let mut spoilt = row(3);
            spoil(&mut spoilt);
            let found = broken_trajectory(&spoilt);
            assert!(found.iter().any(|m| m.contains(message)), "{message}: {found:?}");
        }
    }
}

//! The sums of a trajectory: its cost and its tokens are those of its steps.

use super::{Money, RowStep, TrajectoryRow};

/// The sums of a row that are not those of its steps, as sentences. A count that is unknown in one
/// step makes no finding.
pub fn broken_sums(row: &TrajectoryRow) -> Vec<String> {
    let mut broken = Vec::new();
    let cost = row.trajectory.iter().map(|step| step.cost_usd).sum::<Money>();
    if cost != row.cost_usd {
        broken.push(format!("cost_usd is {}, but the steps cost {cost}", row.cost_usd));
    }
    let tokens = row.trajectory.iter().map(tokens_of).try_fold(0, add);
    if let (Some(total), Some(sum)) = (row.total_tokens, tokens)
        && total != sum
    {
        broken.push(format!("total_tokens is {total}, but the steps have {sum}"));
    }
    broken
}

/// The tokens of a step. None if its reply was not counted.
fn tokens_of(step: &RowStep) -> Option<i64> {
    Some(step.input_tokens?.saturating_add(step.output_tokens?))
}

/// The sum, if both are known.
fn add(sum: i64, tokens: Option<i64>) -> Option<i64> {
    Some(sum.saturating_add(tokens?))
}

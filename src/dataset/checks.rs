//! The rules that rows must keep: each row alone, and the rows among each other. `verify` passes
//! every row of a version to [`RowChecks::see`], and reads the problems, the figures and the digest
//! afterwards.
//!
//! The rules are: the format and the campaign of the manifest; a known result that agrees with the
//! verification; steps without gaps, of which only the last is done; arguments that are a JSON
//! object; rewards that sum up as stated. A trajectory occurs once, and a task is in one split
//! only.

use super::digest::RowsDigest;
use super::problem::DatasetProblems;
use super::tally::DatasetTally;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use synthd_actors::model::{DatasetSplit, RowStep, TrajectoryRow, returns_to_go};

/// How much two sums of rewards may differ, relative to the larger one, or absolutely if both are
/// below 1. Rewards have nine decimals, and floating-point sums are not exact in the last ones.
const TOLERANCE: f64 = 1e-6;

/// The place of a row in a version.
#[derive(Clone, Copy)]
pub(super) struct RowPlace<'a> {
    /// The file's name in the manifest.
    pub(super) file: &'a str,
    /// The split of the file in the manifest.
    pub(super) split: DatasetSplit,
    /// The number of the row in its file, from zero.
    pub(super) row: u64,
}

/// The state of a check. It sees each row of a version once.
#[derive(Default)]
pub(super) struct RowChecks {
    /// What is wrong so far.
    pub(super) problems: DatasetProblems,
    /// The figures of the rows, to be compared with the metadata.
    pub(super) tally: DatasetTally,
    /// The digest of the rows, to be compared with the manifest.
    pub(super) digest: RowsDigest,
    /// The file and the row where each trajectory id was first seen.
    ids: HashMap<String, (String, u64)>,
    /// The split in which each task was first seen.
    tasks: HashMap<String, DatasetSplit>,
    /// The row format that the manifest states.
    format: String,
}

impl RowChecks {
    /// A check of rows in this format.
    pub(super) fn of(format: &str) -> Self {
        Self { format: format.to_owned(), ..Self::default() }
    }

    /// Checks one row and adds it to the figures and to the digest. `campaign` is that of the
    /// manifest.
    pub(super) fn see(&mut self, campaign: &str, place: RowPlace<'_>, row: &TrajectoryRow) {
        for message in broken_rules(campaign, &self.format, row) {
            self.problems.row(place.file, place.row, message);
        }
        self.see_id(place, row);
        self.see_task(place, row);
        self.tally.add(place.split, row);
        if let Err(error) = self.digest.add(place.split, row) {
            self.problems.row(place.file, place.row, format!("cannot be hashed: {error}"));
        }
    }

    /// Reports a trajectory id that was seen before.
    fn see_id(&mut self, place: RowPlace<'_>, row: &TrajectoryRow) {
        match self.ids.entry(row.trajectory_id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert((place.file.to_owned(), place.row));
            }
            Entry::Occupied(entry) => {
                let (file, first) = entry.get();
                let message =
                    format!("trajectory_id {:?} is already {file}, row {first}", entry.key());
                self.problems.row(place.file, place.row, message);
            }
        }
    }

    /// Reports a task that was seen in another split. A model that trained on it would know the
    /// test.
    fn see_task(&mut self, place: RowPlace<'_>, row: &TrajectoryRow) {
        let split = *self.tasks.entry(row.task_id.clone()).or_insert(place.split);
        if split != place.split {
            let (here, there) = (place.split.as_str(), split.as_str());
            let message = format!("task {:?} is in {here} and in {there}", row.task_id);
            self.problems.row(place.file, place.row, message);
        }
    }
}

/// The rules that a row breaks by itself, as sentences.
fn broken_rules(campaign: &str, format: &str, row: &TrajectoryRow) -> Vec<String> {
    let mut broken = Vec::new();
    if row.schema_version != format {
        broken.push(format!("schema_version is {:?}, not {format:?}", row.schema_version));
    }
    if row.campaign != campaign {
        broken.push(format!("campaign is {:?}, not {campaign:?}", row.campaign));
    }
    if !matches!(row.final_result.as_str(), "resolved" | "unresolved" | "flaky") {
        broken.push(format!("final_result is {:?}", row.final_result));
    }
    // A row is resolved if and only if the verification passed. A flaky row never passed.
    if (row.final_result == "resolved") != row.verification.passed {
        let passed = row.verification.passed;
        broken.push(format!("final_result is {:?}, but passed is {passed}", row.final_result));
    }
    broken.extend(broken_steps(&row.trajectory));
    broken.extend(broken_rewards(row));
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
        if !matches!(serde_json::from_str(&step.action.arguments), Ok(Value::Object(_))) {
            broken.push(format!("arguments of step {} are not a JSON object", step.step));
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
    use crate::dataset::fixture::{CAMPAIGN, row};
    use synthd_actors::model::ROW_SCHEMA;

    #[test]
    fn a_sound_row_breaks_nothing() {
        for n in 0..20 {
            assert_eq!(broken_rules(CAMPAIGN, ROW_SCHEMA, &row(n)), Vec::<String>::new());
        }
    }

    #[test]
    fn each_rule_is_noticed() {
        type Break = fn(&mut TrajectoryRow);
        let cases: [(Break, &str); 10] = [
            (|r| r.schema_version = "x".into(), "schema_version is \"x\""),
            (|r| r.campaign = "x".into(), "campaign is \"x\""),
            (|r| r.final_result = "solved".into(), "final_result is \"solved\""),
            (|r| r.verification.passed = !r.verification.passed, "but passed is"),
            (|r| r.trajectory[1].step = 7, "step 7 stands where"),
            (|r| r.trajectory[0].step = 5, "the first step is 5"),
            (|r| r.trajectory[0].done = true, "has done true"),
            (|r| r.trajectory[1].action.arguments = "[1]".into(), "are not a JSON object"),
            (|r| r.trajectory[0].return_to_go += 0.1, "return_to_go of step 0"),
            (|r| r.total_reward = f64::NAN, "total_reward is NaN"),
        ];
        for (spoil, message) in cases {
            let mut spoilt = row(3);
            spoil(&mut spoilt);
            let found = broken_rules(CAMPAIGN, ROW_SCHEMA, &spoilt);
            assert!(found.iter().any(|m| m.contains(message)), "{message}: {found:?}");
        }
    }
}

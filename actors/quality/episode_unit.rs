//! A finished episode as a unit that makes a row: the row, the stages over it, and what makes two
//! episodes equal.

use super::row::{FinishedEpisode, build_row};
use super::stages;
use super::unit::FinishedUnit;
use crate::model::{PlannedEpisode, RowRecord, SandboxFingerprint, TrajectoryRow, Turn, digest_of};
use crate::policy::split_of;
use crate::supervisor::assert_may_block;

impl FinishedUnit for FinishedEpisode {
    fn plan(&self) -> &PlannedEpisode {
        &self.plan
    }

    fn turns(&self) -> &[Turn] {
        &self.turns
    }

    fn fingerprint(&self) -> Option<&SandboxFingerprint> {
        Some(&self.fingerprint)
    }

    fn finished_at_ms(&self) -> i64 {
        self.finished_at_ms
    }

    fn judged(&self, stamp: String) -> RowRecord {
        assert_may_block("make a row");
        let mut row = build_row(self, stamp);
        let findings = stages::judge(self, &row);
        row.labels = findings.labels;
        RowRecord {
            episode: self.plan.id.clone(),
            campaign: self.plan.campaign.clone(),
            ordinal: self.plan.ordinal,
            rejected: findings.rejected,
            findings: findings.found,
            // The split depends on the cluster of the task alone, so related tasks are never in two
            // splits.
            split: split_of(&self.task.cluster, self.splits),
            content_digest: content_digest(&row),
            row: row.into(),
        }
    }
}

/// Equal for trajectories that a trainer could not tell apart: costs, times and names do not count.
/// Several samples of a task are wanted even if they are equal, so the number of a sample above 0
/// is a part of its digest.
fn content_digest(row: &TrajectoryRow) -> String {
    // Sample 0 adds no number: it has the digest of a task that is tried once.
    let sample = row.sample.to_string();
    let mut parts = vec![row.task_id.as_str()];
    parts.extend((row.sample > 0).then_some(sample.as_str()));
    for step in &row.trajectory {
        let action = &step.action;
        parts.extend(
            [&action.tool, &action.arguments, &step.reasoning, &step.observation]
                .map(String::as_str),
        );
    }
    digest_of(&parts)
}

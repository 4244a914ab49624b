//! What only the whole set tells of a row: whether an earlier row is equal, and how often its task
//! was solved. A [`DatasetReview`] sees the rows in plan order while the dataset is written, so the
//! rows are read only once.

use super::pipeline::{SetStage, StageRule, run_set_stages};
use crate::model::{EpisodeId, EpisodeRecord, Outcome, PassRate, QualityPolicy, RowRecord};
use crate::policy::SampleTracker;
use crate::ports::SetReview;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The set stages of one dataset, and the pass rates of its rows.
pub struct DatasetReview {
    policy: QualityPolicy,
    stages: Vec<SetStage>,
    pass_rates: BTreeMap<EpisodeId, PassRate>,
}

impl DatasetReview {
    /// A review under the campaign's policy. `episodes` are all planned episodes of the campaign;
    /// they give the pass rates.
    pub fn new(policy: QualityPolicy, episodes: &[EpisodeRecord]) -> Self {
        Self { policy, stages: vec![duplicates()], pass_rates: pass_rates(episodes) }
    }
}

impl SetReview for DatasetReview {
    fn review(&mut self, record: &mut RowRecord) {
        if let Some(row) = record.row.as_trajectory_mut() {
            let rate = self.pass_rates.get(&record.episode);
            row.pass_rate = rate.copied().or(row.pass_rate);
        }
        if record.rejected.is_some() {
            return;
        }
        let found = run_set_stages(&mut self.stages, &self.policy, record);
        record.rejected = found.rejected;
        // Behind the others: the digest of a row depends on the order of its labels.
        record.row.labels_mut().extend(found.labels);
        record.findings.extend(found.found);
    }
}

/// Stage `duplicates`: all but the first of equal rows. Only the digests stay in memory.
fn duplicates() -> SetStage {
    let mut first: HashMap<String, Arc<str>> = HashMap::new();
    let rule = StageRule {
        label: "duplicate",
        ..StageRule::new("duplicates", 1, |policy| policy.duplicates)
    };
    let find = move |record: &RowRecord| {
        if let Some(earlier) = first.get(&record.content_digest) {
            return Some(format!("the same as {earlier}"));
        }
        first.insert(record.content_digest.clone(), Arc::from(record.episode.as_str()));
        None
    };
    SetStage { rule, find: Box::new(find) }
}

/// The pass rate of each episode's task, over all samples by the same model and scaffold. Samples
/// that ended in a fault do not count.
fn pass_rates(episodes: &[EpisodeRecord]) -> BTreeMap<EpisodeId, PassRate> {
    let trials = SampleTracker::of(episodes);
    // An answer that nobody verified says nothing about a pass rate.
    let verified = |record: &&EpisodeRecord| matches!(record.outcome, Some(Outcome::Judged { .. }));
    let rated = episodes.iter().filter(verified).map(|record| &record.plan);
    rated.filter_map(|plan| Some((plan.id.clone(), trials.pass_rate(plan)?))).collect()
}

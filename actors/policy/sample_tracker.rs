//! Counts the samples of each task in a campaign: how many are planned, and how they ended. The
//! planner asks it how many more samples are needed, and quality takes the pass rate of rows from
//! it. It is built from the recorded episodes after a restart.

use super::samples::{SampleCounts, more_samples, pass_rate};
use crate::model::{EpisodeRecord, Outcome, PassRate, PlannedEpisode, SamplePolicy, TaskId};
use std::collections::HashMap;
use std::ops::Range;

/// A task with the model and the scaffold that try it. All samples of a task by the same pair have
/// the same key.
pub type SampleKey = (TaskId, String, String);

/// The key of a planned episode.
pub fn trial_of(plan: &PlannedEpisode) -> SampleKey {
    (plan.task.clone(), plan.model.clone(), plan.scaffold.clone())
}

/// The counts of all keys.
#[derive(Clone, Debug, Default)]
pub struct SampleTracker(HashMap<SampleKey, SampleGroup>);

/// The samples of one key.
#[derive(Clone, Debug, Default)]
struct SampleGroup {
    tally: SampleCounts,
    /// The number of the next sample: one more than the highest planned number.
    next: u32,
}

impl SampleTracker {
    /// The counts of all recorded episodes.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a EpisodeRecord>) -> Self {
        let mut trials = Self::default();
        for record in records {
            trials.planned(&record.plan);
            if let Some(outcome) = &record.outcome {
                trials.ended(&record.plan, outcome);
            }
        }
        trials
    }

    /// Counts an episode that was added to the plan.
    pub fn planned(&mut self, plan: &PlannedEpisode) {
        let group = self.0.entry(trial_of(plan)).or_default();
        group.tally.open += 1;
        group.next = group.next.max(plan.id.sample() + 1);
    }

    /// Counts the end of a planned episode. A faulted episode counts as lost, because it says
    /// nothing about the model.
    pub fn ended(&mut self, plan: &PlannedEpisode, outcome: &Outcome) {
        let tally = &mut self.0.entry(trial_of(plan)).or_default().tally;
        tally.open = tally.open.saturating_sub(1);
        match outcome.label() {
            "faulted" => tally.lost += 1,
            label => {
                tally.tries += 1;
                tally.solved += u32::from(label == "resolved");
            }
        }
    }

    /// The pass rate of all samples of this episode's task by the same model and scaffold. None
    /// while no sample has a verdict.
    pub fn pass_rate(&self, plan: &PlannedEpisode) -> Option<PassRate> {
        pass_rate(self.tally(&trial_of(plan)))
    }

    /// The counts of a key; all zero if nothing is planned for it.
    pub fn tally(&self, trial: &SampleKey) -> SampleCounts {
        self.0.get(trial).map(|group| group.tally).unwrap_or_default()
    }

    /// The numbers of the samples that must be planned now, according to `rule`.
    pub fn wanted(&self, trial: &SampleKey, rule: &SamplePolicy) -> Range<u32> {
        let next = self.0.get(trial).map_or(0, |group| group.next);
        next..next.saturating_add(more_samples(rule, self.tally(trial)))
    }
}

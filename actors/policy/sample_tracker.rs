//! The samples of a campaign's tasks: how many there are of each, and how they ended.

use super::samples::{SampleCounts, more_samples, pass_rate};
use crate::model::{EpisodeRecord, Outcome, PassRate, PlannedEpisode, SamplePolicy, TaskId};
use std::collections::HashMap;
use std::ops::Range;

/// A task with who tries it.
pub type SampleKey = (TaskId, String, String);

pub fn trial_of(plan: &PlannedEpisode) -> SampleKey {
    (plan.task.clone(), plan.model.clone(), plan.scaffold.clone())
}

/// What is known of the samples of each trial.
#[derive(Clone, Debug, Default)]
pub struct SampleTracker(HashMap<SampleKey, SampleGroup>);

#[derive(Clone, Debug, Default)]
struct SampleGroup {
    tally: SampleCounts,
    /// The number after the highest that is planned.
    next: u32,
}

impl SampleTracker {
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

    /// One more is planned.
    pub fn planned(&mut self, plan: &PlannedEpisode) {
        let group = self.0.entry(trial_of(plan)).or_default();
        group.tally.open += 1;
        group.next = group.next.max(plan.id.sample() + 1);
    }

    /// One has ended.
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

    /// Of a planned episode's task, as rows say it.
    pub fn pass_rate(&self, plan: &PlannedEpisode) -> Option<PassRate> {
        pass_rate(self.tally(&trial_of(plan)))
    }

    pub fn tally(&self, trial: &SampleKey) -> SampleCounts {
        self.0.get(trial).map(|group| group.tally).unwrap_or_default()
    }

    /// The numbers of the samples that are to be planned now.
    pub fn wanted(&self, trial: &SampleKey, rule: &SamplePolicy) -> Range<u32> {
        let next = self.0.get(trial).map_or(0, |group| group.next);
        next..next.saturating_add(more_samples(rule, self.tally(trial)))
    }
}

//! Further samples of a task, planned while the campaign runs.
//!
//! A campaign may try a task several times with the same model and scaffold, until enough samples
//! have solved it or the pass rate is known well enough ([`SamplePolicy`]). Then the next sample
//! can be planned only when an earlier one has ended. Without such a rule, the plan holds all
//! samples from the start and this file plans nothing.

use crate::model::{
    CampaignConfig, EpisodeId, EpisodeRecord, Outcome, PlannedEpisode, SamplePolicy,
};
use crate::policy::{SampleTracker, trial_of};

/// Plans further samples when earlier ones end.
pub(super) struct SamplePlanner {
    rule: SamplePolicy,
    /// How many samples of each task, model and scaffold are planned, and how they ended.
    trials: SampleTracker,
    /// The next free place in the plan.
    ordinal: u64,
}

impl SamplePlanner {
    /// `found` are the episodes that the journal has. `ordinal` is the next free place in the plan.
    pub(super) fn new(config: &CampaignConfig, found: &[EpisodeRecord], ordinal: u64) -> Self {
        Self { rule: config.tasks.samples.clone(), trials: SampleTracker::of(found), ordinal }
    }

    /// The new episodes to try, now that `ended` has this outcome. Usually none. The caller must
    /// record them as planned.
    pub(super) fn plan_after(
        &mut self,
        ended: &PlannedEpisode,
        outcome: &Outcome,
    ) -> Vec<EpisodeRecord> {
        if !self.rule.may_end_early() {
            return Vec::new();
        }
        self.trials.ended(ended, outcome);
        let wanted = self.trials.wanted(&trial_of(ended), &self.rule);
        let plans: Vec<PlannedEpisode> = wanted.map(|number| self.another(ended, number)).collect();
        plans.iter().for_each(|plan| self.trials.planned(plan));
        plans.into_iter().map(EpisodeRecord::planned).collect()
    }

    /// Returns the place of a unit of a choice in the plan. Counts it as a sample if it will run.
    pub(super) fn place_chosen(&mut self, plan: &PlannedEpisode, runs: bool) -> u64 {
        if runs {
            self.trials.planned(plan);
        }
        let ordinal = self.ordinal;
        self.ordinal += 1;
        ordinal
    }

    /// A copy of a planned episode with another sample number, at the next place in the plan.
    fn another(&mut self, of: &PlannedEpisode, number: u32) -> PlannedEpisode {
        let id = EpisodeId::sampled(&of.campaign, &of.task, &of.model, &of.scaffold, number);
        let ordinal = self.ordinal;
        self.ordinal += 1;
        PlannedEpisode { id, ordinal, ..of.clone() }
    }
}

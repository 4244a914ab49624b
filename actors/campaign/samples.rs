//! The samples of a task while its campaign runs: who needs another one when one has ended.

use crate::model::{
    AttemptNumber, CampaignConfig, EpisodeId, EpisodeRecord, Money, Outcome, PlannedEpisode,
    SamplePolicy, Usage,
};
use crate::policy::{SampleTracker, trial_of};

/// Plans further samples as earlier ones end.
pub(super) struct SamplePlanner {
    rule: SamplePolicy,
    trials: SampleTracker,
    /// The next place in the plan.
    ordinal: u64,
}

impl SamplePlanner {
    pub(super) fn new(config: &CampaignConfig, found: &[EpisodeRecord], ordinal: u64) -> Self {
        Self { rule: config.tasks.samples.clone(), trials: SampleTracker::of(found), ordinal }
    }

    /// What is to be tried now that one has ended.
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
        plans.into_iter().map(begun).collect()
    }

    fn another(&mut self, of: &PlannedEpisode, number: u32) -> PlannedEpisode {
        let id = EpisodeId::sampled(&of.campaign, &of.task, &of.model, &of.scaffold, number);
        let ordinal = self.ordinal;
        self.ordinal += 1;
        PlannedEpisode { id, ordinal, ..of.clone() }
    }
}

/// An episode of which nothing has been done.
fn begun(plan: PlannedEpisode) -> EpisodeRecord {
    EpisodeRecord {
        plan,
        attempt: AttemptNumber::default(),
        failed_attempts: 0,
        outcome: None,
        judged: None,
        steps: 0,
        usage: Usage::default(),
        uncounted_calls: 0,
        cost: Money::ZERO,
        fingerprint: None,
        started_at_ms: None,
        finished_at_ms: None,
    }
}

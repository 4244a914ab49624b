//! How often the samples of a template's tasks were solved, by model and scaffold. Only tasks that the same pair
//! has tried at least twice count: one try says little about a task.

use super::sample_tracker::{SampleTracker, trial_of};
use super::wilson;
use crate::model::{EpisodeRecord, Outcome};
use std::collections::{BTreeMap, HashSet};

/// The template, the model and the scaffold of a rate.
pub type TemplateRateKey = (String, String, String);

/// The samples of all tasks of one template by one model and scaffold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TemplateRate {
    /// Tasks that were tried at least twice.
    pub tasks: u32,
    /// Samples with a verdict.
    pub tries: u32,
    pub solved: u32,
    /// Tasks that every sample has solved.
    pub always: u32,
    /// Tasks that no sample has solved.
    pub never: u32,
}

impl TemplateRate {
    /// The pass rate with its Wilson interval: rate, lower and upper bound. None without a try.
    pub fn interval(&self) -> Option<(f64, f64, f64)> {
        let (low, high) = wilson(self.solved, self.tries);
        (self.tries > 0).then(|| (f64::from(self.solved) / f64::from(self.tries), low, high))
    }

    /// Counts a task with so many tries.
    fn add(&mut self, tries: u32, solved: u32) {
        self.tasks += 1;
        self.tries += tries;
        self.solved += solved;
        self.always += u32::from(solved == tries);
        self.never += u32::from(solved == 0);
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self {
            tasks: self.tasks + other.tasks,
            tries: self.tries + other.tries,
            solved: self.solved + other.solved,
            always: self.always + other.always,
            never: self.never + other.never,
        }
    }
}

/// The rates of the episodes of one campaign. Answers that nobody verified do not count.
pub fn template_rates(records: &[EpisodeRecord]) -> BTreeMap<TemplateRateKey, TemplateRate> {
    let judged: Vec<&EpisodeRecord> = records
        .iter()
        .filter(|record| matches!(record.outcome, Some(Outcome::Judged { .. })))
        .collect();
    let tracker = SampleTracker::of(judged.iter().copied());
    let (mut rates, mut seen) = (BTreeMap::<_, TemplateRate>::new(), HashSet::new());
    for record in judged {
        let trial = trial_of(&record.plan);
        let counts = tracker.tally(&trial);
        if counts.tries >= 2 && seen.insert(trial) {
            let plan = &record.plan;
            let key = (plan.template.clone(), plan.model.clone(), plan.scaffold.clone());
            rates.entry(key).or_default().add(counts.tries, counts.solved);
        }
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_counted_by_how_their_samples_came_out() {
        let mut rate = TemplateRate::default();
        for (tries, solved) in [(4, 4), (4, 0), (4, 1)] {
            rate.add(tries, solved);
        }
        let expected = TemplateRate { tasks: 3, tries: 12, solved: 5, always: 1, never: 1 };
        assert_eq!(rate, expected);
        let (mean, low, high) = rate.interval().unwrap();
        assert!(low < mean && mean < high && (mean - 5.0 / 12.0).abs() < 1e-9);
        assert_eq!(rate.with(rate).tries, 24);
        assert_eq!(TemplateRate::default().interval(), None);
    }
}

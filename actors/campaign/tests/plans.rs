//! Plans: what is planned once stays, whatever is added.

use crate::model::{CampaignConfig, EpisodeRecord, ModelAssignment};
use crate::task::Template;
use crate::testkit::{campaign, catalog, priced};
use crate::work::trajectory::TrajectoryWork;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

fn planner(assign: ModelAssignment, per_template: u32, models: usize) -> TrajectoryWork {
    let mut config: CampaignConfig = campaign("c", per_template);
    config.tasks.templates = vec!["**".to_owned()];
    config.assign = assign;
    config.models = (0..models).map(|n| priced(&format!("fake/{n}"), 0)).collect();
    TrajectoryWork { config: Arc::new(config), catalog: Arc::new(catalog()) }
}

fn some(templates: &[Arc<Template>], from: usize) -> Vec<Arc<Template>> {
    templates.iter().skip(from).cloned().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Templates that come later, in any place of the order, move no earlier task to another
    /// model, and every number is given once.
    #[test]
    fn growing_moves_nothing(few in 1u32..6, more in 0u32..6, models in 1usize..5, weighted: bool) {
        let assign = if weighted { ModelAssignment::Weighted } else { ModelAssignment::RoundRobin };
        let small = planner(assign, few, models);
        let all = small.templates();
        let first = small.plan_templates(&some(&all, 1), &[], || true).unwrap().episodes;
        let known: Vec<EpisodeRecord> = first.iter().cloned().map(EpisodeRecord::planned).collect();
        let added = planner(assign, few + more, models).plan_templates(&all, &known, || true).unwrap().episodes;
        let ids: HashSet<_> = first.iter().chain(&added).map(|e| &e.id).collect();
        prop_assert_eq!(ids.len(), first.len() + added.len(), "nothing is planned twice");
        let mut by_task: HashMap<_, HashSet<_>> = HashMap::new();
        for episode in first.iter().chain(&added) {
            by_task.entry(&episode.task).or_default().insert(&episode.model);
        }
        prop_assert!(by_task.values().all(|models| models.len() == 1), "one model a task");
        let ordinals: HashSet<u64> = first.iter().chain(&added).map(|e| e.ordinal).collect();
        prop_assert_eq!(ordinals, (0..ids.len() as u64).collect::<HashSet<_>>());
    }

    /// Models that take turns get equal shares.
    #[test]
    fn turns_are_even(tasks in 1u32..9, models in 1usize..5) {
        let planner = planner(ModelAssignment::RoundRobin, tasks, models);
        let mut shares: HashMap<String, usize> = HashMap::new();
        for episode in planner.plan_templates(&planner.templates(), &[], || true).unwrap().episodes {
            *shares.entry(episode.model).or_default() += 1;
        }
        let counts = || (0..models).map(|n| shares.get(&format!("fake/{n}")).copied().unwrap_or(0));
        prop_assert!(counts().max().unwrap() - counts().min().unwrap() <= 1);
    }
}

#[test]
fn a_plan_nobody_wants_any_more_ends() {
    let planner = planner(ModelAssignment::Cross, 1_000_000, 2);
    let asked = std::cell::Cell::new(0);
    let wanted = || {
        asked.set(asked.get() + 1);
        asked.get() <= 3
    };
    let planned = planner.plan_templates(&planner.templates(), &[], wanted).unwrap().episodes;
    assert_eq!(planned.len(), 3 * 2, "three tasks for two models");
}

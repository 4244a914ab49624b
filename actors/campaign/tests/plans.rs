//! Plans: what is planned once stays, whatever is added.

use super::options;
use crate::campaign::{RestartOptions, prepare};
use crate::model::{
    CampaignConfig, DrawRule, EpisodeRecord, Fault, ModelAssignment, PlannedEpisode, TaskDraw,
    TaskId,
};
use crate::policy::draw::InformativeDraw;
use crate::quality::FinishedUnit;
use crate::task::{Template, TemplateError};
use crate::testkit::{campaign, catalog, in_test_system, priced};
use crate::work::trajectory::TrajectoryWork;
use crate::work::{
    AttemptResult, AttemptSpec, CampaignPlan, EngineServices, WorkKind, WorkSources,
};
use async_trait::async_trait;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::thread::{ThreadId, current};
use tokio_util::sync::CancellationToken;

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

/// A kind of work that notes on which threads it plans.
struct WatchedWork {
    work: TrajectoryWork,
    threads: Mutex<Vec<ThreadId>>,
}

impl WatchedWork {
    fn note(&self) {
        self.threads.lock().unwrap().push(current().id());
    }
}

#[async_trait]
impl WorkKind for WatchedWork {
    fn config(&self) -> &Arc<CampaignConfig> {
        &self.work.config
    }

    async fn sources(&self, services: &EngineServices) -> Result<WorkSources, Fault> {
        self.work.sources(services).await
    }

    fn plan(
        &self,
        sources: &WorkSources,
        known: &[EpisodeRecord],
        wanted: &dyn Fn() -> bool,
    ) -> Result<CampaignPlan, TemplateError> {
        self.note();
        self.work.plan(sources, known, wanted)
    }

    fn draw(
        &self,
        sources: &WorkSources,
        planned: &[EpisodeRecord],
        tasks: &HashSet<TaskId>,
    ) -> Option<InformativeDraw> {
        self.note();
        self.work.draw(sources, planned, tasks)
    }

    fn may_run(&self, unit: &PlannedEpisode) -> bool {
        self.note();
        self.work.may_run(unit)
    }

    fn is_superseded(
        &self,
        unit: &PlannedEpisode,
        sources: &WorkSources,
        plan: &CampaignPlan,
    ) -> bool {
        self.work.is_superseded(unit, sources, plan)
    }

    async fn attempt(
        &self,
        services: &EngineServices,
        spec: &AttemptSpec,
        cancel: &CancellationToken,
    ) -> Result<AttemptResult, Fault> {
        self.work.attempt(services, spec, cancel).await
    }

    async fn recover(
        &self,
        services: &EngineServices,
        record: EpisodeRecord,
    ) -> Result<Arc<dyn FinishedUnit>, Fault> {
        self.work.recover(services, record).await
    }
}

/// A draw of many tasks takes long, so no thread waits for it that has other work.
#[test]
fn a_campaign_is_planned_on_a_thread_of_its_own() {
    in_test_system(options(), |kit| async move {
        let mut work = planner(ModelAssignment::Cross, 1, 1);
        let draw = TaskDraw { rule: DrawRule::Informative, count: 9, ..TaskDraw::default() };
        Arc::make_mut(&mut work.config).tasks.draw = draw;
        let kind = Arc::new(WatchedWork { work, threads: Mutex::default() });
        let again = RestartOptions::default();
        let prepared = prepare(&kit.services, kind.clone(), String::new(), &again).await.unwrap();
        assert_eq!((prepared.episodes.len(), prepared.draw.is_some()), (9, true));
        let threads = kind.threads.lock().unwrap();
        // The plan, the draw, and whether each episode may run.
        assert_eq!(threads.len(), 2 + 9);
        assert!(threads.iter().all(|thread| *thread != current().id()));
    });
}

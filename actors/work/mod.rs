//! Kinds of work, and the one port through which the engine knows them.
//!
//! A kind of work is a folder here. It says what its units are (the plan), how one attempt at a
//! unit goes (a state machine that runs as one future), and what row a finished unit makes. The
//! campaign, with admission, retries, pause, budget and publication, knows a kind only by
//! [`WorkKind`]; quality knows a finished unit only by [`FinishedUnit`].
//!
//! ```text
//!  sources (what this host can use) ─► plan (units, from the seed) ─► attempt ─► row
//! ```
//!
//! - `trajectory`: a task, tried by a model and an agent in a sandbox. Its unit is an episode.
//! - `completion`: a prompt, answered by a model. Its unit is one answer.
//! - `unit_actor`: the actor of one attempt, of any kind.
//! - `services`: what the engine gives to every attempt.
//!
//! A new kind adds its folder, its name in [`WorkName`], its row in
//! [`DatasetRow`](crate::model::DatasetRow), and one line in [`kind_of`].

pub mod completion;
mod services;
#[cfg(test)]
mod tests;
pub mod trajectory;
mod unit_actor;

pub use services::EngineServices;
pub use unit_actor::{AttemptExit, AttemptSpec, UnitActor, UnitHandle, launch};

use crate::model::{
    CampaignConfig, EpisodeRecord, Fault, Outcome, PlannedEpisode, Task, TaskId, TemplateEdition,
    WorkName,
};
use crate::policy::draw::{DrawChoice, InformativeDraw, PassCounts};
use crate::quality::FinishedUnit;
use crate::task::{Catalog, TemplateError};
use async_trait::async_trait;
use completion::{CompletionWork, PromptSet};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use trajectory::TrajectoryWork;

/// A source of tasks that this host cannot use (a template), with the reason for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedTemplate {
    pub template: String,
    pub reason: String,
}

/// The sources of tasks of a campaign: templates, or files of prompts.
#[derive(Clone, Debug, Default)]
pub struct WorkSources {
    /// The ids of the sources that this host can use.
    pub usable: HashSet<String>,
    /// Their editions, to be recorded. A source whose edition changes is noticed at the next start.
    /// A source that may grow, such as a file of prompts, has no edition: its tasks are known by
    /// their own digests.
    pub editions: Vec<TemplateEdition>,
    /// The others.
    pub skipped: Vec<SkippedTemplate>,
    /// What was known of the sources when the campaign began. Only an informative draw asks for it.
    pub past: PassCounts,
}

/// What is new in the plan, beside the units that were planned before.
#[derive(Clone, Debug, Default)]
pub struct CampaignPlan {
    /// The new units in plan order.
    pub episodes: Vec<PlannedEpisode>,
    /// New units of choices whose tasks cannot be made, each with the reason. They are recorded as
    /// faulted and never run.
    pub failed: Vec<(PlannedEpisode, Fault)>,
    /// Every task that is asked for now, whether it was planned before or not.
    pub tasks: HashSet<TaskId>,
    /// The same tasks by their places: the numbers of the tasks of each template. A place stays the
    /// same when the template changes. Empty for kinds without templates.
    pub places: HashMap<String, HashSet<u32>>,
}

/// A unit of a choice that a draw has made.
#[derive(Clone, Debug)]
pub struct ChosenUnit {
    pub unit: PlannedEpisode,
    /// Why its task cannot be made. Then the unit is recorded as faulted and never runs.
    pub failure: Option<Fault>,
}

impl CampaignPlan {
    /// Notes that a task is asked for that cannot be made.
    pub fn ask_for_unmade(&mut self, unit: &PlannedEpisode) {
        self.places.entry(unit.template.clone()).or_default().insert(unit.index);
        self.tasks.insert(unit.task.clone());
    }

    /// Notes that a task is asked for.
    pub fn ask_for(&mut self, task: Task) {
        self.places.entry(task.template).or_default().insert(task.index);
        self.tasks.insert(task.id);
    }

    /// Whether the task of a unit has been replaced: its place is asked for, and has another task.
    pub fn replaces(&self, unit: &PlannedEpisode) -> bool {
        let asked = self.places.get(&unit.template);
        asked.is_some_and(|indices| indices.contains(&unit.index))
            && !self.tasks.contains(&unit.task)
    }
}

/// An attempt that reached an outcome. The journal has the outcome already.
#[derive(Debug)]
pub struct AttemptResult {
    pub outcome: Outcome,
    /// The unit, ready to make a row.
    pub unit: Arc<dyn FinishedUnit>,
}

/// A kind of work with the settings of one campaign.
///
/// Every answer depends only on the settings, the sources and the arguments, so two processes that
/// run the same campaign agree.
#[async_trait]
pub trait WorkKind: Send + Sync + 'static {
    /// The settings of the campaign.
    fn config(&self) -> &Arc<CampaignConfig>;

    /// Finds the sources that this host can use. It may take sandboxes from the pool for that, and
    /// prove tasks of containers.
    async fn sources(&self, services: &EngineServices) -> Result<WorkSources, Fault>;

    /// Every unit that is not in `known`, numbered behind the known ones. The same campaign gives
    /// the same plan; the plan may grow, and planned units keep their ids and places. It may be
    /// long work, so it runs on a blocking thread, and ends early when `wanted` returns false.
    fn plan(
        &self,
        sources: &WorkSources,
        known: &[EpisodeRecord],
        wanted: &dyn Fn() -> bool,
    ) -> Result<CampaignPlan, TemplateError>;

    /// Whether the present settings still have what a planned unit needs, beside its model and its
    /// task.
    fn may_run(&self, unit: &PlannedEpisode) -> bool;

    /// Whether the task of a unit has been replaced by another edition, so that it cannot be tried
    /// again. `plan` is the present plan.
    fn is_superseded(
        &self,
        unit: &PlannedEpisode,
        sources: &WorkSources,
        plan: &CampaignPlan,
    ) -> bool;

    /// The choice of tasks that goes on while the campaign runs. `planned` are all units on record, in
    /// the order of the plan, and `tasks` those that are asked for now. None if the plan is whole.
    fn draw(
        &self,
        _sources: &WorkSources,
        _planned: &[EpisodeRecord],
        _tasks: &HashSet<TaskId>,
    ) -> Option<InformativeDraw> {
        None
    }

    /// The units of choices of [`WorkKind::draw`] in the order of the choices, without their places in
    /// the plan. A choice whose task cannot be made has one unit with the reason. It renders tasks, so
    /// it runs on a blocking thread.
    fn chosen_units(&self, _choices: &[DrawChoice]) -> Vec<ChosenUnit> {
        Vec::new()
    }

    /// One attempt at a unit. It records its start (the fence), its turns and its outcome. Err
    /// means that there is no outcome; the campaign decides what follows. If the future is dropped
    /// or `cancel` is cancelled, its sandboxes and calls end with it.
    async fn attempt(
        &self,
        services: &EngineServices,
        spec: &AttemptSpec,
        cancel: &CancellationToken,
    ) -> Result<AttemptResult, Fault>;

    /// A unit that finished and has no row, built again from the journal. Fails with a `Store`
    /// fault if the journal has no outcome that makes a row.
    async fn recover(
        &self,
        services: &EngineServices,
        record: EpisodeRecord,
    ) -> Result<Arc<dyn FinishedUnit>, Fault>;
}

/// What the tasks of campaigns are made from. A campaign uses the part that its kind needs.
#[derive(Clone, Debug, Default)]
pub struct WorkInputs {
    /// The templates.
    pub catalog: Arc<Catalog>,
    /// The prompts, in the order of their files. Empty for kinds without prompts.
    pub prompts: Arc<PromptSet>,
}

/// The kind of work of a campaign.
pub fn kind_of(config: Arc<CampaignConfig>, inputs: WorkInputs) -> Arc<dyn WorkKind> {
    match config.kind {
        WorkName::Trajectories => Arc::new(TrajectoryWork { config, catalog: inputs.catalog }),
        WorkName::Completions => Arc::new(CompletionWork { config, prompts: inputs.prompts }),
    }
}

//! The plan of trajectories: which episodes a campaign consists of.
//!
//! The plan has every task of every template, or those that a draw by shares gives, with the models
//! that are assigned to it, every scaffold, and the samples. The same campaign file gives the same
//! plan, because tasks are drawn from the seed and ids are digests of what they name. The plan may
//! grow: more tasks, models or samples add episodes behind the existing ones, and planned episodes
//! keep their ids and places. The plan of an informative draw is in `draw.rs`.

use super::TrajectoryWork;
use crate::agent;
use crate::model::{
    EpisodeId, EpisodeRecord, ModelAssignment, PlannedEpisode, SamplePolicy, Task, TaskId,
    TemplateEdition,
};
use crate::policy::{
    AssignmentRules, SampleCounts, SampleKey, SampleTracker, TaskProfile, assign, more_samples,
};
use crate::task::{TaskSource, Template, TemplateError};
use crate::work::CampaignPlan;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The place of a task: the template's id, and the index of the task within the template. The place
/// stays the same when the template changes; the task id does not.
pub(super) type TaskPlace<'a> = (&'a str, u32);

/// The tasks that a plan asks for, in their order: the template and the index of each.
pub(super) type AskedTasks<'a> = Box<dyn Iterator<Item = (&'a Arc<Template>, u32)> + 'a>;

/// The place of an episode's task.
pub(super) fn place(record: &EpisodeRecord) -> TaskPlace<'_> {
    (&record.plan.template, record.plan.index)
}

/// What was planned before, with whatever editions of the templates.
pub(super) struct EarlierPlan<'a> {
    trials: SampleTracker,
    /// The tasks of each place. There are several where the template has changed.
    tasks: HashMap<TaskPlace<'a>, HashSet<&'a TaskId>>,
}

impl<'a> EarlierPlan<'a> {
    /// Collects the episodes that the journal has.
    pub(super) fn of(known: &'a [EpisodeRecord]) -> Self {
        let mut tasks: HashMap<TaskPlace<'a>, HashSet<&'a TaskId>> = HashMap::new();
        for record in known {
            tasks.entry(place(record)).or_default().insert(&record.plan.task);
        }
        Self { trials: SampleTracker::of(known), tasks }
    }

    /// Whether another edition of this task was tried to the end: all wanted samples have a
    /// verdict. A sample that was planned with the other edition and never tried will never run, so
    /// it is not waited for.
    fn is_tried(&self, task: &Task, trial: &SampleKey, rule: &SamplePolicy) -> bool {
        let here = self.tasks.get(&(task.template.as_str(), task.index));
        let others = here.into_iter().flatten().filter(|id| ***id != task.id);
        others.into_iter().any(|id| {
            let other = ((*id).clone(), trial.1.clone(), trial.2.clone());
            let tally = SampleCounts { open: 0, ..self.trials.tally(&other) };
            tally.tries > 0 && tally.lost == 0 && more_samples(rule, tally) == 0
        })
    }
}

impl TrajectoryWork {
    /// The templates that the campaign asks for.
    pub fn templates(&self) -> Vec<Arc<Template>> {
        let tasks = &self.config.tasks;
        self.catalog.select(&tasks.templates, &tasks.exclude)
    }

    /// The source of the tasks of this plan: the same seed and the same templates.
    pub fn tasks(&self) -> Arc<TaskSource> {
        Arc::new(TaskSource { seed: self.config.seed, catalog: self.catalog.clone() })
    }

    /// The current digests of these templates and of their files, to be recorded.
    pub fn editions(&self, templates: &[Arc<Template>]) -> Vec<TemplateEdition> {
        let tasks = self.config.tasks.most_of_template();
        let edition = |template: &Arc<Template>| TemplateEdition {
            template: template.id.clone(),
            digest: template.digest(),
            files: template.files(),
            tasks,
        };
        templates.iter().map(edition).collect()
    }

    /// Every episode over `templates` that is not in `known`, numbered behind the known ones. A
    /// task for which a model was chosen keeps that model, however the plan grows and whatever
    /// edition its template has. A task that was tried to the end with an earlier edition is not
    /// planned again.
    ///
    /// `wanted` is asked before each task. When it returns false, planning ends early.
    pub fn plan_templates(
        &self,
        templates: &[Arc<Template>],
        known: &[EpisodeRecord],
        wanted: impl Fn() -> bool,
    ) -> Result<CampaignPlan, TemplateError> {
        let taken: HashSet<&EpisodeId> = known.iter().map(|record| &record.plan.id).collect();
        let mut chosen: HashMap<TaskPlace<'_>, &str> =
            known.iter().map(|record| (place(record), record.plan.model.as_str())).collect();
        // A model that is not configured any more leaves its task to be assigned anew.
        chosen.retain(|_, model| self.config.model(model).is_some());
        let mut next = known.iter().map(|record| record.plan.ordinal + 1).max().unwrap_or(0);
        // Counts assigned tasks, so that a round-robin goes on where it was.
        let mut turn = chosen.len() as u64;
        let earlier = EarlierPlan::of(known);
        let mut plan = CampaignPlan::default();
        for (template, index) in self.asked_tasks(templates, known).take_while(|_| wanted()) {
            let task = template.task(self.config.seed, index)?;
            let choice = chosen.get(&(template.id.as_str(), index)).copied();
            let models = self.models_for(&task, turn, choice);
            let episodes = self.episodes(&task, &models, &earlier, None);
            turn += u64::from(choice.is_none());
            for mut episode in episodes.into_iter().filter(|e| !taken.contains(&e.id)) {
                episode.ordinal = next;
                next += 1;
                plan.episodes.push(episode);
            }
            plan.ask_for(task);
        }
        Ok(plan)
    }

    /// The tasks that the campaign asks for: the same number of each template, or those of a draw by
    /// shares.
    fn asked_tasks<'a>(
        &self,
        templates: &'a [Arc<Template>],
        known: &'a [EpisodeRecord],
    ) -> AskedTasks<'a> {
        let count = self.config.tasks.per_template;
        match self.config.tasks.draw.is_each() {
            true => Box::new(templates.iter().flat_map(move |template| {
                (0..template.at_most(count)).map(move |index| (template, index))
            })),
            false => self.drawn_tasks(templates, known),
        }
    }

    /// The models that try a task. With `ModelAssignment::Cross`, every model tries every task, so
    /// `chosen` has no effect.
    fn models_for(&self, task: &Task, turn: u64, chosen: Option<&str>) -> Vec<&str> {
        let config = &self.config;
        let known = chosen.filter(|_| config.assign != ModelAssignment::Cross);
        match known.and_then(|name| config.model(name)) {
            Some(model) => vec![model.name.as_str()],
            None => self.assigned(task, turn),
        }
    }

    /// The episodes of one task: models × scaffolds × samples. Their ordinals are set by the caller.
    /// `reason` says why an informative draw chose the task.
    pub(super) fn episodes(
        &self,
        task: &Task,
        models: &[&str],
        earlier: &EarlierPlan<'_>,
        reason: Option<&str>,
    ) -> Vec<PlannedEpisode> {
        let config = &self.config;
        let pairs = models
            .iter()
            .flat_map(|model| config.scaffolds.iter().map(move |scaffold| (*model, scaffold)));
        let samples = pairs.flat_map(|(model, scaffold)| {
            let trial = (task.id.clone(), model.to_owned(), scaffold.clone());
            let wanted = match earlier.is_tried(task, &trial, &config.tasks.samples) {
                // Another edition of the task has all its samples.
                true => 0..0,
                false => earlier.trials.wanted(&trial, &config.tasks.samples),
            };
            wanted.map(move |sample| (model, scaffold, sample))
        });
        samples
            .map(|(model, scaffold, sample)| PlannedEpisode {
                id: EpisodeId::sampled(&config.name, &task.id, model, scaffold, sample),
                campaign: config.name.clone(),
                ordinal: 0,
                task: task.id.clone(),
                template: task.template.clone(),
                index: task.index,
                category: task.category.clone(),
                difficulty: task.difficulty.as_str().to_owned(),
                model: model.to_owned(),
                scaffold: scaffold.clone(),
                reason: reason.map(str::to_owned),
            })
            .collect()
    }

    /// The models for a task to which none was assigned yet. Some rules estimate the cost, so they
    /// need the request with which the task opens. Empty if the first scaffold does not exist.
    fn assigned(&self, task: &Task, turn: u64) -> Vec<&str> {
        let config = &self.config;
        let first = config.scaffolds.first();
        let opening = first.and_then(|name| Some((name, agent::opening(config, name, task)?)));
        let Some((first, opening)) = opening else { return Vec::new() };
        assign(&AssignmentRules::of(config), &TaskProfile::of(task, &opening, first), turn)
    }
}

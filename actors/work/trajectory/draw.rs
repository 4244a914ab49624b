//! Plans of campaigns that draw their tasks: by shares, or where they teach most.
//!
//! What was planned stays. A draw counts the tasks of the record first, in the order of the plan, and
//! goes on behind them. So the plan keeps its tasks if it grows, if its shares change, and if
//! templates come or go.

use super::TrajectoryWork;
use super::plan::{AskedTasks, EarlierPlan, TaskPlace, place};
use crate::model::{
    DRAW_AHEAD, EpisodeId, EpisodeRecord, Fault, FaultKind, PlannedEpisode, Task, TaskId, TaskKind,
};
use crate::policy::draw::{
    DrawCandidate, DrawChoice, InformativeDraw, PassCounts, ShareDraw, verdict_of,
};
use crate::policy::{AssignmentRules, able_models};
use crate::task::{Template, TemplateError};
use crate::work::{CampaignPlan, WorkSources};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The kind of templates that do not say theirs.
const NO_KIND: &str = "none";

/// The templates as a draw sees them.
pub fn draw_candidates(templates: &[Arc<Template>]) -> Vec<DrawCandidate> {
    let candidate = |template: &Arc<Template>| DrawCandidate {
        template: template.id.clone(),
        kind: template.kind.map_or(NO_KIND, TaskKind::as_str).to_owned(),
        category: template.category.clone(),
        difficulty: template.current_difficulty().as_str().to_owned(),
        skills: template.skills.clone(),
    };
    templates.iter().map(candidate).collect()
}

/// The templates by their ids.
fn by_id(templates: &[Arc<Template>]) -> HashMap<&str, &Arc<Template>> {
    templates.iter().map(|template| (template.id.as_str(), template)).collect()
}

/// The places of the tasks on record, each once, in the order of the plan.
fn recorded_places(known: &[EpisodeRecord]) -> Vec<TaskPlace<'_>> {
    let mut seen = HashSet::new();
    known.iter().map(place).filter(|place| seen.insert(*place)).collect()
}

/// A choice on record: the place of its task, its model, and its reason.
type RecordedChoice<'a> = (TaskPlace<'a>, &'a str, Option<&'a str>);

/// The choices on record, each once, in the order of the plan.
fn recorded_choices(known: &[EpisodeRecord]) -> Vec<RecordedChoice<'_>> {
    let mut seen = HashSet::new();
    let choices = known.iter().map(choice);
    choices.filter(|(place, model, _)| seen.insert((*place, *model))).collect()
}

/// The choice of an episode.
fn choice(record: &EpisodeRecord) -> RecordedChoice<'_> {
    (place(record), record.plan.model.as_str(), record.plan.reason.as_deref())
}

impl TrajectoryWork {
    /// The templates that the campaign asks for and this host can run.
    pub(super) fn usable_templates(&self, sources: &WorkSources) -> Vec<Arc<Template>> {
        let mut templates = self.templates();
        templates.retain(|template| sources.usable.contains(&template.id));
        templates
    }

    /// The tasks of a draw by shares: those on record, and behind them as many as are wanted. A task
    /// on record whose template is not there keeps its place, and no other task is drawn for it.
    pub(super) fn drawn_tasks<'a>(
        &self,
        templates: &'a [Arc<Template>],
        known: &'a [EpisodeRecord],
    ) -> AskedTasks<'a> {
        let rules = &self.config.tasks.draw;
        let count = rules.count as usize;
        let mut recorded = recorded_places(known);
        recorded.truncate(count);
        let mut draw = ShareDraw::new(rules, self.config.seed, &draw_candidates(templates));
        recorded.iter().for_each(|(template, index)| draw.take(template, *index));
        let more = count - recorded.len();
        let there = by_id(templates);
        let kept =
            recorded.into_iter().filter_map(move |(id, index)| Some((*there.get(id)?, index)));
        let drawn = std::iter::from_fn(move || draw.draw());
        Box::new(kept.chain(drawn.take(more).map(move |(place, index)| (&templates[place], index))))
    }

    /// The plan of an informative draw: what is missing of the choices on record, and the choices that
    /// can be made now. The others are made while the campaign runs.
    pub(super) fn plan_choices(
        &self,
        templates: &[Arc<Template>],
        past: &PassCounts,
        known: &[EpisodeRecord],
        wanted: impl Fn() -> bool,
    ) -> Result<CampaignPlan, TemplateError> {
        let mut plan = self.recorded_plan(templates, known, &wanted);
        let mut next = known.iter().map(|record| record.plan.ordinal + 1).max().unwrap_or(0);
        let mut place = |unit: &mut PlannedEpisode| {
            unit.ordinal = next;
            next += 1;
        };
        plan.episodes.iter_mut().for_each(&mut place);
        plan.failed.iter_mut().for_each(|(unit, _)| place(unit));
        let new: Vec<EpisodeRecord> =
            plan.episodes.iter().cloned().map(EpisodeRecord::planned).collect();
        let planned = known.iter().chain(&new);
        let mut draw = self.informative_draw(templates, past, planned, &plan.tasks);
        plan.failed.iter().for_each(|(unit, _)| draw.add_failed(unit));
        let mut first_error = None;
        while wanted() {
            let Some(choice) = draw.choose() else { break };
            match self.units_of(&choice) {
                Ok((task, mut units)) => {
                    units.iter_mut().for_each(&mut place);
                    units.iter().for_each(|unit| draw.add_planned(unit));
                    plan.episodes.extend(units);
                    plan.ask_for(task);
                }
                Err(error) => {
                    let (mut unit, fault) = self.failed_unit(&choice, &error);
                    place(&mut unit);
                    draw.add_failed(&unit);
                    plan.ask_for_unmade(&unit);
                    plan.failed.push((unit, fault));
                    first_error.get_or_insert(error);
                }
            }
            draw.set_planned(&choice);
        }
        match first_error {
            // Nothing can be drawn, so there is no campaign.
            Some(error) if known.is_empty() && plan.episodes.is_empty() => Err(error),
            _ => Ok(plan),
        }
    }

    /// What is missing of the choices on record: further samples and scaffolds, and tasks of new
    /// editions. A choice whose task cannot be made is noted as failed, once.
    fn recorded_plan(
        &self,
        templates: &[Arc<Template>],
        known: &[EpisodeRecord],
        wanted: &impl Fn() -> bool,
    ) -> CampaignPlan {
        let taken: HashSet<&EpisodeId> = known.iter().map(|record| &record.plan.id).collect();
        let (there, earlier) = (by_id(templates), EarlierPlan::of(known));
        let mut plan = CampaignPlan::default();
        let choices = recorded_choices(known).into_iter();
        let asked = choices.take(self.config.tasks.draw.count as usize).take_while(|_| wanted());
        for ((id, index), model, reason) in asked {
            let Some(template) = there.get(id) else { continue };
            let may_answer = self.config.model(model).is_some();
            match template.task(self.config.seed, index) {
                Ok(task) => {
                    if may_answer {
                        let episodes = self.episodes(&task, &[model], &earlier, reason);
                        let new = episodes.into_iter().filter(|one| !taken.contains(&one.id));
                        plan.episodes.extend(new);
                    }
                    plan.ask_for(task);
                }
                Err(error) => {
                    let (template, model) = (id.to_owned(), model.to_owned());
                    let reason = reason.unwrap_or_default().to_owned();
                    let choice = DrawChoice { template, index, model, reason };
                    let (unit, fault) = self.failed_unit(&choice, &error);
                    plan.ask_for_unmade(&unit);
                    if may_answer && !taken.contains(&unit.id) {
                        plan.failed.push((unit, fault));
                    }
                }
            }
        }
        plan
    }

    /// An informative draw with the choices on record. `planned` are its episodes, in the order of the
    /// plan, and `tasks` those that are asked for now.
    pub(super) fn informative_draw<'a>(
        &self,
        templates: &[Arc<Template>],
        past: &PassCounts,
        planned: impl Iterator<Item = &'a EpisodeRecord>,
        tasks: &HashSet<TaskId>,
    ) -> InformativeDraw {
        let config = &self.config;
        let models = able_models(&AssignmentRules::of(config));
        let ahead = config.concurrency.max(DRAW_AHEAD);
        let (rules, candidates) = (&config.tasks.draw, draw_candidates(templates));
        let mut draw =
            InformativeDraw::new(rules, (config.seed, ahead), &candidates, &models, past);
        for EpisodeRecord { plan, outcome, .. } in planned {
            // A template that can be rendered again is drawn again.
            if outcome.is_some() && plan.task.is_unmade() && tasks.contains(&plan.task) {
                draw.add_failed(plan);
                continue;
            }
            draw.add_planned(plan);
            match outcome {
                Some(outcome) => draw.add_ended(plan, verdict_of(outcome)),
                None if !self.is_live(plan, tasks) => draw.add_ended(plan, None),
                None => {}
            }
        }
        draw
    }

    /// Whether an episode without an outcome may run now.
    fn is_live(&self, plan: &PlannedEpisode, tasks: &HashSet<TaskId>) -> bool {
        let config = &self.config;
        tasks.contains(&plan.task)
            && config.may_answer(&plan.model)
            && config.scaffolds.contains(&plan.scaffold)
            && plan.id.sample() < config.tasks.samples.most
    }

    /// The unit that stands for a choice whose task cannot be made, without its place in the plan, and
    /// the fault that it is recorded with.
    pub(super) fn failed_unit(
        &self,
        choice: &DrawChoice,
        error: &TemplateError,
    ) -> (PlannedEpisode, Fault) {
        let config = &self.config;
        let DrawChoice { template, index, model, reason } = choice;
        let task = TaskId::unmade(template, *index);
        let scaffold = config.scaffolds.first().cloned().unwrap_or_default();
        let known = self.catalog.get(template);
        let unit = PlannedEpisode {
            id: EpisodeId::derive(&config.name, &task, model, &scaffold),
            campaign: config.name.clone(),
            ordinal: 0,
            task,
            template: template.clone(),
            index: *index,
            category: known.map(|known| known.category.clone()).unwrap_or_default(),
            difficulty: known
                .map(|known| known.current_difficulty().as_str().to_owned())
                .unwrap_or_default(),
            model: model.clone(),
            scaffold,
            reason: Some(reason.clone()),
        };
        let what = format!("task {index} of {template} cannot be made: {error}");
        (unit, Fault::new(FaultKind::TaskSetup, what))
    }

    /// The task of a choice and its first episodes, without their places in the plan.
    pub(super) fn units_of(
        &self,
        choice: &DrawChoice,
    ) -> Result<(Task, Vec<PlannedEpisode>), TemplateError> {
        let DrawChoice { template, index, model, reason } = choice;
        let found = self.catalog.get(template);
        let found =
            found.ok_or_else(|| TemplateError::new(template, "it is not there any more"))?;
        let task = found.task(self.config.seed, *index)?;
        let models = [model.as_str()];
        let units = self.episodes(&task, &models, &EarlierPlan::of(&[]), Some(reason.as_str()));
        Ok((task, units))
    }
}

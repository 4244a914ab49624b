//! Plans of campaigns that draw their tasks: by shares, or where they teach most.
//!
//! What was planned stays. A draw counts the tasks of the record first, in the order of the plan, and
//! goes on behind them. So the plan keeps its tasks if it grows, if its shares change, and if
//! templates come or go.

use super::TrajectoryWork;
use super::plan::{AskedTasks, EarlierPlan, TaskPlace, place};
use crate::model::{DRAW_AHEAD, EpisodeId, EpisodeRecord, PlannedEpisode, Task, TaskId, TaskKind};
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
        let mut plan = self.recorded_plan(templates, known, &wanted)?;
        let new: Vec<EpisodeRecord> =
            plan.episodes.iter().cloned().map(EpisodeRecord::planned).collect();
        let planned = known.iter().chain(&new);
        let mut draw = self.informative_draw(templates, past, planned, &plan.tasks);
        while wanted() {
            let Some(choice) = draw.choose() else { break };
            let (task, units) = self.units_of(&choice)?;
            units.iter().for_each(|unit| draw.add_planned(unit));
            draw.set_planned(&choice);
            plan.episodes.extend(units);
            plan.ask_for(task);
        }
        let first = known.iter().map(|record| record.plan.ordinal + 1).max().unwrap_or(0);
        for (ordinal, planned) in (first..).zip(&mut plan.episodes) {
            planned.ordinal = ordinal;
        }
        Ok(plan)
    }

    /// What is missing of the choices on record: further samples and scaffolds, and tasks of new
    /// editions.
    fn recorded_plan(
        &self,
        templates: &[Arc<Template>],
        known: &[EpisodeRecord],
        wanted: &impl Fn() -> bool,
    ) -> Result<CampaignPlan, TemplateError> {
        let taken: HashSet<&EpisodeId> = known.iter().map(|record| &record.plan.id).collect();
        let (there, earlier) = (by_id(templates), EarlierPlan::of(known));
        let mut plan = CampaignPlan::default();
        let choices = recorded_choices(known).into_iter();
        let asked = choices.take(self.config.tasks.draw.count as usize).take_while(|_| wanted());
        for ((id, index), model, reason) in asked {
            let Some(template) = there.get(id) else { continue };
            let task = template.task(self.config.seed, index)?;
            if self.config.model(model).is_some() {
                let episodes = self.episodes(&task, &[model], &earlier, reason);
                plan.episodes.extend(episodes.into_iter().filter(|one| !taken.contains(&one.id)));
            }
            plan.ask_for(task);
        }
        Ok(plan)
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

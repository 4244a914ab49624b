//! The choices of an informative draw, made while the campaign runs.
//!
//! The policy says what is chosen (`policy::draw::InformativeDraw`). When an episode ends, further
//! choices may be possible. Their tasks are rendered on a blocking thread; then their episodes are
//! planned like further samples: written to the journal, and pending from then on. The writer takes
//! entries in their order, so a choice is durable with its reason before its episode starts.
//!
//! ```text
//!  ended ──► choose ──► render ──► planned in the journal ──► pending ──► launched
//! ```
//! A kill in between loses choices that were not written. The next start makes them again from the
//! same record.

use super::actor::CampaignActor;
use crate::model::{
    EpisodeRecord, Fault, FaultKind, JournalEntry, Outcome, PlannedEpisode, TaskId,
};
use crate::policy::draw::{DrawChoice, InformativeDraw, verdict_of};
use crate::supervisor::panic_text;
use crate::work::WorkKind;
use actix::Context;
use std::collections::HashSet;
use std::sync::Arc;

/// The choices of a campaign.
pub(super) struct ChoicePlanner {
    draw: InformativeDraw,
    /// The tasks of all choices.
    tasks: HashSet<TaskId>,
    /// Choices that are made and have no episodes yet.
    unplanned: Vec<DrawChoice>,
    /// Their tasks are being rendered.
    is_rendering: bool,
}

impl ChoicePlanner {
    /// `draw` has the choices on record, and `episodes` are theirs.
    pub(super) fn new(draw: InformativeDraw, episodes: &[EpisodeRecord]) -> Self {
        let tasks = episodes.iter().map(|record| record.plan.task.clone()).collect();
        Self { draw, tasks, unplanned: Vec::new(), is_rendering: false }
    }

    /// An episode has ended. `more` are further samples of its task.
    pub(super) fn add_ended(
        &mut self,
        ended: &PlannedEpisode,
        outcome: &Outcome,
        more: &[EpisodeRecord],
    ) {
        // In this order, the choice does not look ended while a further sample is planned.
        more.iter().for_each(|record| self.draw.add_planned(&record.plan));
        self.draw.add_ended(ended, verdict_of(outcome));
    }

    /// The choices to be planned now. Empty if there are none, or while others are being rendered.
    fn take(&mut self) -> Vec<DrawChoice> {
        if self.is_rendering {
            return Vec::new();
        }
        self.unplanned.extend(std::iter::from_fn(|| self.draw.choose()));
        self.is_rendering = !self.unplanned.is_empty();
        std::mem::take(&mut self.unplanned)
    }

    /// The choices have these episodes. Returns the number of tasks that are new.
    fn add_units(&mut self, choices: &[DrawChoice], units: &[PlannedEpisode]) -> u64 {
        self.is_rendering = false;
        units.iter().for_each(|unit| self.draw.add_planned(unit));
        choices.iter().for_each(|choice| self.draw.set_planned(choice));
        units.iter().filter(|unit| self.tasks.insert(unit.task.clone())).count() as u64
    }

    /// The choices could not be rendered. They wait for a resume.
    fn put_back(&mut self, choices: Vec<DrawChoice>) {
        self.is_rendering = false;
        self.unplanned = choices;
    }
}

impl CampaignActor {
    /// Makes the choices that are possible now, if the campaign makes any.
    pub(super) fn choose_more(&mut self, ctx: &mut Context<Self>) {
        let choices = self.choices.as_mut().map(ChoicePlanner::take).unwrap_or_default();
        if choices.is_empty() {
            return;
        }
        self.writing += 1;
        let rendered = render(self.kind.clone(), choices.clone());
        self.when(ctx, rendered, move |rendered, this, ctx| {
            this.writing -= 1;
            match rendered {
                Ok(units) => this.plan_chosen(&choices, units, ctx),
                Err(fault) => {
                    if let Some(planner) = this.choices.as_mut() {
                        planner.put_back(choices);
                    }
                    // It says nothing of the attempts that run: they end by themselves.
                    this.pause_for(&fault);
                }
            }
            this.admit(ctx);
        });
    }

    /// Adds the episodes of choices to the plan.
    fn plan_chosen(
        &mut self,
        choices: &[DrawChoice],
        mut units: Vec<PlannedEpisode>,
        ctx: &mut Context<Self>,
    ) {
        for unit in &mut units {
            unit.ordinal = self.sampler.add_chosen(unit);
        }
        let planner = self.choices.as_mut();
        let tasks = planner.map_or(0, |planner| planner.add_units(choices, &units));
        self.update_progress(|p| {
            p.tasks += tasks;
            p.episodes.planned += units.len() as u64;
        });
        let records = units.iter().cloned().map(EpisodeRecord::planned);
        records.for_each(|record| self.pending.push_back(record));
        self.write(vec![JournalEntry::Planned(units)], ctx);
    }
}

/// Renders the tasks of choices, on a blocking thread.
async fn render(
    kind: Arc<dyn WorkKind>,
    choices: Vec<DrawChoice>,
) -> Result<Vec<PlannedEpisode>, Fault> {
    let made = tokio::task::spawn_blocking(move || kind.chosen_units(&choices)).await;
    let made = made.map_err(|failure| Fault::new(FaultKind::Panicked, panic_text(failure)))?;
    made.map_err(|error| {
        Fault::new(FaultKind::TaskSetup, format!("{}: {}", error.template, error.message))
    })
}

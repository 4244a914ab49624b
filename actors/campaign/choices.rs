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
//!
//! A choice whose task cannot be made is recorded as an episode that has faulted, and drawing goes on.
//! If no template is left, the campaign ends with that fault as its reason.

use super::actor::CampaignActor;
use crate::model::{
    AttemptNumber, EpisodeRecord, Fault, FaultKind, JournalEntry, Outcome, PlannedEpisode, TaskId,
};
use crate::policy::draw::{DrawChoice, InformativeDraw, verdict_of};
use crate::supervisor::panic_text;
use crate::work::{ChosenUnit, WorkKind};
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
    /// The fault of the last choice whose task could not be made.
    failure: Option<Fault>,
}

impl ChoicePlanner {
    /// `draw` has the choices on record, and `episodes` are theirs.
    pub(super) fn new(draw: InformativeDraw, episodes: &[EpisodeRecord]) -> Self {
        let tasks = episodes.iter().map(|record| record.plan.task.clone()).collect();
        let mut unmade = episodes.iter().rev().filter(|record| record.plan.task.is_unmade());
        let fault = |record: &EpisodeRecord| match &record.outcome {
            Some(Outcome::Faulted { fault }) => Some(fault.clone()),
            _ => None,
        };
        let failure = unmade.find_map(fault);
        Self { draw, tasks, unplanned: Vec::new(), is_rendering: false, failure }
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

    /// The choices have these units. Returns the number of tasks that are new.
    fn add_units(&mut self, choices: &[DrawChoice], units: &[ChosenUnit]) -> u64 {
        self.is_rendering = false;
        for ChosenUnit { unit, failure } in units {
            match failure {
                None => self.draw.add_planned(unit),
                Some(fault) => {
                    self.draw.add_failed(unit);
                    self.failure = Some(fault.clone());
                }
            }
        }
        choices.iter().for_each(|choice| self.draw.set_planned(choice));
        units.iter().filter(|chosen| self.tasks.insert(chosen.unit.task.clone())).count() as u64
    }

    /// Why nothing more can be chosen although choices are missing. None if all are made, or some can
    /// be.
    pub(super) fn exhausted(&self) -> Option<Fault> {
        let fault = self.failure.as_ref().filter(|_| self.draw.is_exhausted())?;
        let what = format!("no template is left to draw from; the last failure: {}", fault.message);
        Some(Fault::new(fault.kind, what))
    }

    /// The rendering of the choices has panicked. They wait for a resume.
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
                Ok(chosen) => this.plan_chosen(&choices, chosen, ctx),
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

    /// Adds the units of choices to the plan. Those whose tasks cannot be made have ended at once.
    fn plan_chosen(
        &mut self,
        choices: &[DrawChoice],
        mut chosen: Vec<ChosenUnit>,
        ctx: &mut Context<Self>,
    ) {
        for ChosenUnit { unit, failure } in &mut chosen {
            unit.ordinal = self.sampler.place_chosen(unit, failure.is_none());
        }
        let planner = self.choices.as_mut();
        let tasks = planner.map_or(0, |planner| planner.add_units(choices, &chosen));
        let count = chosen.len() as u64;
        let (mut planned, mut failed) = (Vec::new(), Vec::new());
        for ChosenUnit { unit, failure } in chosen {
            match failure {
                None => planned.push(unit),
                Some(fault) => failed.push((unit, fault)),
            }
        }
        self.update_progress(|p| {
            p.tasks += tasks;
            p.episodes.planned += count;
            failed.iter().for_each(|(_, fault)| p.count(&faulted(fault)));
        });
        let records = planned.iter().cloned().map(EpisodeRecord::planned);
        records.for_each(|record| self.pending.push_back(record));
        let mut entries = vec![JournalEntry::Planned(planned)];
        entries.extend(failed_entries(&failed, self.services.clock.now_ms()));
        self.write(entries, ctx);
    }
}

/// The outcome of a unit whose task cannot be made.
fn faulted(fault: &Fault) -> Outcome {
    Outcome::Faulted { fault: fault.clone() }
}

/// The entries of units whose tasks cannot be made: planned, and faulted in their first attempt. They
/// are written together, so no start finds such a unit open.
pub(super) fn failed_entries(failed: &[(PlannedEpisode, Fault)], at_ms: i64) -> Vec<JournalEntry> {
    if failed.is_empty() {
        return Vec::new();
    }
    let mut entries =
        vec![JournalEntry::Planned(failed.iter().map(|(unit, _)| unit.clone()).collect())];
    for (unit, fault) in failed {
        tracing::warn!(unit = %unit.id, %fault, "a choice has failed");
        let (episode, attempt) = (unit.id.clone(), AttemptNumber::default().next());
        entries.extend([
            JournalEntry::AttemptStarted {
                episode: episode.clone(),
                attempt,
                resumed_from: None,
                at_ms,
            },
            JournalEntry::AttemptFaulted {
                episode: episode.clone(),
                attempt,
                fault: fault.clone(),
                at_ms,
            },
            JournalEntry::Finished {
                episode,
                attempt,
                outcome: Box::new(faulted(fault)),
                fingerprint: None,
                at_ms,
            },
        ]);
    }
    entries
}

/// Renders the tasks of choices, on a blocking thread. Err if that panics.
async fn render(
    kind: Arc<dyn WorkKind>,
    choices: Vec<DrawChoice>,
) -> Result<Vec<ChosenUnit>, Fault> {
    let made = tokio::task::spawn_blocking(move || kind.chosen_units(&choices)).await;
    made.map_err(|failure| Fault::new(FaultKind::Panicked, panic_text(failure)))
}

//! The campaign actor: its state and its message handlers. It owns the actors of its episodes and
//! decides what follows each end of an attempt.
//!
//! ```text
//!  pending ──place──► running ──concluded──► judging ──► done
//!     ▲                  │ fault
//!     └──── wait ◄───────┤ transient, attempts left
//!                        └ else ──► faulted (final, no label)
//! ```
//! When no episode is pending, running or being judged, the dataset is published and the campaign
//! is complete. `admission.rs` launches episodes, `exits.rs` has what follows the end of an
//! attempt, and `finish.rs` brings the campaign to rest.
//!
//! Every asynchronous step ends with a call of `admit`, which decides what to do next, unless the
//! campaign is at rest then. So no step needs to know what else is in progress. If the actor dies,
//! the engine shows the campaign as paused; its running episodes are cut off, because their
//! [`RunningUnit`] is dropped.

use super::choices::ChoicePlanner;
use super::diversity::DiversityWatch;
use super::messages::{
    CampaignHandle, CancelCampaign, DrainCampaign, PauseCampaign, ResumeCampaign,
};
use super::pending::PendingUnits;
use super::prepare::PreparedCampaign;
use super::progress::CampaignProgress;
use super::samples::SamplePlanner;
use super::waits::CampaignWaits;
use crate::model::{
    AttemptNumber, CampaignConfig, CampaignState, EpisodeId, EpisodeRecord, Fault, JournalEntry,
    Outcome, PlannedEpisode,
};
use crate::policy::RestartIntensity;
use crate::supervisor::spawn_actor;
use crate::work::{EngineServices, UnitHandle, WorkKind};
use actix::{Actor, ActorFutureExt, Context, Handler, ResponseActFuture, SpawnHandle, WrapFuture};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

/// More panics of episodes than this in [`PANIC_WINDOW`] pause the campaign.
const PANICS: usize = 10;
/// The period for [`PANICS`].
const PANIC_WINDOW: Duration = Duration::from_secs(60);

/// A unit with a running attempt. Dropping it cuts the attempt off. So a campaign that dies
/// leaves no attempt behind that goes on spending money.
pub(super) struct RunningUnit {
    pub(super) attempt: AttemptNumber,
    pub(super) record: EpisodeRecord,
    /// Cancels the attempt, also when it is dropped.
    pub(super) unit: UnitHandle,
    /// The place of the engine that the episode takes. It is free again after a fault, or when the
    /// queue of quality has the episode.
    pub(super) place: OwnedSemaphorePermit,
}

/// The state of a running campaign.
pub struct CampaignActor {
    pub(super) services: EngineServices,
    /// Knows how an attempt goes and what row it makes.
    pub(super) kind: Arc<dyn WorkKind>,
    pub(super) config: Arc<CampaignConfig>,
    pub(super) pending: PendingUnits,
    pub(super) sampler: SamplePlanner,
    /// Chooses tasks while the campaign runs. None if the plan is whole.
    pub(super) choices: Option<ChoicePlanner>,
    pub(super) running: HashMap<EpisodeId, RunningUnit>,
    /// The number of episodes whose next attempt waits for a timer after a fault.
    pub(super) resting: usize,
    /// The number of requests to quality and to the collector that have no answer yet.
    pub(super) writing: usize,
    /// The current wait for a place. At most one at a time.
    pub(super) asking: Option<SpawnHandle>,
    /// The number of the newest wait. A place that arrives for an older wait is given back: that
    /// wait was given up.
    pub(super) asked: u64,
    /// The last things are being written: the dataset, or the state in which the campaign rests.
    pub(super) closing: bool,
    /// The dataset is being written. The campaign can be neither paused nor cancelled any more.
    pub(super) publishing: bool,
    /// A drain was ordered: no more episodes are launched, and the actor stops at rest.
    pub(super) draining: bool,
    /// Episodes that have finished, have no row, and are not being judged now.
    pub(super) to_judge: VecDeque<EpisodeRecord>,
    /// Entries that the store did not take. After a resume they are written before anything else.
    pub(super) unwritten: Vec<JournalEntry>,
    /// Episodes whose recorded turns did not repeat. The number is the last attempt whose turns
    /// must not be replayed.
    pub(super) afresh: HashMap<EpisodeId, AttemptNumber>,
    /// Attempts of all episodes that ended in a fault which may be an outage, since the last
    /// verdict or the last resume.
    pub(super) lost_in_a_row: usize,
    /// Why planned episodes stay without an outcome, if their tasks are gone. Also: why a draw ended
    /// before it had made all choices.
    pub(super) left_open: Option<String>,
    /// The engine's limit of episodes at once. All campaigns share it and take turns.
    pub(super) slots: Arc<Semaphore>,
    /// Counts the panics of episodes.
    pub(super) intensity: RestartIntensity,
    /// The newest episodes, if their diversity is watched.
    pub(super) diversity: Option<DiversityWatch>,
    /// The ends of attempts and the answers that are awaited.
    pub(super) waits: CampaignWaits,
    pub(super) progress: watch::Sender<CampaignProgress>,
}

impl CampaignActor {
    /// Starts the actor of a prepared campaign. Returns its handle, the join handle that tells a
    /// panic from a normal end, and the sender of its progress. The engine uses the sender to show
    /// a campaign whose actor has died.
    pub fn start(
        services: EngineServices,
        prepared: PreparedCampaign,
        slots: Arc<Semaphore>,
    ) -> (CampaignHandle, JoinHandle<()>, watch::Sender<CampaignProgress>) {
        let PreparedCampaign { kind, episodes, draw, skipped, left_open, tasks, ordinal, .. } =
            prepared;
        let config = kind.config().clone();
        let sampler = SamplePlanner::new(&config, &episodes, ordinal);
        let choices = draw.map(|draw| ChoicePlanner::new(draw, &episodes));
        let diversity = config.diversity.map(DiversityWatch::new);
        let mut progress =
            CampaignProgress::new((config.name.clone(), config.kind), tasks, skipped);
        episodes.iter().for_each(|record| progress.add_record(record));
        progress.cost_usd = services.router.spent(&config.name);
        progress.already_complete = episodes.iter().all(|record| record.outcome.is_some());
        let (finished, pending): (Vec<_>, Vec<_>) =
            episodes.into_iter().partition(|record| record.outcome.is_some());
        // A finished episode has no row if the process ended before its row was written.
        let unjudged = |record: &EpisodeRecord| {
            record.judged.is_none() && record.outcome.as_ref().is_some_and(Outcome::makes_row)
        };
        let (progress, watched) = watch::channel(progress);
        // The handle keeps these, so that a client sees what the campaign waits for.
        let backend = config.kind.uses_sandboxes().then_some(config.sandbox.backend);
        let down = services.pool.down();
        let (publisher, router) = (progress.clone(), services.router.clone());
        let actor = Self {
            services,
            kind,
            config,
            pending: pending.into_iter().collect(),
            sampler,
            choices,
            running: HashMap::new(),
            resting: 0,
            writing: 0,
            asking: None,
            asked: 0,
            closing: false,
            publishing: false,
            draining: false,
            to_judge: finished.into_iter().filter(unjudged).collect(),
            unwritten: Vec::new(),
            afresh: HashMap::new(),
            lost_in_a_row: 0,
            left_open,
            slots,
            intensity: RestartIntensity::new(PANICS, PANIC_WINDOW),
            diversity,
            waits: CampaignWaits::default(),
            progress,
        };
        let (address, joined) = spawn_actor(actor);
        (CampaignHandle { address, progress: watched, backend, down, router }, joined, publisher)
    }

    /// The state that is shown now.
    pub(super) fn state(&self) -> CampaignState {
        self.progress.borrow().state
    }

    /// A copy of the progress that is shown now.
    pub(super) fn progress(&self) -> CampaignProgress {
        self.progress.borrow().clone()
    }

    /// Changes the progress and publishes it. The cost always comes from the ledger, which also
    /// counts calls that led to no step.
    pub(super) fn update_progress(&self, change: impl FnOnce(&mut CampaignProgress)) {
        let spent = self.services.router.spent(&self.config.name);
        self.progress.send_modify(|progress| {
            progress.cost_usd = spent;
            change(progress);
        });
    }

    /// Whether episodes may be launched.
    pub(super) fn is_open(&self) -> bool {
        self.state() == CampaignState::Running && !self.draining
    }

    /// Pauses because of a fault that another try will not repair. Running attempts are cut off,
    /// because they would meet the same fault.
    pub(super) fn escalate(&mut self, fault: &Fault) {
        self.pause_for(fault);
        self.cancel_running();
    }

    /// Pauses because of a fault, but lets running attempts finish. A stopped or cancelled campaign
    /// keeps its state.
    pub(super) fn pause_for(&mut self, fault: &Fault) {
        tracing::error!(campaign = %self.config.name, %fault, "the campaign pauses");
        if matches!(self.state(), CampaignState::Running | CampaignState::Paused) {
            self.update_progress(|p| p.pause_for(fault));
        }
    }

    /// Cuts off every running attempt. Each one ends with a `Cancelled` fault, and its episode
    /// waits again.
    pub(super) fn cancel_running(&mut self) {
        self.running.values().for_each(|child| child.unit.cancel());
    }

    /// Sends entries to the journal. If the store does not take them, they are kept for the next
    /// resume, the campaign pauses, and running attempts are cut off.
    pub(super) fn write(&mut self, entries: Vec<JournalEntry>, ctx: &mut Context<Self>) {
        self.writing += 1;
        let collector = self.services.collector.clone();
        let sent = entries.clone();
        let written = async move { collector.record(sent).await };
        self.when(ctx, written, |written, this, ctx| {
            this.writing -= 1;
            if let Err(fault) = written {
                this.unwritten.extend(entries);
                this.escalate(&fault);
            }
            this.admit(ctx);
        });
    }

    /// Plans the samples that are needed now that an episode has ended.
    pub(super) fn plan_more(
        &mut self,
        ended: &PlannedEpisode,
        outcome: &Outcome,
        ctx: &mut Context<Self>,
    ) {
        let more = self.sampler.plan_after(ended, outcome);
        self.choices.iter_mut().for_each(|planner| planner.add_ended(ended, outcome, &more));
        if more.is_empty() {
            return;
        }
        let plans = more.iter().map(|record| record.plan.clone()).collect();
        self.update_progress(|p| p.episodes.planned += more.len() as u64);
        more.into_iter().for_each(|record| self.pending.push_back(record));
        self.write(vec![JournalEntry::Planned(plans)], ctx);
    }

    /// The journal entry with the state that is shown now.
    pub(super) fn state_entry(&self) -> JournalEntry {
        let progress = self.progress.borrow();
        JournalEntry::CampaignMoved {
            campaign: progress.campaign.clone(),
            state: progress.state,
            reason: progress.reason.clone(),
        }
    }
}

impl Actor for CampaignActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.admit(ctx);
    }
}

/// The answer to a command: whether it was obeyed. It is sent after the store has the new state. So
/// what a client was told is true even if the process is killed the next moment.
type CommandResponse = ResponseActFuture<CampaignActor, bool>;

impl CampaignActor {
    /// Writes the new state and answers true when it is durable. If the store does not take it, the
    /// campaign pauses with that fault and the answer is false.
    fn obeyed(&mut self, ctx: &mut Context<Self>) -> CommandResponse {
        self.writing += 1;
        let (collector, entry) = (self.services.collector.clone(), self.state_entry());
        let written = async move { collector.record(vec![entry]).await };
        self.admit(ctx);
        Box::pin(written.into_actor(self).map(|written, this, ctx| {
            this.writing -= 1;
            if let Err(fault) = &written {
                this.escalate(fault);
            }
            this.admit(ctx);
            written.is_ok()
        }))
    }
}

/// The answer to a command that the campaign is in no state to obey.
fn refused() -> CommandResponse {
    Box::pin(actix::fut::ready(false))
}

impl Handler<PauseCampaign> for CampaignActor {
    type Result = CommandResponse;

    fn handle(&mut self, message: PauseCampaign, ctx: &mut Self::Context) -> CommandResponse {
        if self.state() != CampaignState::Running || self.publishing {
            return refused();
        }
        self.update_progress(|p| {
            p.state = CampaignState::Paused;
            p.reason = Some(message.0);
        });
        self.obeyed(ctx)
    }
}

impl Handler<ResumeCampaign> for CampaignActor {
    type Result = CommandResponse;

    fn handle(&mut self, _: ResumeCampaign, ctx: &mut Self::Context) -> CommandResponse {
        if self.state() != CampaignState::Paused || self.draining {
            return refused();
        }
        // A person resumed the campaign, so the counts of faults begin anew.
        self.intensity.reset();
        self.lost_in_a_row = 0;
        self.update_progress(|p| {
            p.state = CampaignState::Running;
            p.reason = None;
            p.escalated = false;
            p.cause = None;
            p.settled = false;
        });
        // What the store did not take before the pause goes first.
        let unwritten = std::mem::take(&mut self.unwritten);
        if !unwritten.is_empty() {
            self.write(unwritten, ctx);
        }
        self.obeyed(ctx)
    }
}

impl Handler<CancelCampaign> for CampaignActor {
    type Result = CommandResponse;

    fn handle(&mut self, _: CancelCampaign, ctx: &mut Self::Context) -> CommandResponse {
        // Every episode has ended and the dataset version is complete or almost so. A cancel would
        // be acknowledged without any effect, so it is refused.
        if self.state() == CampaignState::Complete || self.publishing {
            return refused();
        }
        self.update_progress(|p| {
            p.state = CampaignState::Cancelled;
            p.settled = false;
        });
        self.cancel_running();
        self.obeyed(ctx)
    }
}

impl Handler<DrainCampaign> for CampaignActor {
    type Result = bool;

    fn handle(&mut self, message: DrainCampaign, ctx: &mut Self::Context) -> bool {
        self.draining = true;
        // A complete campaign stops its actor by itself; it stays settled.
        if self.state() != CampaignState::Complete {
            self.update_progress(|p| p.settled = false);
        }
        if message.cut {
            self.cancel_running();
        }
        self.admit(ctx);
        true
    }
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for CampaignActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into the campaign");
    }
}

//! The campaign actor: its state, and what it is told. It owns its episodes' actors and
//! decides what follows each exit.
//!
//! ```text
//!  pending ──permit──► running ──concluded──► judging ──► done
//!     ▲                   │ fault
//!     └──── wait ◄────────┤ transient, attempts left
//!                         └ else ──► faulted (final, no label)
//! ```
//! When nothing is pending, running or being judged, the dataset is published and the
//! campaign is complete. Admission is in [`super::admission`], what follows an exit in
//! [`super::exits`], coming to rest in [`super::rest`].

use super::messages::{
    CampaignHandle, CancelCampaign, DrainCampaign, PauseCampaign, ResumeCampaign,
};
use super::pending::PendingEpisodes;
use super::prepare::PreparedCampaign;
use super::progress::CampaignProgress;
use super::samples::SamplePlanner;
use crate::episode::EngineServices;
use crate::model::{
    AttemptNumber, CampaignConfig, CampaignState, EpisodeId, EpisodeRecord, Fault, JournalEntry,
    Outcome, PlannedEpisode,
};
use crate::policy::RestartIntensity;
use crate::supervisor::spawn_actor;
use crate::task::TaskSource;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, SpawnHandle,
    WrapFuture,
};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Panics of episodes in a window, beyond which the campaign pauses.
const PANICS: usize = 10;
const PANIC_WINDOW: Duration = Duration::from_secs(60);

/// An episode that runs. Dropped, it is cut off: a campaign that dies leaves nobody behind
/// who goes on spending.
pub(super) struct RunningEpisode {
    pub(super) attempt: AttemptNumber,
    pub(super) record: EpisodeRecord,
    pub(super) cancel: CancellationToken,
    pub(super) _cut: DropGuard,
    pub(super) place: OwnedSemaphorePermit,
}

pub struct CampaignActor {
    pub(super) world: EngineServices,
    pub(super) planner: Arc<super::plan::CampaignPlanner>,
    pub(super) config: Arc<CampaignConfig>,
    /// Renders the task of each attempt.
    pub(super) tasks: Arc<TaskSource>,
    pub(super) pending: PendingEpisodes,
    pub(super) sampler: SamplePlanner,
    pub(super) running: HashMap<EpisodeId, RunningEpisode>,
    /// Episodes that wait for their next attempt.
    pub(super) resting: usize,
    /// Answers of quality and of the collector that are still to come.
    pub(super) writing: usize,
    /// The wait for a place.
    pub(super) asking: Option<SpawnHandle>,
    /// Counts the waits: a place that comes after its wait was given up belongs to nobody here.
    pub(super) asked: u64,
    /// The last things are being written: the dataset, or where it rests.
    pub(super) closing: bool,
    /// The dataset is being written: the campaign can be neither paused nor cancelled any more.
    pub(super) publishing: bool,
    pub(super) draining: bool,
    /// Finished, but without a row.
    pub(super) to_judge: VecDeque<EpisodeRecord>,
    /// What the store did not take; written before anything else after a resume.
    pub(super) unwritten: Vec<JournalEntry>,
    /// Episodes whose recorded turns do not repeat, up to which attempt.
    pub(super) afresh: HashMap<EpisodeId, AttemptNumber>,
    /// Attempts in a row, over all episodes, that ended in what may be an outage.
    pub(super) lost_in_a_row: usize,
    /// The engine's bound on episodes at once, shared fairly by all campaigns.
    pub(super) places: Arc<Semaphore>,
    pub(super) intensity: RestartIntensity,
    progress: watch::Sender<CampaignProgress>,
}

impl CampaignActor {
    /// Starts a prepared campaign.
    pub fn start(
        world: EngineServices,
        prepared: PreparedCampaign,
        places: Arc<Semaphore>,
    ) -> (CampaignHandle, JoinHandle<()>, watch::Sender<CampaignProgress>) {
        let PreparedCampaign { planner, episodes, skipped, tasks, ordinal, .. } = prepared;
        let config = planner.config.clone();
        let sampler = SamplePlanner::new(&config, &episodes, ordinal);
        let mut progress = CampaignProgress::new(config.name.clone(), tasks, skipped);
        episodes.iter().for_each(|record| progress.add_record(record));
        progress.cost_usd = world.router.spent(&config.name);
        progress.already_complete = episodes.iter().all(|record| record.outcome.is_some());
        let (finished, pending): (Vec<_>, Vec<_>) =
            episodes.into_iter().partition(|record| record.outcome.is_some());
        let unjudged = |record: &EpisodeRecord| {
            record.judged.is_none() && matches!(record.outcome, Some(Outcome::Judged { .. }))
        };
        let (progress, watched) = watch::channel(progress);
        let (backend, down) = (config.sandbox.backend, world.pool.down());
        let (publisher, router) = (progress.clone(), world.router.clone());
        let actor = Self {
            world,
            tasks: planner.tasks(),
            planner,
            config,
            pending: pending.into_iter().collect(),
            sampler,
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
            places,
            intensity: RestartIntensity::new(PANICS, PANIC_WINDOW),
            progress,
        };
        let (address, joined) = spawn_actor(actor);
        (CampaignHandle { address, progress: watched, backend, down, router }, joined, publisher)
    }

    pub(super) fn state(&self) -> CampaignState {
        self.progress.borrow().state
    }

    pub(super) fn progress(&self) -> CampaignProgress {
        self.progress.borrow().clone()
    }

    /// Shows a change; the cost is always the ledger's, which counts what no step tells of.
    pub(super) fn update_progress(&self, change: impl FnOnce(&mut CampaignProgress)) {
        let spent = self.world.router.spent(&self.config.name);
        self.progress.send_modify(|progress| {
            progress.cost_usd = spent;
            change(progress);
        });
    }

    /// Whether episodes may be launched.
    pub(super) fn is_open(&self) -> bool {
        self.state() == CampaignState::Running && !self.draining
    }

    /// Something is wrong that trying again will not mend: rest, and say so. What runs is
    /// cut off: it would meet the same.
    pub(super) fn escalate(&mut self, fault: &Fault) {
        self.pause_for(fault);
        self.cancel_running();
    }

    /// Rests because of a fault, and lets what runs come to its end. A campaign that was
    /// stopped or cancelled stays what it is.
    pub(super) fn pause_for(&mut self, fault: &Fault) {
        tracing::error!(campaign = %self.config.name, %fault, "the campaign pauses");
        if matches!(self.state(), CampaignState::Running | CampaignState::Paused) {
            self.update_progress(|p| p.pause_for(fault));
        }
    }

    pub(super) fn cancel_running(&mut self) {
        self.running.values().for_each(|child| child.cancel.cancel());
    }

    /// Writes entries; kept for later where the store does not take them.
    pub(super) fn write(&mut self, entries: Vec<JournalEntry>, ctx: &mut Context<Self>) {
        self.writing += 1;
        let collector = self.world.collector.clone();
        let sent = entries.clone();
        ctx.spawn(async move { collector.record(sent).await }.into_actor(self).map(
            |written, this, ctx| {
                this.writing -= 1;
                if let Err(fault) = written {
                    this.unwritten.extend(entries);
                    this.escalate(&fault);
                }
                this.admit(ctx);
            },
        ));
    }

    /// Plans what is to be tried now that an episode has ended.
    pub(super) fn plan_more(
        &mut self,
        ended: &PlannedEpisode,
        outcome: &Outcome,
        ctx: &mut Context<Self>,
    ) {
        let more = self.sampler.plan_after(ended, outcome);
        if more.is_empty() {
            return;
        }
        let plans = more.iter().map(|record| record.plan.clone()).collect();
        self.update_progress(|p| p.episodes.planned += more.len() as u64);
        more.into_iter().for_each(|record| self.pending.push_back(record));
        self.write(vec![JournalEntry::Planned(plans)], ctx);
    }

    /// Where the campaign stands, as an entry.
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

/// Whether the order was obeyed, answered when the store knows of it: what a client was told
/// holds even if the process is killed the next moment.
type CommandResponse = ResponseActFuture<CampaignActor, bool>;

impl CampaignActor {
    fn obeyed(&mut self, ctx: &mut Context<Self>) -> CommandResponse {
        self.writing += 1;
        let (collector, standing) = (self.world.collector.clone(), self.state_entry());
        let written = async move { collector.record(vec![standing]).await };
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
        self.intensity.reset();
        self.lost_in_a_row = 0;
        self.update_progress(|p| {
            p.state = CampaignState::Running;
            p.reason = None;
            p.escalated = false;
            p.cause = None;
            p.settled = false;
        });
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
        // All episodes are over, and the version that is being written is complete: an order that
        // was acknowledged and had no effect would be a lie.
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
        // A campaign that has said everything is on its way out already.
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

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

use super::messages::{CampaignHandle, Cancel, Drain, Pause, Resume};
use super::pending::Pending;
use super::prepare::Prepared;
use super::progress::Progress;
use super::samples::Sampler;
use crate::episode::World;
use crate::model::{
    Attempt, CampaignConfig, CampaignState, Entry, EpisodeId, EpisodeRecord, Fault, Outcome,
    PlannedEpisode,
};
use crate::policy::Intensity;
use crate::supervisor::spawn_actor;
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
pub(super) struct Child {
    pub(super) attempt: Attempt,
    pub(super) record: EpisodeRecord,
    pub(super) cancel: CancellationToken,
    pub(super) _cut: DropGuard,
    pub(super) place: OwnedSemaphorePermit,
}

pub struct CampaignActor {
    pub(super) world: World,
    pub(super) planner: Arc<super::plan::Planner>,
    pub(super) config: Arc<CampaignConfig>,
    pub(super) pending: Pending,
    pub(super) sampler: Sampler,
    pub(super) running: HashMap<EpisodeId, Child>,
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
    pub(super) unwritten: Vec<Entry>,
    /// Episodes whose recorded turns do not repeat, up to which attempt.
    pub(super) afresh: HashMap<EpisodeId, Attempt>,
    /// Attempts in a row, over all episodes, that ended in what may be an outage.
    pub(super) lost_in_a_row: usize,
    /// The engine's bound on episodes at once, shared fairly by all campaigns.
    pub(super) places: Arc<Semaphore>,
    pub(super) intensity: Intensity,
    progress: watch::Sender<Progress>,
}

impl CampaignActor {
    /// Starts a prepared campaign.
    pub fn start(
        world: World,
        prepared: Prepared,
        places: Arc<Semaphore>,
    ) -> (CampaignHandle, JoinHandle<()>, watch::Sender<Progress>) {
        let Prepared { planner, episodes, skipped, tasks, ordinal, .. } = prepared;
        let config = planner.config.clone();
        let sampler = Sampler::new(&config, &episodes, ordinal);
        let mut progress = Progress::new(config.name.clone(), tasks, skipped);
        episodes.iter().for_each(|record| progress.found(record));
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
            intensity: Intensity::new(PANICS, PANIC_WINDOW),
            progress,
        };
        let (address, joined) = spawn_actor(actor);
        (CampaignHandle { address, progress: watched, backend, down, router }, joined, publisher)
    }

    pub(super) fn state(&self) -> CampaignState {
        self.progress.borrow().state
    }

    pub(super) fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }

    /// Shows a change; the cost is always the ledger's, which counts what no step tells of.
    pub(super) fn show(&self, change: impl FnOnce(&mut Progress)) {
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
        self.cut_off();
    }

    /// Rests because of a fault, and lets what runs come to its end. A campaign that was
    /// stopped or cancelled stays what it is.
    pub(super) fn pause_for(&mut self, fault: &Fault) {
        tracing::error!(campaign = %self.config.name, %fault, "the campaign pauses");
        if matches!(self.state(), CampaignState::Running | CampaignState::Paused) {
            self.show(|p| p.pause_for(fault));
        }
    }

    pub(super) fn cut_off(&mut self) {
        self.running.values().for_each(|child| child.cancel.cancel());
    }

    /// Writes entries; kept for later where the store does not take them.
    pub(super) fn write(&mut self, entries: Vec<Entry>, ctx: &mut Context<Self>) {
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
        let more = self.sampler.after(ended, outcome);
        if more.is_empty() {
            return;
        }
        let plans = more.iter().map(|record| record.plan.clone()).collect();
        self.show(|p| p.episodes.planned += more.len() as u64);
        more.into_iter().for_each(|record| self.pending.push_back(record));
        self.write(vec![Entry::Planned(plans)], ctx);
    }

    /// Where the campaign stands, as an entry.
    pub(super) fn standing(&self) -> Entry {
        let progress = self.progress.borrow();
        Entry::CampaignMoved {
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
type Obeyed = ResponseActFuture<CampaignActor, bool>;

impl CampaignActor {
    fn obeyed(&mut self, ctx: &mut Context<Self>) -> Obeyed {
        self.writing += 1;
        let (collector, standing) = (self.world.collector.clone(), self.standing());
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

fn refused() -> Obeyed {
    Box::pin(actix::fut::ready(false))
}

impl Handler<Pause> for CampaignActor {
    type Result = Obeyed;

    fn handle(&mut self, message: Pause, ctx: &mut Self::Context) -> Obeyed {
        if self.state() != CampaignState::Running || self.publishing {
            return refused();
        }
        self.show(|p| {
            p.state = CampaignState::Paused;
            p.reason = Some(message.0);
        });
        self.obeyed(ctx)
    }
}

impl Handler<Resume> for CampaignActor {
    type Result = Obeyed;

    fn handle(&mut self, _: Resume, ctx: &mut Self::Context) -> Obeyed {
        if self.state() != CampaignState::Paused || self.draining {
            return refused();
        }
        self.intensity.reset();
        self.lost_in_a_row = 0;
        self.show(|p| {
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

impl Handler<Cancel> for CampaignActor {
    type Result = Obeyed;

    fn handle(&mut self, _: Cancel, ctx: &mut Self::Context) -> Obeyed {
        // All episodes are over, and the version that is being written is complete: an order that
        // was acknowledged and had no effect would be a lie.
        if self.state() == CampaignState::Complete || self.publishing {
            return refused();
        }
        self.show(|p| {
            p.state = CampaignState::Cancelled;
            p.settled = false;
        });
        self.cut_off();
        self.obeyed(ctx)
    }
}

impl Handler<Drain> for CampaignActor {
    type Result = bool;

    fn handle(&mut self, message: Drain, ctx: &mut Self::Context) -> bool {
        self.draining = true;
        // A campaign that has said everything is on its way out already.
        if self.state() != CampaignState::Complete {
            self.show(|p| p.settled = false);
        }
        if message.cut {
            self.cut_off();
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

//! The campaign actor. It owns its episodes' actors and decides what follows each exit.
//!
//! ```text
//!  pending ──permit──► running ──concluded──► judging ──► done
//!     ▲                   │ fault
//!     └──── wait ◄────────┤ transient, attempts left
//!                         └ else ──► faulted (final, no label)
//! ```
//! When nothing is pending, running or being judged, the dataset is published and the
//! campaign is complete.

use super::messages::{CampaignHandle, Cancel, Drain, Pause, Resume};
use super::prepare::Prepared;
use super::progress::Progress;
use crate::episode::{Assignment, Conclusion, Exit, World, launch};
use crate::model::{
    Attempt, CampaignConfig, CampaignState, Entry, EpisodeId, EpisodeRecord, Fault, FaultKind,
    Outcome, StopReason, Task, Verdict,
};
use crate::policy::{Decision, Intensity, Retry};
use crate::quality::{Finished, Judgement, Publish};
use crate::scaffold;
use crate::supervisor::spawn_actor;
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Panics of episodes in a window, beyond which the campaign pauses.
const PANICS: usize = 10;
const PANIC_WINDOW: Duration = Duration::from_secs(60);

struct Child {
    attempt: Attempt,
    record: EpisodeRecord,
    cancel: CancellationToken,
    _place: OwnedSemaphorePermit,
}

pub struct CampaignActor {
    world: World,
    planner: Arc<super::plan::Planner>,
    config: Arc<CampaignConfig>,
    pending: VecDeque<EpisodeRecord>,
    running: HashMap<EpisodeId, Child>,
    /// Episodes that wait for their next attempt.
    resting: usize,
    judging: usize,
    asking: bool,
    publishing: bool,
    draining: bool,
    to_judge: VecDeque<EpisodeRecord>,
    /// The engine's bound on episodes at once, shared fairly by all campaigns.
    places: Arc<Semaphore>,
    intensity: Intensity,
    progress: watch::Sender<Progress>,
}

impl CampaignActor {
    /// Starts a prepared campaign.
    pub fn start(
        world: World,
        prepared: Prepared,
        places: Arc<Semaphore>,
    ) -> (CampaignHandle, JoinHandle<()>) {
        let Prepared { planner, episodes, skipped, tasks, .. } = prepared;
        let config = planner.config.clone();
        let mut progress = Progress::new(config.name.clone(), tasks, skipped);
        episodes.iter().for_each(|record| progress.found(record));
        progress.already_complete = episodes.iter().all(|record| record.outcome.is_some());
        let (finished, pending): (Vec<_>, Vec<_>) =
            episodes.into_iter().partition(|record| record.outcome.is_some());
        let unjudged = |record: &EpisodeRecord| {
            !record.judged && matches!(record.outcome, Some(Outcome::Judged { .. }))
        };
        let (progress, watched) = watch::channel(progress);
        let actor = Self {
            world,
            planner: Arc::new(planner),
            config,
            pending: pending.into(),
            running: HashMap::new(),
            resting: 0,
            judging: 0,
            asking: false,
            publishing: false,
            draining: false,
            to_judge: finished.into_iter().filter(unjudged).collect(),
            places,
            intensity: Intensity::new(PANICS, PANIC_WINDOW),
            progress,
        };
        let (address, joined) = spawn_actor(actor);
        (CampaignHandle { address, progress: watched }, joined)
    }

    fn state(&self) -> CampaignState {
        self.progress.borrow().state
    }

    fn show(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(change);
    }

    /// Asks for a place, one at a time, so that campaigns take turns.
    fn admit(&mut self, ctx: &mut Context<Self>) {
        self.show(|p| p.running = self.running.len() as u64);
        let full = self.running.len() >= self.config.concurrency;
        let open = self.state() == CampaignState::Running && !self.draining;
        if self.asking || full || !open || self.pending.is_empty() {
            return self.settle(ctx);
        }
        self.asking = true;
        let places = self.places.clone();
        ctx.spawn(async move { places.acquire_owned().await }.into_actor(self).map(
            |place, this, ctx| {
                this.asking = false;
                let open = this.state() == CampaignState::Running && !this.draining;
                if let (Ok(place), true) = (place, open)
                    && let Some(record) = this.pending.pop_front()
                {
                    this.launch(record, place, ctx);
                }
                this.admit(ctx);
            },
        ));
    }

    fn launch(
        &mut self,
        mut record: EpisodeRecord,
        place: OwnedSemaphorePermit,
        ctx: &mut Context<Self>,
    ) {
        let attempt = record.attempt.next();
        record.attempt = attempt;
        let cancel = CancellationToken::new();
        let id = record.plan.id.clone();
        let orders = match self.orders(&record, attempt) {
            Ok(orders) => orders,
            Err(fault) => return self.give_up(record, fault, ctx),
        };
        let (address, joined, exit) = launch(self.world.clone(), orders, cancel.clone());
        self.running.insert(id.clone(), Child { attempt, record, cancel, _place: place });
        let ended = async move {
            let exit = exit.await;
            // The exit is sent before the actor stops; one that sent none has died.
            let died = joined.await;
            drop(address);
            exit.unwrap_or_else(|_| {
                let why = died.err().map_or_else(
                    || "the episode ended without a word".to_owned(),
                    crate::supervisor::panic_text,
                );
                Exit::Faulted(Fault::new(FaultKind::Panicked, why))
            })
        };
        ctx.spawn(ended.into_actor(self).map(move |exit, this, ctx| {
            this.on_exit(&id, attempt, exit, ctx);
        }));
    }

    fn orders(&self, record: &EpisodeRecord, attempt: Attempt) -> Result<Assignment, Fault> {
        let task = self.task(record)?;
        let scaffold = scaffold::by_name(&record.plan.scaffold).ok_or_else(|| {
            Fault::new(FaultKind::TaskSetup, format!("no scaffold {}", record.plan.scaffold))
        })?;
        let (plan, config) = (record.plan.clone(), self.config.clone());
        Ok(Assignment { plan, attempt, task, scaffold, config })
    }

    fn task(&self, record: &EpisodeRecord) -> Result<Arc<Task>, Fault> {
        let plan = &record.plan;
        let task = self.planner.task(&plan.template, plan.index);
        let task = task.map_err(|error| Fault::new(FaultKind::TaskSetup, error.to_string()))?;
        if task.id != plan.task {
            let changed =
                format!("the template {} has changed since it was planned", plan.template);
            return Err(Fault::new(FaultKind::TaskSetup, changed));
        }
        Ok(Arc::new(task))
    }

    fn on_exit(&mut self, id: &EpisodeId, attempt: Attempt, exit: Exit, ctx: &mut Context<Self>) {
        // Whatever a dead attempt still says is of no interest.
        if self.running.get(id).is_none_or(|child| child.attempt != attempt) {
            return;
        }
        let Some(child) = self.running.remove(id) else { return };
        match exit {
            Exit::Concluded(conclusion) => self.conclude(child.record, *conclusion, ctx),
            Exit::Faulted(fault) => self.on_fault(child.record, fault, ctx),
        }
        self.admit(ctx);
    }

    fn conclude(&mut self, record: EpisodeRecord, conclusion: Conclusion, ctx: &mut Context<Self>) {
        let Conclusion { stop, verdict, turns, fingerprint, started_at_ms, finished_at_ms } =
            conclusion;
        let outcome = Outcome::Judged { stop, verdict: verdict.clone() };
        self.show(|p| {
            p.count(&outcome);
            p.steps += turns.len() as u64;
            for turn in &turns {
                p.tokens.input += turn.step.usage.input_tokens;
                p.tokens.output += turn.step.usage.output_tokens;
                p.cost_usd = p.cost_usd.saturating_add(turn.step.cost);
            }
        });
        let task = match self.task(&record) {
            Ok(task) => task,
            Err(fault) => return self.escalate(&fault.to_string()),
        };
        let judgement = Judgement {
            attempt: record.attempt,
            plan: record.plan,
            task,
            turns: Arc::new(turns),
            stop,
            verdict,
            fingerprint,
            started_at_ms,
            finished_at_ms,
            policy: self.config.quality.clone(),
            splits: self.config.dataset.splits,
        };
        self.judge(judgement, ctx);
    }

    fn judge(&mut self, judgement: Judgement, ctx: &mut Context<Self>) {
        self.judging += 1;
        let quality = self.world.quality.clone();
        ctx.spawn(async move { quality.judge(judgement).await }.into_actor(self).map(
            |judged, this, ctx| {
                this.judging -= 1;
                match judged {
                    Ok(Finished { accepted: true }) => this.show(|p| p.rows.accepted += 1),
                    Ok(Finished { accepted: false }) => this.show(|p| p.rows.rejected += 1),
                    Err(fault) => this.escalate(&fault.to_string()),
                }
                this.admit(ctx);
            },
        ));
    }

    fn on_fault(&mut self, mut record: EpisodeRecord, fault: Fault, ctx: &mut Context<Self>) {
        let (campaign, episode) = (&record.plan.campaign, &record.plan.id);
        tracing::warn!(%campaign, %episode, attempt = record.attempt.0, %fault, "attempt ended");
        if fault.kind == FaultKind::Panicked && !self.intensity.allows(Instant::now()) {
            self.escalate(&format!("episodes panic too often, the last: {}", fault.message));
        }
        if fault.kind.consumes_attempt() {
            record.failed_attempts += 1;
        }
        match fault.kind {
            FaultKind::Budget => return self.stop_at_budget(record, &fault),
            FaultKind::Store => {
                self.escalate(&fault.to_string());
                return self.pending.push_front(record);
            }
            FaultKind::Cancelled | FaultKind::Interrupted => {
                return self.pending.push_front(record);
            }
            _ => {}
        }
        self.write_fault(&record, &fault, ctx);
        let retry = Retry {
            attempts: self.config.episode.attempts,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(30),
        };
        match retry.decide(&fault, record.failed_attempts, record.plan.id.as_str()) {
            Decision::GiveUp => self.give_up(record, fault, ctx),
            Decision::Again { after } => {
                self.resting += 1;
                ctx.run_later(after, move |this, ctx| {
                    this.resting -= 1;
                    this.pending.push_front(record);
                    this.admit(ctx);
                });
            }
        }
    }

    fn write_fault(&mut self, record: &EpisodeRecord, fault: &Fault, ctx: &mut Context<Self>) {
        let entry = Entry::AttemptFaulted {
            episode: record.plan.id.clone(),
            attempt: record.attempt,
            fault: fault.clone(),
            at_ms: self.world.clock.now_ms(),
        };
        self.write(vec![entry], ctx);
    }

    /// Final, but no label: the episode shows up as faulted and makes no row.
    fn give_up(&mut self, record: EpisodeRecord, fault: Fault, ctx: &mut Context<Self>) {
        let outcome = Outcome::Faulted { fault };
        self.show(|p| p.count(&outcome));
        let at_ms = self.world.clock.now_ms();
        let mut entries = Vec::new();
        if record.attempt == Attempt::default().next() {
            // It may have failed before the attempt was written down.
            entries.push(Entry::AttemptStarted {
                episode: record.plan.id.clone(),
                attempt: record.attempt,
                resumed_from: None,
                at_ms,
            });
        }
        entries.push(Entry::Finished {
            episode: record.plan.id,
            attempt: record.attempt,
            outcome: Box::new(outcome),
            fingerprint: None,
            at_ms,
        });
        self.write(entries, ctx);
    }

    fn stop_at_budget(&mut self, record: EpisodeRecord, fault: &Fault) {
        self.pending.push_front(record);
        self.show(|p| {
            p.state = CampaignState::Stopped;
            p.reason = Some(fault.message.clone());
        });
        self.cut_off();
    }

    /// Something is wrong that trying again will not mend: rest, and say so.
    fn escalate(&mut self, why: &str) {
        tracing::error!(campaign = %self.config.name, why, "the campaign pauses");
        self.show(|p| {
            p.state = CampaignState::Paused;
            p.reason = Some(why.to_owned());
            p.escalated = true;
        });
        self.cut_off();
    }

    fn cut_off(&mut self) {
        self.running.values().for_each(|child| child.cancel.cancel());
    }

    fn write(&mut self, entries: Vec<Entry>, ctx: &mut Context<Self>) {
        self.judging += 1;
        let collector = self.world.collector.clone();
        ctx.spawn(async move { collector.record(entries).await }.into_actor(self).map(
            |written, this, ctx| {
                this.judging -= 1;
                if let Err(fault) = written {
                    this.escalate(&fault.to_string());
                }
                this.admit(ctx);
            },
        ));
    }

    /// Whether anything still moves; at rest the campaign publishes, or says that it rests.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        let busy = !self.running.is_empty() || self.judging > 0 || self.asking || self.publishing;
        if busy {
            return;
        }
        if let Some(record) = self.to_judge.pop_front() {
            return self.judge_again(record, ctx);
        }
        let over = self.pending.is_empty() && self.resting == 0;
        match self.state() {
            CampaignState::Running if over && !self.draining => self.publish(ctx),
            CampaignState::Running if !self.draining => {}
            CampaignState::Running => self.rest(CampaignState::Running, ctx),
            state => self.rest(state, ctx),
        }
    }

    /// An episode that finished just before the process died has no row yet.
    fn judge_again(&mut self, record: EpisodeRecord, ctx: &mut Context<Self>) {
        let task = match self.task(&record) {
            Ok(task) => task,
            Err(fault) => return self.escalate(&fault.to_string()),
        };
        self.judging += 1;
        let world = self.world.clone();
        let config = self.config.clone();
        let found = async move { recover(&world, &config, record, task).await };
        ctx.spawn(found.into_actor(self).map(|found, this, ctx| {
            this.judging -= 1;
            match found {
                Ok(judgement) => this.judge(judgement, ctx),
                Err(fault) => this.escalate(&fault.to_string()),
            }
        }));
    }

    fn publish(&mut self, ctx: &mut Context<Self>) {
        self.publishing = true;
        let progress = self.progress.borrow().clone();
        let (quality, collector) = (self.world.quality.clone(), self.world.collector.clone());
        let publish = Publish {
            campaign: self.config.name.clone(),
            config: self.config.clone(),
            planned: progress.episodes.planned,
            faulted: progress.episodes.faulted,
        };
        let work = async move {
            let record = quality.publish(publish.clone()).await?;
            let moved = Entry::CampaignMoved {
                campaign: publish.campaign,
                state: CampaignState::Complete,
                reason: None,
            };
            collector.record(vec![moved]).await?;
            Ok::<_, Fault>(record)
        };
        ctx.spawn(work.into_actor(self).map(|published, this, ctx| {
            this.publishing = false;
            match published {
                Ok(record) => {
                    this.show(|p| {
                        p.rows.accepted = record.rows.values().sum();
                        p.rows.rejected = record.rejected.values().sum();
                        p.dataset = Some(record);
                        p.state = CampaignState::Complete;
                        p.settled = true;
                    });
                    ctx.stop();
                }
                Err(fault) => {
                    this.escalate(&fault.to_string());
                    this.settle(ctx);
                }
            }
        }));
    }

    /// At rest: written down, then published as settled.
    fn rest(&mut self, state: CampaignState, ctx: &mut Context<Self>) {
        if self.progress.borrow().settled {
            return;
        }
        let moved = Entry::CampaignMoved {
            campaign: self.config.name.clone(),
            state,
            reason: self.progress.borrow().reason.clone(),
        };
        let collector = self.world.collector.clone();
        let draining = self.draining;
        self.publishing = true;
        ctx.spawn(async move { collector.record(vec![moved]).await }.into_actor(self).map(
            move |written, this, ctx| {
                this.publishing = false;
                if let Err(fault) = written {
                    tracing::error!(%fault, "the campaign's state could not be written");
                }
                // Resumed, cancelled or drained meanwhile: this is not where it rests.
                if this.state() != state || this.draining != draining {
                    return this.admit(ctx);
                }
                this.show(|p| {
                    p.running = 0;
                    p.settled = true;
                });
                if draining || state == CampaignState::Cancelled {
                    ctx.stop();
                }
            },
        ));
    }
}

/// The judgement of an episode out of the journal.
async fn recover(
    world: &World,
    config: &CampaignConfig,
    record: EpisodeRecord,
    task: Arc<Task>,
) -> Result<Judgement, Fault> {
    let turns = world.journal.turns(&record.plan.id, record.attempt).await?;
    let attempts = world.journal.attempts(&record.plan.id).await?;
    let started = attempts.iter().find(|a| a.attempt == record.attempt).map(|a| a.started_at_ms);
    let (stop, verdict) = match record.outcome {
        Some(Outcome::Judged { stop, verdict }) => (stop, verdict),
        _ => (StopReason::Submitted, Verdict::agree(Vec::new(), &[])),
    };
    let finished_at_ms = record.finished_at_ms.unwrap_or_default();
    Ok(Judgement {
        attempt: record.attempt,
        plan: record.plan,
        task,
        turns: Arc::new(turns),
        stop,
        verdict,
        fingerprint: record.fingerprint.unwrap_or_default(),
        started_at_ms: started.unwrap_or(finished_at_ms),
        finished_at_ms,
        policy: config.quality.clone(),
        splits: config.dataset.splits,
    })
}

impl Actor for CampaignActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.admit(ctx);
    }
}

impl Handler<Pause> for CampaignActor {
    type Result = bool;

    fn handle(&mut self, message: Pause, ctx: &mut Self::Context) -> bool {
        let running = self.state() == CampaignState::Running;
        if running {
            self.show(|p| {
                p.state = CampaignState::Paused;
                p.reason = Some(message.0);
            });
            self.settle(ctx);
        }
        running
    }
}

impl Handler<Resume> for CampaignActor {
    type Result = bool;

    fn handle(&mut self, _: Resume, ctx: &mut Self::Context) -> bool {
        let resting = matches!(self.state(), CampaignState::Paused | CampaignState::Stopped);
        let resumable = resting && !self.draining;
        if resumable {
            self.intensity.reset();
            self.show(|p| {
                p.state = CampaignState::Running;
                p.reason = None;
                p.escalated = false;
                p.settled = false;
            });
            // Whoever starts after a crash must find it running.
            let moved = Entry::CampaignMoved {
                campaign: self.config.name.clone(),
                state: CampaignState::Running,
                reason: None,
            };
            self.write(vec![moved], ctx);
            self.admit(ctx);
        }
        resumable
    }
}

impl Handler<Cancel> for CampaignActor {
    type Result = bool;

    fn handle(&mut self, _: Cancel, ctx: &mut Self::Context) -> bool {
        let live = self.state() != CampaignState::Complete;
        if live {
            self.show(|p| {
                p.state = CampaignState::Cancelled;
                p.settled = false;
            });
            self.cut_off();
            self.settle(ctx);
        }
        live
    }
}

impl Handler<Drain> for CampaignActor {
    type Result = bool;

    fn handle(&mut self, message: Drain, ctx: &mut Self::Context) -> bool {
        self.draining = true;
        self.show(|p| p.settled = false);
        if message.cut {
            self.cut_off();
        }
        self.settle(ctx);
        true
    }
}

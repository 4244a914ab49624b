//! What follows the end of an attempt: a row, another attempt, or the end of the episode without a
//! label.
//!
//! An attempt ends with a verdict or with a fault. The table of faults (`FaultKind::policy`) says
//! what follows each kind of fault. This file does it.

use super::actor::{CampaignActor, RunningUnit};
use crate::model::{
    AttemptNumber, CampaignState, EpisodeId, EpisodeRecord, Fault, FaultResponse, JournalEntry,
    Outcome,
};
use crate::policy::{RetryDecision, RetryPolicy};
use crate::quality::{FinishedUnit, JudgeReply};
use crate::work::{AttemptExit, AttemptResult};
use actix::{AsyncContext, Context};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// The wait before another attempt when the container engine was down.
const ENGINE_REST: Duration = Duration::from_secs(1);
/// Up to this many attempts lost in a row are no outage, even if few episodes run at once.
const OUTAGE: usize = 10;

impl CampaignActor {
    /// An attempt has ended. It is dropped from the running ones, and its exit is handled.
    pub(super) fn on_exit(
        &mut self,
        id: &EpisodeId,
        attempt: AttemptNumber,
        exit: AttemptExit,
        ctx: &mut Context<Self>,
    ) {
        // An attempt that is not the current one is dead. Its exit is ignored.
        if self.running.get(id).is_none_or(|child| child.attempt != attempt) {
            return;
        }
        let Some(child) = self.running.remove(id) else { return };
        match exit {
            AttemptExit::Concluded(conclusion) => {
                self.lost_in_a_row = 0;
                self.conclude(child, *conclusion, ctx);
            }
            AttemptExit::Faulted(fault) => self.on_fault(child, fault, ctx),
        }
        self.admit(ctx);
    }

    /// The attempt has an outcome, and the journal has it already. The episode is counted, further
    /// samples are planned, and its row is made.
    fn conclude(&mut self, child: RunningUnit, result: AttemptResult, ctx: &mut Context<Self>) {
        let RunningUnit { mut record, place, .. } = child;
        let AttemptResult { outcome, unit } = result;
        self.update_progress(|p| {
            p.count(&outcome);
            p.add_turns(unit.turns());
        });
        self.plan_more(&record.plan, &outcome, ctx);
        self.watch_diversity(unit.turns(), ctx);
        record.outcome = Some(outcome);
        record.fingerprint = unit.fingerprint().cloned();
        record.finished_at_ms = Some(unit.finished_at_ms());
        self.judge(record, unit, Some(place), ctx);
    }

    /// Has a row made of a finished episode. The episode keeps its place until the queue of quality
    /// takes it. So the finished trajectories in memory are limited by the places and by that
    /// queue. `place` is None for an episode that is judged again, which happens for one at a time.
    /// A fault pauses the campaign, and the episode is judged after a resume.
    pub(super) fn judge(
        &mut self,
        record: EpisodeRecord,
        unit: Arc<dyn FinishedUnit>,
        place: Option<OwnedSemaphorePermit>,
        ctx: &mut Context<Self>,
    ) {
        self.writing += 1;
        let quality = self.services.quality.clone();
        let judging = async move {
            let queued = quality.enqueue(unit).await?;
            drop(place);
            queued.judged().await
        };
        self.when(ctx, judging, |judged, this, ctx| {
            this.writing -= 1;
            match judged {
                Ok(JudgeReply { accepted: true }) => this.update_progress(|p| p.rows.accepted += 1),
                Ok(JudgeReply { accepted: false }) => {
                    this.update_progress(|p| p.rows.rejected += 1)
                }
                Err(fault) => this.judge_later(record, &fault),
            }
            this.admit(ctx);
        });
    }

    /// The journal has the episode, but no row of it. It waits in `to_judge`, because a dataset
    /// without its row would not be complete.
    pub(super) fn judge_later(&mut self, record: EpisodeRecord, fault: &Fault) {
        // Behind the others: a unit that cannot be judged does not keep them from their rows.
        self.to_judge.push_back(record);
        self.pause_for(fault);
    }

    /// The attempt ended in a fault. The response of the fault's kind decides. Unless another
    /// attempt is planned or the episode is given up, the episode waits in front of the pending
    /// ones.
    fn on_fault(&mut self, child: RunningUnit, fault: Fault, ctx: &mut Context<Self>) {
        let RunningUnit { mut record, unit, .. } = child;
        tracing::warn!(episode = %record.plan.id, attempt = %record.attempt, %fault, "attempt ended");
        match fault.kind.policy().response {
            // Attempts of other episodes go on; this episode waits for a larger budget.
            FaultResponse::StopCampaign => self.stop_at_budget(&fault),
            // Calls to other models may be in flight, and a call that is cut off costs its whole hold.
            FaultResponse::PauseCampaign if fault.kind.policy().is_of_model => {
                self.pause_for(&fault);
            }
            FaultResponse::PauseCampaign => self.escalate(&fault),
            FaultResponse::Wait => {
                // This campaign did not cut the attempt off. Another launch would end like this
                // one, again and again, so the campaign pauses.
                if !unit.is_cancelled() {
                    self.escalate(&fault);
                }
            }
            FaultResponse::StartOver => {
                // The next attempt must not replay these turns again. This one does not count as an
                // attempt.
                self.afresh.insert(record.plan.id.clone(), record.attempt);
                let entries = self.end_of_attempt(&record, &fault);
                self.write(entries, ctx);
            }
            // The container engine was down. That is not the episode's fault, so no attempt is
            // counted.
            FaultResponse::RetryFree => {
                return self.rest_before_retry(record, &fault, ENGINE_REST, ctx);
            }
            FaultResponse::Retry | FaultResponse::GiveUp => {
                // In an outage the attempt is not counted: the whole campaign pauses instead.
                if !(fault.kind.may_be_outage() && self.is_outage()) {
                    record.failed_attempts += 1;
                    return self.retry(record, fault, ctx);
                }
                let lost = self.lost_in_a_row;
                let why = format!("{lost} attempts in a row were lost, the last: {fault}");
                self.escalate(&Fault::new(fault.kind, why));
            }
        }
        self.pending.push_front(record);
    }

    /// Counts a lost attempt. Returns true if more than [`OUTAGE`] attempts, and more than two for
    /// each episode that may run at once, were lost without a verdict in between. Then something
    /// that all episodes need is down, and no single episode should pay for it.
    fn is_outage(&mut self) -> bool {
        self.lost_in_a_row += 1;
        self.lost_in_a_row > (2 * self.config.concurrency).max(OUTAGE)
    }

    /// Plans another attempt after a growing wait. If the fault is not transient or no attempts are
    /// left, gives the episode up. If too many episodes panic in a short time, the campaign pauses
    /// as well.
    fn retry(&mut self, record: EpisodeRecord, fault: Fault, ctx: &mut Context<Self>) {
        if fault.kind.policy().is_restart && !self.intensity.allows(Instant::now()) {
            let why = format!("episodes panic too often, the last: {}", fault.message);
            self.escalate(&Fault::new(fault.kind, why));
        }
        let retry = RetryPolicy {
            attempts: self.config.episode.attempts,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(30),
        };
        match retry.decide(&fault, record.failed_attempts, record.plan.id.as_str()) {
            RetryDecision::GiveUp => self.give_up(record, fault, ctx),
            RetryDecision::Again { after } => self.rest_before_retry(record, &fault, after, ctx),
        }
    }

    /// Records the end of the attempt, and puts the episode in front of the pending ones after
    /// `after`.
    fn rest_before_retry(
        &mut self,
        record: EpisodeRecord,
        fault: &Fault,
        after: Duration,
        ctx: &mut Context<Self>,
    ) {
        let entries = self.end_of_attempt(&record, fault);
        self.write(entries, ctx);
        self.resting += 1;
        ctx.run_later(after, move |this, ctx| {
            this.resting -= 1;
            this.pending.push_front(record);
            this.admit(ctx);
        });
    }

    /// The entries for an attempt that ended in a fault. The start is recorded again, because the
    /// attempt may have failed before it recorded its start. A second start of the same attempt
    /// changes nothing.
    fn end_of_attempt(&self, record: &EpisodeRecord, fault: &Fault) -> Vec<JournalEntry> {
        let (episode, attempt) = (record.plan.id.clone(), record.attempt);
        let at_ms = self.services.clock.now_ms();
        vec![
            JournalEntry::AttemptStarted {
                episode: episode.clone(),
                attempt,
                resumed_from: None,
                at_ms,
            },
            JournalEntry::AttemptFaulted { episode, attempt, fault: fault.clone(), at_ms },
        ]
    }

    /// Ends the episode as faulted. This is final, but it is not a label: the episode makes no row.
    pub(super) fn give_up(&mut self, record: EpisodeRecord, fault: Fault, ctx: &mut Context<Self>) {
        let mut entries = self.end_of_attempt(&record, &fault);
        let outcome = Outcome::Faulted { fault };
        self.update_progress(|p| p.count(&outcome));
        self.plan_more(&record.plan, &outcome, ctx);
        self.count_turns(&record, ctx);
        entries.push(JournalEntry::Finished {
            episode: record.plan.id,
            attempt: record.attempt,
            outcome: Box::new(outcome),
            fingerprint: None,
            at_ms: self.services.clock.now_ms(),
        });
        self.write(entries, ctx);
    }

    /// Adds the recorded turns of an episode's last attempt to the progress, as a later start will do.
    /// If they cannot be read, only the numbers that are shown are too low until then.
    fn count_turns(&mut self, record: &EpisodeRecord, ctx: &mut Context<Self>) {
        self.writing += 1;
        let (journal, id) = (self.services.journal.clone(), record.plan.id.clone());
        let attempt = record.attempt;
        let reading = async move { journal.turns(&id, attempt).await };
        self.when(ctx, reading, |turns, this, ctx| {
            this.writing -= 1;
            match turns {
                Ok(turns) => this.update_progress(|p| p.add_turns(&turns)),
                Err(fault) => {
                    tracing::warn!(%fault, "the turns of a faulted episode are not counted")
                }
            }
            this.admit(ctx);
        });
    }

    /// Stops the campaign at its budget. Nothing more is launched. Running attempts go on while
    /// their calls still fit: cutting them off would waste calls that are paid for.
    fn stop_at_budget(&mut self, fault: &Fault) {
        if self.state() == CampaignState::Running {
            self.update_progress(|p| {
                p.state = CampaignState::Stopped;
                p.reason = Some(fault.message.clone());
            });
        }
    }
}

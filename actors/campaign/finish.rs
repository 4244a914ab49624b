//! Coming to rest: the dataset at the end, or a word on where the campaign stands.

use super::actor::CampaignActor;
use super::plan::CampaignPlanner;
use crate::episode::EngineServices;
use crate::model::{
    CampaignState, EpisodeRecord, Fault, FaultKind, JournalEntry, Outcome, Publication,
};
use crate::quality::{FinishedEpisode, PublishDataset};
use actix::{ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::sync::Arc;

impl CampaignActor {
    /// Whether something moves that will call [`Self::admit`] when it is done.
    fn is_busy(&self) -> bool {
        !self.running.is_empty() || self.writing > 0 || self.asking.is_some() || self.closing
    }

    /// At rest the campaign publishes, or says that it rests.
    pub(super) fn finish_if_idle(&mut self, ctx: &mut Context<Self>) {
        if self.is_busy() {
            return;
        }
        if !self.is_open() {
            return self.rest(ctx);
        }
        if let Some(record) = self.to_judge.pop_front() {
            return self.judge_again(record, ctx);
        }
        if self.pending.is_empty() && self.resting == 0 {
            self.publish(ctx);
        }
    }

    /// An episode that finished without its row being written: the process died, or the
    /// store failed, in between.
    fn judge_again(&mut self, record: EpisodeRecord, ctx: &mut Context<Self>) {
        self.writing += 1;
        let (world, planner) = (self.world.clone(), self.planner.clone());
        let found = record.clone();
        let found = async move { recover(&world, planner, found).await };
        ctx.spawn(found.into_actor(self).map(|found, this, ctx| {
            this.writing -= 1;
            match found {
                Ok(judgement) => this.judge(record, judgement, None, ctx),
                Err(fault) => this.judge_later(record, &fault),
            }
            this.admit(ctx);
        }));
    }

    fn publish(&mut self, ctx: &mut Context<Self>) {
        (self.closing, self.publishing) = (true, true);
        self.update_progress(|p| p.publishing = true);
        let progress = self.progress();
        let EngineServices { quality, collector, .. } = self.world.clone();
        let publish = PublishDataset {
            campaign: self.config.name.clone(),
            config: self.config.clone(),
            planned: progress.episodes.planned,
            faulted: progress.episodes.faulted,
        };
        let work = async move {
            let published = quality.publish(publish.clone()).await?;
            let moved = JournalEntry::CampaignMoved {
                campaign: publish.campaign,
                state: CampaignState::Complete,
                reason: None,
            };
            collector.record(vec![moved]).await?;
            Ok::<_, Fault>(published)
        };
        ctx.spawn(work.into_actor(self).map(|published, this, ctx| {
            (this.closing, this.publishing) = (false, false);
            this.update_progress(|p| p.publishing = false);
            match published {
                Ok(Publication { record, new }) => {
                    this.update_progress(|p| {
                        p.new_version = new;
                        p.rows.accepted = record.rows.values().sum();
                        p.rows.rejected = record.rejected.values().sum();
                        p.dataset = Some(record);
                        p.state = CampaignState::Complete;
                        p.reason = None;
                        p.settled = true;
                    });
                    ctx.stop();
                }
                Err(fault) => {
                    this.pause_for(&fault);
                    this.admit(ctx);
                }
            }
        }));
    }

    /// At rest: calls that were cut off are settled, then it is written down, then shown.
    fn rest(&mut self, ctx: &mut Context<Self>) {
        if self.progress().settled {
            return;
        }
        self.closing = true;
        let said = (self.state(), self.draining);
        let (router, collector) = (self.world.router.clone(), self.world.collector.clone());
        let campaign = self.config.name.clone();
        let standing = self.state_entry();
        let write = async move {
            router.wait_until_settled(&campaign).await;
            collector.record(vec![standing]).await
        };
        ctx.spawn(write.into_actor(self).map(move |written, this, ctx| {
            this.closing = false;
            if let Err(fault) = written {
                tracing::error!(%fault, "the campaign's state could not be written");
            }
            this.rested(said, ctx);
        }));
    }

    fn rested(&mut self, said: (CampaignState, bool), ctx: &mut Context<Self>) {
        // It was told something else meanwhile; what was written last is not how it stands.
        if said != (self.state(), self.draining) {
            return self.write(vec![self.state_entry()], ctx);
        }
        if self.is_busy() {
            return self.admit(ctx);
        }
        self.update_progress(|p| {
            p.running = 0;
            p.settled = true;
        });
        // A stopped one waits for a larger budget, which comes with a new submission.
        if self.draining
            || matches!(self.state(), CampaignState::Cancelled | CampaignState::Stopped)
        {
            ctx.stop();
        }
    }
}

/// The judgement of an episode out of the journal.
async fn recover(
    world: &EngineServices,
    planner: Arc<CampaignPlanner>,
    record: EpisodeRecord,
) -> Result<FinishedEpisode, Fault> {
    let Some(Outcome::Judged { stop, verdict }) = record.outcome else {
        let what = format!("episode {} has no verdict to make a row of", record.plan.id);
        return Err(Fault::new(FaultKind::Store, what));
    };
    let turns = world.journal.turns(&record.plan.id, record.attempt).await?;
    let config = planner.config.clone();
    Ok(FinishedEpisode {
        attempt: record.attempt,
        task: planner.tasks().planned_task(record.plan.clone()).await?,
        plan: record.plan,
        turns: Arc::new(turns),
        stop,
        verdict,
        fingerprint: record.fingerprint.unwrap_or_default(),
        finished_at_ms: record.finished_at_ms.unwrap_or_default(),
        policy: config.quality.clone(),
        splits: config.dataset.splits,
    })
}

//! How a campaign comes to rest. If every episode has ended, it publishes the dataset and is
//! complete. Otherwise it writes its state to the journal and shows that it rests.

use super::actor::CampaignActor;
use super::choices::ChoicePlanner;
use crate::model::{CampaignState, EpisodeRecord, Fault, JournalEntry, Publication};
use crate::quality::PublishDataset;
use crate::work::EngineServices;
use actix::{ActorContext, Context};

impl CampaignActor {
    /// Whether something is in progress that will call [`Self::admit`] when it is done.
    fn is_busy(&self) -> bool {
        !self.running.is_empty() || self.writing > 0 || self.asking.is_some() || self.closing
    }

    /// Decides what comes next when nothing is in progress: rest if the campaign is not running,
    /// judge an episode that lacks its row, or publish if no episode is left. Does nothing while
    /// the campaign is busy.
    pub(super) fn finish_if_idle(&mut self, ctx: &mut Context<Self>) {
        if self.is_busy() {
            return;
        }
        if !self.is_open() {
            return self.rest(ctx);
        }
        // One episode at a time: when it is judged, `admit` comes back here.
        if let Some(record) = self.to_judge.pop_front() {
            return self.judge_again(record, ctx);
        }
        // A resting episode comes back by its timer. `admit` runs again then.
        if self.pending.is_empty() && self.resting == 0 {
            self.publish(ctx);
        }
    }

    /// Judges an episode that has finished but has no row. The process died, or the store failed,
    /// between the two.
    fn judge_again(&mut self, record: EpisodeRecord, ctx: &mut Context<Self>) {
        self.writing += 1;
        let (services, kind) = (self.services.clone(), self.kind.clone());
        let found = record.clone();
        let found = async move { kind.recover(&services, found).await };
        self.when(ctx, found, |found, this, ctx| {
            this.writing -= 1;
            match found {
                Ok(unit) => this.judge(record, unit, None, ctx),
                Err(fault) => this.judge_later(record, &fault),
            }
            this.admit(ctx);
        });
    }

    /// Writes the dataset and then records the campaign as complete. A fault pauses the campaign; a
    /// resume tries again. While `publishing` is set, the campaign can be neither paused nor
    /// cancelled.
    fn publish(&mut self, ctx: &mut Context<Self>) {
        (self.closing, self.publishing) = (true, true);
        let exhausted = self.choices.as_ref().and_then(ChoicePlanner::exhausted);
        self.left_open = self.left_open.take().or(exhausted.map(|fault| fault.to_string()));
        self.update_progress(|p| p.publishing = true);
        let (progress, left_open) = (self.progress(), self.left_open.clone());
        let EngineServices { quality, collector, router, .. } = self.services.clone();
        let publish = PublishDataset {
            campaign: self.config.name.clone(),
            config: self.config.clone(),
            planned: progress.episodes.planned,
            faulted: progress.episodes.faulted,
        };
        let work = async move {
            router.flush_campaign(&publish.campaign).await?;
            // The dataset is recorded before the campaign is complete. After a kill between the
            // two, the next start publishes again and finds the version unchanged.
            let published = quality.publish(publish.clone()).await?;
            let moved = JournalEntry::CampaignMoved {
                campaign: publish.campaign,
                state: CampaignState::Complete,
                reason: left_open,
            };
            collector.record(vec![moved]).await?;
            Ok::<_, Fault>(published)
        };
        self.when(ctx, work, |published, this, ctx| {
            (this.closing, this.publishing) = (false, false);
            this.update_progress(|p| p.publishing = false);
            match published {
                // The final counts come from the dataset, because duplicates are rejected only now.
                Ok(Publication { record, new }) => {
                    let reason = this.left_open.take();
                    this.update_progress(|p| {
                        p.new_version = new;
                        p.rows.accepted = record.rows.values().sum();
                        p.rows.rejected = record.rejected.values().sum();
                        p.dataset = Some(record);
                        p.state = CampaignState::Complete;
                        p.reason = reason;
                        p.settled = true;
                    });
                    ctx.stop();
                }
                Err(fault) => {
                    this.pause_for(&fault);
                    this.admit(ctx);
                }
            }
        });
    }

    /// Comes to rest: waits until the paid calls that were cut off are settled, then writes the
    /// state to the journal, then shows the campaign as settled. In this order, what is shown is
    /// true on the disk. Only if the store does not take the state, the error is logged and the
    /// campaign is shown as settled without it.
    fn rest(&mut self, ctx: &mut Context<Self>) {
        if self.progress().settled {
            return;
        }
        self.closing = true;
        let said = (self.state(), self.draining);
        let (router, collector) = (self.services.router.clone(), self.services.collector.clone());
        let campaign = self.config.name.clone();
        let entry = self.state_entry();
        // Entries that the store had not taken. If it takes them now, a later start knows of them.
        let owed = std::mem::take(&mut self.unwritten);
        let write = async move {
            // Calls that were cut off may still be settled, which changes the cost.
            router.wait_until_settled(&campaign).await;
            if let Err(fault) = router.flush_campaign(&campaign).await {
                tracing::error!(%fault, "calls of the campaign are not recorded yet");
            }
            let kept = match collector.record(owed.clone()).await {
                Ok(()) => Vec::new(),
                Err(fault) => {
                    tracing::error!(%fault, "the ends of episodes are not recorded yet");
                    owed
                }
            };
            (kept, collector.record(vec![entry]).await)
        };
        self.when(ctx, write, move |(kept, written), this, ctx| {
            this.closing = false;
            this.unwritten.splice(0..0, kept);
            if let Err(fault) = written {
                tracing::error!(%fault, "the campaign's state could not be written");
            }
            this.rested(said, ctx);
        });
    }

    /// Shows that the campaign rests. `said` is the state that was sent to the store, and whether
    /// the campaign drained then.
    fn rested(&mut self, said: (CampaignState, bool), ctx: &mut Context<Self>) {
        // A command came in the meantime. The state that was written is old, so write the new one.
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
        // These end the actor. A paused campaign keeps its actor, because it may be resumed. A
        // stopped campaign waits for a larger budget, which comes with a new submission.
        if self.draining
            || matches!(self.state(), CampaignState::Cancelled | CampaignState::Stopped)
        {
            ctx.stop();
        }
    }
}

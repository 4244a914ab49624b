//! Admission: episodes are launched when places become free.
//!
//! Two limits apply: `[campaign] concurrency` for this campaign, and the engine's places for all
//! campaigns together. A campaign asks for one place at a time. The semaphore is fair, so the
//! campaigns take turns.

use super::actor::{CampaignActor, RunningUnit};
use crate::model::EpisodeRecord;
use crate::work::{AttemptSpec, launch};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::collections::HashMap;
use tokio::sync::OwnedSemaphorePermit;

impl CampaignActor {
    /// Decides what to do next. It is called after every change. It asks for a place if the
    /// campaign is open, not full, has an episode pending and does not ask already. Otherwise it
    /// looks whether the campaign can come to rest.
    pub(super) fn admit(&mut self, ctx: &mut Context<Self>) {
        self.show_running();
        let full = self.running.len() >= self.config.concurrency.max(1);
        if !self.is_open() {
            self.stop_asking(ctx);
            return self.finish_if_idle(ctx);
        }
        self.choose_more(ctx);
        if self.asking.is_some() || full || self.pending.is_empty() {
            return self.finish_if_idle(ctx);
        }
        let slots = self.slots.clone();
        self.asked += 1;
        let wait = self.asked;
        let asking = ctx.spawn(async move { slots.acquire_owned().await }.into_actor(self).map(
            move |place, this, ctx| {
                // This wait was given up, and another one may have begun. The place is dropped here
                // and goes to the next in line.
                if this.asked != wait || this.asking.take().is_none() {
                    return;
                }
                // The campaign may have been paused while it waited. Then the place is given back.
                if let (Ok(place), true) = (place, this.is_open())
                    && let Some(record) = this.next_pending()
                {
                    this.launch(record, place, ctx);
                }
                this.admit(ctx);
            },
        ));
        self.asking = Some(asking);
    }

    /// Shows how many attempts run and what was spent, if that is news.
    fn show_running(&self) {
        let spent = self.services.router.spent(&self.config.name);
        let running = self.running.len() as u64;
        self.progress.send_if_modified(|progress| {
            let is_news = (progress.running, progress.cost_usd) != (running, spent);
            (progress.running, progress.cost_usd) = (running, spent);
            is_news
        });
    }

    /// Takes the next episode, of the model with the fewest running episodes.
    fn next_pending(&mut self) -> Option<EpisodeRecord> {
        let running = &self.running;
        self.pending.pop(|| {
            let mut counts: HashMap<&str, usize> = HashMap::new();
            let models = running.values().map(|child| child.record.plan.model.as_str());
            models.for_each(|model| *counts.entry(model).or_default() += 1);
            counts
        })
    }

    /// Gives up the wait for a place. A campaign that does not run must not stay in the line of the
    /// others.
    fn stop_asking(&mut self, ctx: &mut Context<Self>) {
        if let Some(asking) = self.asking.take() {
            ctx.cancel_future(asking);
        }
    }

    /// Starts the next attempt of an episode and waits for its exit. `place` stays with the episode
    /// until the attempt ends in a fault or the row is judged.
    fn launch(
        &mut self,
        mut record: EpisodeRecord,
        place: OwnedSemaphorePermit,
        ctx: &mut Context<Self>,
    ) {
        let attempt = record.attempt.next();
        record.attempt = attempt;
        let id = record.plan.id.clone();
        let orders = AttemptSpec {
            concluding: Default::default(),
            plan: record.plan.clone(),
            attempt,
            replay_after: self.afresh.get(&id).copied().unwrap_or_default(),
            kind: self.kind.clone(),
        };
        let (unit, ended) = launch(self.services.clone(), orders);
        self.running.insert(id.clone(), RunningUnit { attempt, record, unit, place });
        self.when(ctx, ended, move |exit, this, ctx| this.on_exit(&id, attempt, exit, ctx));
    }
}

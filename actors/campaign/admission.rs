//! Admission: episodes are launched as places become free.

use super::actor::{CampaignActor, RunningEpisode};
use crate::episode::{AttemptExit, AttemptSpec, launch};
use crate::model::{EpisodeRecord, Fault, FaultKind};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::collections::HashMap;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

impl CampaignActor {
    /// Asks for a place, one at a time, so that campaigns take turns.
    pub(super) fn admit(&mut self, ctx: &mut Context<Self>) {
        self.update_progress(|p| p.running = self.running.len() as u64);
        let full = self.running.len() >= self.config.concurrency.max(1);
        if !self.is_open() {
            self.stop_asking(ctx);
            return self.finish_if_idle(ctx);
        }
        if self.asking.is_some() || full || self.pending.is_empty() {
            return self.finish_if_idle(ctx);
        }
        let places = self.places.clone();
        self.asked += 1;
        let wait = self.asked;
        let asking = ctx.spawn(async move { places.acquire_owned().await }.into_actor(self).map(
            move |place, this, ctx| {
                // It was given up, and another wait may have begun: the place goes to who is next.
                if this.asked != wait || this.asking.take().is_none() {
                    return;
                }
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

    /// Of the model with the fewest episodes running.
    fn next_pending(&mut self) -> Option<EpisodeRecord> {
        let running = &self.running;
        self.pending.pop(|| {
            let mut counts: HashMap<&str, usize> = HashMap::new();
            let models = running.values().map(|child| child.record.plan.model.as_str());
            models.for_each(|model| *counts.entry(model).or_default() += 1);
            counts
        })
    }

    /// A campaign that rests does not stand in line: the place may be long in coming.
    fn stop_asking(&mut self, ctx: &mut Context<Self>) {
        if let Some(asking) = self.asking.take() {
            ctx.cancel_future(asking);
        }
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
        let orders = AttemptSpec {
            plan: record.plan.clone(),
            attempt,
            replay_after: self.afresh.get(&id).copied().unwrap_or_default(),
            config: self.config.clone(),
            tasks: self.tasks.clone(),
        };
        let (address, joined, exit) = launch(self.world.clone(), orders, cancel.clone());
        let cut = cancel.clone().drop_guard();
        let child = RunningEpisode { attempt, record, cancel, _cut: cut, place };
        self.running.insert(id.clone(), child);
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
                AttemptExit::Faulted(Fault::new(FaultKind::Panicked, why))
            })
        };
        ctx.spawn(ended.into_actor(self).map(move |exit, this, ctx| {
            this.on_exit(&id, attempt, exit, ctx);
        }));
    }
}

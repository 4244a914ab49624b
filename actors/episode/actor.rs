//! The episode actor: one per attempt. It owns the task that does the perishable work, so
//! that when it dies the work is aborted and its sandbox released.

use super::phase::Phase;
use super::run::{Conclusion, run};
use super::world::{Assignment, Standing, World};
use crate::model::{Fault, FaultKind};
use crate::supervisor::{panic_text, spawn, spawn_actor};
use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message,
    MessageResult, WrapFuture,
};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How an attempt ended.
#[derive(Debug)]
pub enum Exit {
    Concluded(Box<Conclusion>),
    Faulted(Fault),
}

/// Where the attempt stands.
#[derive(Clone, Message)]
#[rtype(result = "Phase")]
pub struct Inspect;

pub struct EpisodeActor {
    world: World,
    orders: Assignment,
    cancel: CancellationToken,
    phase: watch::Receiver<Phase>,
    standing: Standing,
    exit: Option<oneshot::Sender<Exit>>,
}

/// Starts an attempt; its exit arrives when it has ended, however it ends.
pub fn launch(
    world: World,
    orders: Assignment,
    cancel: CancellationToken,
) -> (Addr<EpisodeActor>, JoinHandle<()>, oneshot::Receiver<Exit>) {
    let (exit, ended) = oneshot::channel();
    let (standing, phase) = Standing::new();
    let actor = EpisodeActor { world, orders, cancel, phase, standing, exit: Some(exit) };
    let (address, joined) = spawn_actor(actor);
    (address, joined, ended)
}

impl EpisodeActor {
    fn finish(&mut self, exit: Exit, ctx: &mut Context<Self>) {
        if let Some(sender) = self.exit.take() {
            // A campaign that is gone has nobody to tell; the journal has it all.
            sender.send(exit).ok();
        }
        ctx.stop();
    }
}

impl Actor for EpisodeActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (world, orders) = (self.world.clone(), self.orders.clone());
        let (cancel, standing) = (self.cancel.clone(), self.standing.clone());
        // Of the highest level, so that a filter for warnings does not hide whose they are.
        let span = tracing::error_span!(
            "episode",
            campaign = %orders.plan.campaign,
            episode = %orders.plan.id,
            attempt = orders.attempt.0,
        );
        let attempt = async move {
            let outcome = run(&world, &orders, &standing, &cancel).await;
            match &outcome {
                Ok(done) => tracing::info!(steps = done.turns.len(), "the attempt is judged"),
                Err(fault) => tracing::debug!(%fault, "the attempt ended without a verdict"),
            }
            outcome
        };
        let work = spawn("episode", attempt.instrument(span));
        ctx.spawn(work.into_actor(self).map(|ended, this, ctx| {
            let exit = match ended {
                Ok(Ok(conclusion)) => Exit::Concluded(Box::new(conclusion)),
                Ok(Err(fault)) => Exit::Faulted(fault),
                Err(failure) => Exit::Faulted(Fault::new(FaultKind::Panicked, panic_text(failure))),
            };
            if matches!(exit, Exit::Faulted(_)) {
                this.standing.become_phase(Phase::Faulted);
            }
            this.finish(exit, ctx);
        }));
    }
}

impl Handler<Inspect> for EpisodeActor {
    type Result = MessageResult<Inspect>;

    fn handle(&mut self, _: Inspect, _: &mut Self::Context) -> Self::Result {
        MessageResult(*self.phase.borrow())
    }
}

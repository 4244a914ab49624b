//! The actor of one attempt at a unit, of whatever kind. It owns the task that does the work. When
//! the actor dies, the task is aborted, and its sandboxes and calls end with it.

use super::services::EngineServices;
use super::{AttemptResult, WorkKind};
use crate::model::{AttemptNumber, Fault, FaultKind, PlannedEpisode};
use crate::supervisor::{panic_text, spawn, spawn_actor};
use actix::{Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, WrapFuture};
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How an attempt ended.
#[derive(Debug)]
pub enum AttemptExit {
    /// The unit has an outcome, and the journal has it already.
    Concluded(Box<AttemptResult>),
    /// There is no outcome. The campaign decides what follows.
    Faulted(Fault),
}

/// What the campaign orders.
#[derive(Clone)]
pub struct AttemptSpec {
    pub plan: PlannedEpisode,
    pub attempt: AttemptNumber,
    /// Only turns of attempts with a higher number than this may be replayed.
    pub replay_after: AttemptNumber,
    /// Knows how the attempt goes.
    pub kind: Arc<dyn WorkKind>,
}

/// The state of one attempt's actor.
pub struct UnitActor {
    services: EngineServices,
    spec: AttemptSpec,
    cancel: CancellationToken,
    /// Takes the exit. It is empty after the exit was sent.
    exit: Option<oneshot::Sender<AttemptExit>>,
}

/// Starts an attempt. The receiver gets its exit when it has ended. If the actor dies without an
/// exit, the receiver fails and the join handle has the panic. `cancel` cuts the attempt off.
pub fn launch(
    services: EngineServices,
    spec: AttemptSpec,
    cancel: CancellationToken,
) -> (Addr<UnitActor>, JoinHandle<()>, oneshot::Receiver<AttemptExit>) {
    let (exit, ended) = oneshot::channel();
    let actor = UnitActor { services, spec, cancel, exit: Some(exit) };
    let (address, joined) = spawn_actor(actor);
    (address, joined, ended)
}

impl UnitActor {
    /// Sends the exit and stops the actor.
    fn finish(&mut self, exit: AttemptExit, ctx: &mut Context<Self>) {
        if let Some(sender) = self.exit.take() {
            // If the campaign is gone, nobody reads the exit. The journal has everything.
            sender.send(exit).ok();
        }
        ctx.stop();
    }
}

impl Actor for UnitActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let (services, spec) = (self.services.clone(), self.spec.clone());
        let cancel = self.cancel.clone();
        // The span has the highest level, so that a filter which shows only warnings still says to
        // which episode they belong.
        let span = tracing::error_span!(
            "episode",
            campaign = %spec.plan.campaign,
            episode = %spec.plan.id,
            attempt = spec.attempt.0,
        );
        let attempt = async move {
            let outcome = spec.kind.attempt(&services, &spec, &cancel).await;
            match &outcome {
                Ok(done) => {
                    tracing::info!(steps = done.unit.turns().len(), "the attempt is judged")
                }
                Err(fault) => tracing::debug!(%fault, "the attempt ended without a verdict"),
            }
            outcome
        };
        // The work runs on the worker threads. The actor owns its handle, so the work ends with the
        // actor.
        let work = spawn("episode", attempt.instrument(span));
        ctx.spawn(work.into_actor(self).map(|ended, this, ctx| {
            // A panic of the work is a fault like any other.
            let exit = match ended {
                Ok(Ok(result)) => AttemptExit::Concluded(Box::new(result)),
                Ok(Err(fault)) => AttemptExit::Faulted(fault),
                Err(failure) => {
                    AttemptExit::Faulted(Fault::new(FaultKind::Panicked, panic_text(failure)))
                }
            };
            this.finish(exit, ctx);
        }));
    }
}

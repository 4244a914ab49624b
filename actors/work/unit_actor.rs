//! The actor of one attempt at a unit, of whatever kind. It is the supervisor of its attempt: it
//! owns the task that does the work, cuts the work off, kills it if it does not end, and turns its
//! panic into a fault of this attempt alone.
//!
//! ```text
//!  working ──outcome or fault──────────────► ended (exit sent)
//!    │ │ panic ──► counted, `Panicked` ─────►  ▲  ▲
//!    │ cancelled                               │  │
//!    ▼                                         │  │
//!  cancelling ──outcome or fault───────────────┘  │
//!    │ GRACE is over                              │
//!    ▼                                            │
//!  killed ──task has ended──► `Cancelled` ────────┘
//! ```
//! Work that records its outcome is not killed: its outcome may be durable at any moment.
//! When the actor dies, the task is aborted, and its sandboxes and calls end with it. When the
//! campaign drops its [`UnitHandle`], the attempt is cancelled.

use super::services::EngineServices;
use super::{AttemptResult, WorkKind};
use crate::model::{AttemptNumber, Fault, FaultKind, PlannedEpisode};
use crate::supervisor::{ActorCounters, panic_text, spawn, spawn_actor};
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinError};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;

/// The time that an attempt has to end after it was cancelled. It is shorter than the patience of
/// the engine's shutdown, so that the shutdown does not leave an attempt behind.
const GRACE: Duration = Duration::from_secs(10);

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
    /// Set before the outcome is recorded. From then on nothing cuts the attempt off: the journal
    /// may have the outcome at any moment, and the campaign must hear of it.
    pub concluding: Arc<AtomicBool>,
}

impl AttemptSpec {
    /// Says that the outcome is recorded now.
    pub fn conclude(&self) {
        self.concluding.store(true, Ordering::Release);
    }
}

/// What a campaign holds of a running attempt. Dropping it cuts the attempt off. So a campaign that
/// dies leaves no attempt behind that goes on spending money.
pub struct UnitHandle {
    cancel: CancellationToken,
    /// Cancels the same token when this struct is dropped.
    _cut: DropGuard,
}

impl UnitHandle {
    /// Orders the attempt to end. Its actor sees to it that it does.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Whether the attempt was ordered to end.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

/// The state of one attempt's actor.
pub struct UnitActor {
    services: EngineServices,
    spec: AttemptSpec,
    cancel: CancellationToken,
    /// Takes the exit. It is empty after the exit was sent.
    exit: Option<oneshot::Sender<AttemptExit>>,
    /// Whether the work was aborted because it did not end in its grace.
    was_killed: bool,
}

/// Starts an attempt. The future gives its exit, also if its actor dies.
pub fn launch(
    services: EngineServices,
    spec: AttemptSpec,
) -> (UnitHandle, impl Future<Output = AttemptExit>) {
    let (exit, ended) = oneshot::channel();
    let (cancel, counters) = (CancellationToken::new(), services.units.clone());
    let handle = UnitHandle { cancel: cancel.clone(), _cut: cancel.clone().drop_guard() };
    let actor = UnitActor { services, spec, cancel, exit: Some(exit), was_killed: false };
    let (address, joined) = spawn_actor(actor);
    let exit = async move {
        let exit = ended.await;
        // The exit is sent before the actor stops. An actor that sent no exit has died; its join
        // handle says why.
        let died = joined.await;
        drop(address);
        exit.unwrap_or_else(|_| AttemptExit::Faulted(death_of(&counters, died)))
    };
    (handle, exit)
}

/// The fault of an attempt whose actor died without an exit.
fn death_of(counters: &ActorCounters, died: Result<(), JoinError>) -> Fault {
    counters.panicked();
    let silent = || "the episode ended without a word".to_owned();
    Fault::new(FaultKind::Panicked, died.err().map_or_else(silent, panic_text))
}

impl UnitActor {
    /// Starts the work on the worker threads. The actor's context owns its handle, so the work ends
    /// with the actor.
    fn begin(&self, ctx: &mut Context<Self>) -> AbortHandle {
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
        let work = spawn("episode", attempt.instrument(span));
        let abort = work.abort_handle();
        ctx.spawn(work.into_actor(self).map(|ended, this, ctx| this.on_end(ended, ctx)));
        abort
    }

    /// Waits for a cancel. Work that has not ended when its grace is over is killed.
    fn watch(&self, work: AbortHandle, ctx: &mut Context<Self>) {
        let cancelled = self.cancel.clone().cancelled_owned();
        ctx.spawn(cancelled.into_actor(self).map(|(), _, ctx| {
            ctx.run_later(GRACE, move |this, _| this.kill(&work));
        }));
    }

    /// Aborts the work, unless it records its outcome. Its end is handled like every other end.
    fn kill(&mut self, work: &AbortHandle) {
        if self.spec.concluding.load(Ordering::Acquire) {
            return;
        }
        tracing::warn!(episode = %self.spec.plan.id, "the attempt did not end and is killed");
        self.services.units.killed();
        self.was_killed = true;
        work.abort();
    }

    /// The work has ended. A panic of the work is a fault of this attempt.
    fn on_end(
        &mut self,
        ended: Result<Result<AttemptResult, Fault>, JoinError>,
        ctx: &mut Context<Self>,
    ) {
        let exit = match ended {
            Ok(Ok(result)) => AttemptExit::Concluded(Box::new(result)),
            Ok(Err(fault)) => AttemptExit::Faulted(fault),
            Err(failure) => AttemptExit::Faulted(self.broken_off(failure)),
        };
        if let Some(sender) = self.exit.take() {
            // If the campaign is gone, nobody reads the exit. The journal has everything.
            sender.send(exit).ok();
        }
        ctx.stop();
    }

    /// The fault of work that did not return.
    fn broken_off(&self, failure: JoinError) -> Fault {
        if self.was_killed && failure.is_cancelled() {
            let what = format!("the attempt did not end within {} s", GRACE.as_secs());
            return Fault::new(FaultKind::Cancelled, what);
        }
        self.services.units.panicked();
        Fault::new(FaultKind::Panicked, panic_text(failure))
    }
}

impl Actor for UnitActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let work = self.begin(ctx);
        self.watch(work, ctx);
    }
}

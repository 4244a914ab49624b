//! Creations of sandboxes: each runs in a task, and its end is handled in the actor. A circuit
//! breaker for each backend stops creations that cannot succeed.

use super::actor::{HeldSandbox, PoolActor, closed};
use super::messages::PoolStats;
use super::metrics::{self, SpecMetrics, SpecStats};
use crate::model::{BackendKind, BackendSign, Fault, FaultKind, SandboxSpec};
use crate::policy::{BreakerAdmission, CircuitBreaker};
use crate::supervisor::{panic_text, spawn};
use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// A place among the living sandboxes, or the semaphore in which the creation must wait for a
/// place.
pub(super) type CreationPermit = Result<OwnedSemaphorePermit, Arc<Semaphore>>;

impl PoolActor {
    /// Starts a creation. `what` is how the circuit breaker admitted it; its result is reported to
    /// the breaker.
    pub(super) fn create(
        &mut self,
        spec: Arc<SandboxSpec>,
        place: CreationPermit,
        what: BreakerAdmission,
        ctx: &mut Context<Self>,
    ) {
        let (backend, wanted, closing) = (self.backend.clone(), spec.clone(), self.closing.clone());
        let creation = spawn("create sandbox", async move {
            let create = async {
                let place = match place {
                    Ok(place) => place,
                    Err(slots) => slots.acquire_owned().await.map_err(|_| closed())?,
                };
                let begun = Instant::now();
                let sandbox = backend.create(&wanted).await?;
                Ok(((sandbox, place), begun.elapsed()))
            };
            tokio::select! {
                // A shutdown goes first, so that no sandbox is handed out afterwards.
                biased;
                () = closing.cancelled() => Err(closed()),
                created = create => created,
            }
        });
        // The token is held until the actor has handled the end. So a shutdown waits for the
        // sandboxes that only this task knows.
        let under_way = self.under_way.token();
        ctx.spawn(creation.into_actor(self).map(move |created, this, ctx| {
            let _under_way = under_way;
            let panicked = |failure| Err(Fault::new(FaultKind::SandboxStart, panic_text(failure)));
            this.created(&spec, created.unwrap_or_else(panicked), what, ctx);
        }));
    }

    /// Handles the end of a creation: the sandbox goes to a waiter, or the fault is handled.
    fn created(
        &mut self,
        spec: &Arc<SandboxSpec>,
        created: Result<(HeldSandbox, Duration), Fault>,
        what: BreakerAdmission,
        ctx: &mut Context<Self>,
    ) {
        self.pools.created(spec);
        match created {
            Ok((held, took)) => {
                self.breaker(spec.backend).succeeded();
                self.is_back(spec.backend);
                self.pools.made(spec, took);
                self.figures(spec).creations.add(took);
                self.hand_over(spec, held, Instant::now());
            }
            Err(fault) => self.failed(spec, fault, what),
        }
        self.refill(ctx);
    }

    /// Handles a failed creation. An ordinary failure is given to one waiter, because it was one
    /// creation. A failed probe is given to all waiters of the backend; otherwise they would wait
    /// one after the other for as many probes. If the backend is down, nobody gets the fault, and
    /// all go on waiting.
    fn failed(&mut self, spec: &Arc<SandboxSpec>, fault: Fault, what: BreakerAdmission) {
        self.figures(spec).failed += 1;
        let (now, backend) = (Instant::now(), spec.backend);
        match fault.kind.policy().backend {
            BackendSign::Down => {
                self.breaker(backend).tripped(now, what);
                if self.breaker(backend).is_open() {
                    self.is_down(backend, fault);
                }
                return;
            }
            // The backend refused this specification. That says nothing about other specifications,
            // and it shows that the backend works.
            BackendSign::Answers => {
                self.breaker(backend).succeeded();
                self.is_back(backend);
                return self.tell_next(spec, fault);
            }
            BackendSign::Nothing if !what.is_probe() => {}
            BackendSign::Fails | BackendSign::Nothing => {
                self.breaker(backend).failed(now, what);
            }
        }
        if what.is_probe() {
            let waiters = self.pools.all_waiters(|spec| spec.backend == backend);
            waiters.into_iter().for_each(|waiter| waiter.tell(Err(fault.clone())));
        } else {
            self.tell_next(spec, fault);
        }
    }

    /// Gives the fault to the next waiter of this specification.
    fn tell_next(&mut self, spec: &Arc<SandboxSpec>, fault: Fault) {
        if let Some(waiter) = self.pools.next_waiter(spec) {
            waiter.tell(Err(fault));
        }
    }

    /// Publishes that a backend is down. It is logged once.
    fn is_down(&mut self, backend: BackendKind, fault: Fault) {
        if !self.down.borrow().contains_key(&backend) {
            tracing::warn!(backend = backend.as_str(), %fault, "waiting for the sandbox backend");
        }
        self.down.send_modify(|down| drop(down.insert(backend, fault.message)));
    }

    /// Publishes that a backend works again.
    fn is_back(&mut self, backend: BackendKind) {
        if self.down.send_if_modified(|down| down.remove(&backend).is_some()) {
            tracing::info!(backend = backend.as_str(), "the sandbox backend is back");
        }
    }

    /// The state of the pool for status reports.
    pub(super) fn snapshot(&self) -> PoolStats {
        let mut specs: Vec<SpecStats> =
            self.figures.iter().map(|(spec, figures)| self.spec_stats(spec, figures)).collect();
        specs.sort_by(|a, b| a.spec.cmp(&b.spec));
        let sum = |of: fn(&SpecStats) -> u64| specs.iter().map(of).sum();
        PoolStats {
            warm: self.pools.warm(),
            creating: self.pools.creating(),
            waiting: self.pools.waiting(),
            hits: sum(|spec| spec.hits),
            misses: sum(|spec| spec.misses),
            created: sum(|spec| spec.creation.count),
            failed: sum(|spec| spec.failed),
            breaker_open: self.breakers.values().any(CircuitBreaker::is_open),
            down: self.down.borrow().clone(),
            specs,
        }
    }

    /// The state of one specification.
    fn spec_stats(&self, spec: &SandboxSpec, figures: &SpecMetrics) -> SpecStats {
        let level = self.pools.level(spec);
        SpecStats {
            spec: metrics::name(spec),
            warm: level.warm,
            target: level.target,
            creating: level.creating,
            waiting: level.waiting,
            hits: figures.hits,
            misses: figures.misses,
            failed: figures.failed,
            died: figures.died,
            wait: figures.waits.shown(),
            creation: figures.creations.shown(),
        }
    }
}

//! The pool actor: a shim over [`super::state`] that creates in tasks and hands over.

use super::messages::{Acquire, Granted, Lease, PoolStats, Shutdown, Snapshot};
use super::state::{PoolConfig, Shelves};
use crate::model::{Fault, FaultKind, SandboxSpec};
use crate::policy::{Breaker, Try};
use crate::ports::{Sandbox, SandboxBackend};
use crate::supervisor::{panic_text, spawn};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const EXPIRY_CHECK: Duration = Duration::from_secs(5);
const BREAKER_THRESHOLD: u32 = 8;
const BREAKER_COOL_DOWN: Duration = Duration::from_millis(500);

type Held = (Box<dyn Sandbox>, OwnedSemaphorePermit);
type Waiter = oneshot::Sender<Granted>;

/// Keeps sandboxes warm.
pub struct PoolActor {
    backend: Arc<dyn SandboxBackend>,
    shelves: Shelves<Held, Waiter>,
    places: Arc<Semaphore>,
    breaker: Breaker,
    /// A look at the shelves is due when the breaker may let a probe through.
    waking: bool,
    stats: PoolStats,
    closing: CancellationToken,
}

impl PoolActor {
    pub(super) fn new(
        backend: Arc<dyn SandboxBackend>,
        config: PoolConfig,
        places: Arc<Semaphore>,
        closing: CancellationToken,
    ) -> Self {
        Self {
            backend,
            shelves: Shelves::new(config),
            places,
            breaker: Breaker::new(BREAKER_THRESHOLD, BREAKER_COOL_DOWN),
            waking: false,
            stats: PoolStats::default(),
            closing,
        }
    }

    fn acquire(&mut self, spec: &Arc<SandboxSpec>, waiter: Waiter, ctx: &mut Context<Self>) {
        if self.closing.is_cancelled() {
            return tell(waiter, Err(closed()));
        }
        let now = Instant::now();
        let (taken, old) = self.shelves.take(spec, now);
        drop(old);
        match taken {
            Some((sandbox, place)) => {
                self.stats.hits += 1;
                if let Err(unwanted) = waiter.send(Ok(Lease::new(sandbox, place, true))) {
                    drop(unwanted);
                }
            }
            None => {
                self.stats.misses += 1;
                self.shelves.wait(spec, waiter, now);
            }
        }
        self.refill(ctx);
    }

    /// Starts what is lacking, as far as creations in parallel are allowed.
    fn refill(&mut self, ctx: &mut Context<Self>) {
        if self.closing.is_cancelled() {
            return;
        }
        self.shelves.forget(Waiter::is_closed);
        for (spec, awaited) in self.shelves.plan() {
            let Some(place) = self.place_for(&spec, awaited) else {
                self.shelves.created(&spec);
                continue;
            };
            // Who waits goes on waiting while the breaker is open: a backend that is back
            // in a second costs nobody an attempt.
            match self.breaker.admit(Instant::now()) {
                Some(what) => self.create(spec, place, what, ctx),
                None => {
                    self.shelves.created(&spec);
                    self.wake(ctx);
                }
            }
        }
    }

    /// A place, or the promise of one where somebody waits; warmth takes only what is free.
    fn place_for(&mut self, spec: &Arc<SandboxSpec>, awaited: bool) -> Option<Place> {
        let free = self.places.clone().try_acquire_owned().ok();
        if free.is_none() && awaited {
            drop(self.shelves.evict(spec));
            return Some(Err(self.places.clone()));
        }
        free.map(Ok)
    }

    fn create(&mut self, spec: Arc<SandboxSpec>, place: Place, what: Try, ctx: &mut Context<Self>) {
        let (backend, wanted, closing) = (self.backend.clone(), spec.clone(), self.closing.clone());
        let creation = spawn("create sandbox", async move {
            let create = async {
                let place = match place {
                    Ok(place) => place,
                    Err(places) => places.acquire_owned().await.map_err(|_| closed())?,
                };
                backend.create(&wanted).await.map(|sandbox| (sandbox, place))
            };
            tokio::select! {
                biased;
                () = closing.cancelled() => Err(closed()),
                created = create => created,
            }
        });
        ctx.spawn(creation.into_actor(self).map(move |created, this, ctx| {
            let panicked = |failure| Err(Fault::new(FaultKind::SandboxStart, panic_text(failure)));
            this.created(&spec, created.unwrap_or_else(panicked), what, ctx);
        }));
    }

    fn created(
        &mut self,
        spec: &Arc<SandboxSpec>,
        created: Result<Held, Fault>,
        what: Try,
        ctx: &mut Context<Self>,
    ) {
        self.shelves.created(spec);
        match created {
            Ok(held) => {
                self.breaker.succeeded();
                self.stats.created += 1;
                self.hand_over(spec, held);
            }
            Err(fault) => {
                self.stats.failed += 1;
                self.fail(spec, &fault, what);
                self.breaker.failed(Instant::now(), what);
            }
        }
        self.refill(ctx);
    }

    /// To the first waiter who still wants it, else onto the shelf.
    fn hand_over(&mut self, spec: &Arc<SandboxSpec>, (sandbox, place): Held) {
        let mut lease = Lease::new(sandbox, place, false);
        while let Some(waiter) = self.shelves.next_waiter(spec) {
            match waiter.send(Ok(lease)) {
                Ok(()) | Err(Err(_)) => return,
                Err(Ok(unwanted)) => lease = unwanted,
            }
        }
        if !self.closing.is_cancelled() {
            drop(self.shelves.keep(spec, lease.into_parts(), Instant::now()));
        }
    }

    /// One creation, one waiter told; but a failed probe speaks for all, or they would wait
    /// one after another for as many probes.
    fn fail(&mut self, spec: &Arc<SandboxSpec>, fault: &Fault, what: Try) {
        if what == Try::Probe {
            let waiters = self.shelves.all_waiters();
            waiters.into_iter().for_each(|waiter| tell(waiter, Err(fault.clone())));
        } else if let Some(waiter) = self.shelves.next_waiter(spec) {
            tell(waiter, Err(fault.clone()));
        }
    }

    /// Looks again when the breaker may admit a probe. One look is enough: it arranges for
    /// the next.
    fn wake(&mut self, ctx: &mut Context<Self>) {
        let Some(wait) = self.breaker.wait(Instant::now()).filter(|_| !self.waking) else { return };
        self.waking = true;
        ctx.run_later(wait, |this, ctx| {
            this.waking = false;
            this.refill(ctx);
        });
    }

    fn close(&mut self) {
        self.closing.cancel();
        let (items, waiters) = self.shelves.clear();
        drop(items);
        waiters.into_iter().for_each(|waiter| tell(waiter, Err(closed())));
    }

    fn snapshot(&self) -> PoolStats {
        PoolStats {
            warm: self.shelves.warm(),
            creating: self.shelves.creating(),
            waiting: self.shelves.waiting(),
            breaker_open: self.breaker.is_open(),
            ..self.stats.clone()
        }
    }
}

/// A place that is taken, or where to wait for one.
type Place = Result<OwnedSemaphorePermit, Arc<Semaphore>>;

fn closed() -> Fault {
    Fault::new(FaultKind::Cancelled, "the pool is closed")
}

fn tell(waiter: Waiter, granted: Granted) {
    // Nobody listening means nobody to tell.
    waiter.send(granted).ok();
}

impl Actor for PoolActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(EXPIRY_CHECK, |this, ctx| {
            drop(this.shelves.expire(Instant::now()));
            this.refill(ctx);
        });
    }
}

impl Handler<Acquire> for PoolActor {
    type Result = ();

    fn handle(&mut self, message: Acquire, ctx: &mut Self::Context) {
        let waiter = message.reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        // None: an incarnation that has died took it; the caller asks again.
        if let Some(waiter) = waiter {
            self.acquire(&message.spec, waiter, ctx);
        }
    }
}

impl Handler<Shutdown> for PoolActor {
    type Result = ();

    fn handle(&mut self, _: Shutdown, _: &mut Self::Context) {
        self.close();
    }
}

impl Handler<Snapshot> for PoolActor {
    type Result = actix::MessageResult<Snapshot>;

    fn handle(&mut self, _: Snapshot, _: &mut Self::Context) -> Self::Result {
        actix::MessageResult(self.snapshot())
    }
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for PoolActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into the pool");
    }
}

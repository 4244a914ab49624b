//! The pool actor: a shim over [`super::state`] that creates in tasks and hands over.

use super::messages::{Acquire, Lease, PoolStats, Shutdown, Snapshot};
use super::state::{PoolConfig, Shelves};
use crate::model::{Fault, FaultKind, SandboxSpec};
use crate::policy::Breaker;
use crate::ports::{Sandbox, SandboxBackend};
use crate::supervisor::spawn;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::Instant;

const EXPIRY_CHECK: Duration = Duration::from_secs(5);
const BREAKER_THRESHOLD: u32 = 8;
const BREAKER_COOL_DOWN: Duration = Duration::from_millis(500);

type Held = (Box<dyn Sandbox>, OwnedSemaphorePermit);
type Waiter = oneshot::Sender<Result<Lease, Fault>>;

/// Keeps sandboxes warm.
pub struct PoolActor {
    backend: Arc<dyn SandboxBackend>,
    shelves: Shelves<Held, Waiter>,
    places: Arc<Semaphore>,
    breaker: Breaker,
    stats: PoolStats,
    closed: bool,
}

impl PoolActor {
    pub(super) fn new(
        backend: Arc<dyn SandboxBackend>,
        config: PoolConfig,
        places: Arc<Semaphore>,
    ) -> Self {
        Self {
            backend,
            shelves: Shelves::new(config),
            places,
            breaker: Breaker::new(BREAKER_THRESHOLD, BREAKER_COOL_DOWN),
            stats: PoolStats::default(),
            closed: false,
        }
    }

    fn acquire(&mut self, spec: Arc<SandboxSpec>, ctx: &mut Context<Self>) -> Taken {
        if self.closed {
            return Taken::Refused(Fault::new(FaultKind::Cancelled, "the pool is closed"));
        }
        let now = Instant::now();
        let (taken, old) = self.shelves.take(&spec, now);
        drop(old);
        let outcome = match taken {
            Some((sandbox, place)) => {
                self.stats.hits += 1;
                Taken::Now(Box::new(Lease::new(sandbox, place)))
            }
            None => {
                self.stats.misses += 1;
                let (sender, receiver) = oneshot::channel();
                self.shelves.wait(&spec, sender, now);
                Taken::Later(receiver)
            }
        };
        self.refill(ctx);
        outcome
    }

    /// Starts what is lacking, as far as creations in parallel are allowed.
    fn refill(&mut self, ctx: &mut Context<Self>) {
        for spec in self.shelves.plan() {
            if let Err(why) = self.breaker.admit(Instant::now()) {
                self.fail_one(&spec, &Fault::new(FaultKind::SandboxStart, why));
                continue;
            }
            let (backend, places, wanted) =
                (self.backend.clone(), self.places.clone(), spec.clone());
            let creation = spawn("create sandbox", async move {
                let closed = |_| Fault::new(FaultKind::Cancelled, "the pool is closed");
                let place = places.acquire_owned().await.map_err(closed)?;
                backend.create(&wanted).await.map(|sandbox| (sandbox, place))
            });
            ctx.spawn(creation.into_actor(self).map(move |created, this, ctx| {
                let panicked = |e: tokio::task::JoinError| {
                    Err(Fault::new(FaultKind::SandboxStart, e.to_string()))
                };
                this.created(&spec, created.unwrap_or_else(panicked), ctx);
            }));
        }
    }

    fn created(
        &mut self,
        spec: &Arc<SandboxSpec>,
        created: Result<Held, Fault>,
        ctx: &mut Context<Self>,
    ) {
        match created {
            Ok(held) => {
                self.breaker.succeeded();
                self.stats.created += 1;
                self.hand_over(spec, held);
            }
            Err(fault) => {
                self.stats.failed += 1;
                self.breaker.failed(Instant::now(), &fault.message);
                self.fail_one(spec, &fault);
            }
        }
        if !self.closed && !self.breaker.is_open() {
            self.refill(ctx);
        }
    }

    fn hand_over(&mut self, spec: &Arc<SandboxSpec>, held: Held) {
        let mut lease = Some(held);
        let mut waiter = self.shelves.created(spec);
        while let (Some((sandbox, place)), Some(sender)) = (lease.take(), waiter.take()) {
            match sender.send(Ok(Lease::new(sandbox, place))) {
                Ok(()) => return,
                // That one gave up waiting; whoever is next gets a fresh one.
                Err(refused) => drop(refused),
            }
        }
        if let Some(held) = lease.filter(|_| !self.closed) {
            self.shelves.keep(spec, held, Instant::now());
        }
    }

    fn fail_one(&mut self, spec: &Arc<SandboxSpec>, fault: &Fault) {
        if let Some(waiter) = self.shelves.created(spec) {
            // Nobody listening means nobody to tell.
            waiter.send(Err(fault.clone())).ok();
        }
    }

    fn close(&mut self) {
        self.closed = true;
        let (items, waiters) = self.shelves.clear();
        drop(items);
        for waiter in waiters {
            waiter.send(Err(Fault::new(FaultKind::Cancelled, "the pool is closed"))).ok();
        }
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

enum Taken {
    Now(Box<Lease>),
    Later(oneshot::Receiver<Result<Lease, Fault>>),
    Refused(Fault),
}

impl Actor for PoolActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(EXPIRY_CHECK, |this, _| drop(this.shelves.expire(Instant::now())));
    }
}

impl Handler<Acquire> for PoolActor {
    type Result = ResponseFuture<Result<Lease, Fault>>;

    fn handle(&mut self, message: Acquire, ctx: &mut Self::Context) -> Self::Result {
        let taken = self.acquire(message.0, ctx);
        Box::pin(async move {
            match taken {
                Taken::Now(lease) => Ok(*lease),
                Taken::Refused(fault) => Err(fault),
                Taken::Later(lease) => lease.await.unwrap_or_else(|_| {
                    Err(Fault::new(FaultKind::ActorGone, "the pool restarted"))
                }),
            }
        })
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

//! The pool actor. It carries out what [`super::state`] decides: it starts creations and health
//! checks in tasks, and gives sandboxes to waiters.
//!
//! ```text
//!           asked: none warm                    created
//!  (none) ───────────────────► creating ─────────────────► leased ──► dropped
//!                                 │  ▲                       ▲
//!              the engine is down │  │ probe           taken │
//!                                 ▼  │                       │
//!                               waiting        warm ◄──► checking ──► dead, old or idle
//! ```
//! The engine in the diagram is the sandbox backend. Creation is in [`super::creation`]. The fault
//! of a failed creation goes to one waiter, that of a failed probe to all waiters of the backend.
//! If the fault says that the backend is down, nobody gets it: the waiters go on waiting, and one
//! creation at a time (the probe) finds out whether the backend is back.
//!
//! The actor can be restarted. Its warm sandboxes are then lost, but leases, places and a shutdown
//! stay valid, and `PoolHandle::acquire` asks again.

use super::creation::CreationPermit;
use super::messages::{
    AcquireSandbox, DownBackends, LeaseResult, MOST_DEATHS, PoolStatsQuery, SandboxLease,
    ShutDownPool,
};
use super::metrics::SpecMetrics;
use super::state::{PoolConfig, SpecPools, WarmItem};
use crate::model::{BackendKind, Fault, FaultKind, SandboxSpec};
use crate::policy::CircuitBreaker;
use crate::ports::{Sandbox, SandboxBackend};
use crate::supervisor::{AskError, spawn};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often old sandboxes are removed and health checks are started.
const EXPIRY_CHECK: Duration = Duration::from_secs(5);
/// The number of failed creations in a row after which a backend counts as failing.
const BREAKER_THRESHOLD: u32 = 8;
/// The time until the first probe after that.
const BREAKER_COOL_DOWN: Duration = Duration::from_millis(500);
/// Counts of specifications that are not used any more are removed when there are this many.
const REMEMBERED: usize = 64;

/// A sandbox with its place among the living ones.
pub(super) type HeldSandbox = (Box<dyn Sandbox>, OwnedSemaphorePermit);

/// A request that waits for a sandbox, and since when.
pub(super) struct LeaseWaiter {
    grant: oneshot::Sender<LeaseResult>,
    since: Instant,
}

impl LeaseWaiter {
    /// Whether the caller has given up.
    fn is_gone(&self) -> bool {
        self.grant.is_closed()
    }

    /// Answers the request. If the caller has given up, the lease is dropped, and the sandbox ends.
    pub(super) fn tell(self, granted: LeaseResult) {
        self.grant.send(granted).ok();
    }
}

/// What outlives a restart of the actor.
pub(super) struct PoolResources {
    pub(super) backend: Arc<dyn SandboxBackend>,
    pub(super) config: PoolConfig,
    /// The places of living sandboxes. Leases from before a restart keep theirs.
    pub(super) slots: Arc<Semaphore>,
    /// Cancelled by a shutdown, for good.
    pub(super) closing: CancellationToken,
    /// Publishes the backends that are down.
    pub(super) down: Arc<watch::Sender<DownBackends>>,
}

/// Keeps sandboxes warm and gives them out.
pub struct PoolActor {
    pub(super) backend: Arc<dyn SandboxBackend>,
    /// The warm sandboxes and the waiters of each specification.
    pub(super) pools: SpecPools<HeldSandbox, LeaseWaiter>,
    pub(super) slots: Arc<Semaphore>,
    /// The circuit breaker of each backend.
    pub(super) breakers: HashMap<BackendKind, CircuitBreaker>,
    /// Publishes the backends that are down, with the reason.
    pub(super) down: Arc<watch::Sender<DownBackends>>,
    /// Whether a timer runs that starts the next probe.
    pub(super) waking: bool,
    /// Counts and times for status reports.
    pub(super) figures: HashMap<Arc<SandboxSpec>, SpecMetrics>,
    pub(super) closing: CancellationToken,
    /// Running creations and checks: their sandboxes are known to nobody else yet. A shutdown waits
    /// for them.
    pub(super) under_way: TaskTracker,
}

impl PoolActor {
    /// A new incarnation of the actor.
    pub(super) fn new(tools: PoolResources) -> Self {
        let PoolResources { backend, config, slots, closing, down } = tools;
        Self {
            backend,
            pools: SpecPools::new(config),
            slots,
            breakers: HashMap::new(),
            down,
            waking: false,
            figures: HashMap::new(),
            closing,
            under_way: TaskTracker::new(),
        }
    }

    /// Gives a warm sandbox, or puts the request into the queue.
    fn acquire(
        &mut self,
        asked: &AcquireSandbox,
        grant: oneshot::Sender<LeaseResult>,
        ctx: &mut Context<Self>,
    ) {
        #[cfg(test)]
        assert!(asked.spec.image != DEADLY_IMAGE, "injected into the pool");
        let now = Instant::now();
        let waiter = LeaseWaiter { grant, since: now };
        if self.closing.is_cancelled() {
            return waiter.tell(Err(closed()));
        }
        let (taken, old) = self.pools.take(&asked.spec, now);
        drop(old);
        match taken {
            Some(WarmItem { item: (sandbox, place), checked, .. }) => {
                let figures = self.figures(&asked.spec);
                figures.hits += 1;
                figures.waits.add(Duration::ZERO);
                waiter.tell(Ok(SandboxLease::new(sandbox, place, Some(checked))));
            }
            None => {
                self.figures(&asked.spec).misses += 1;
                self.pools.wait(&asked.spec, asked.party.clone(), waiter, now);
            }
        }
        self.refill(ctx);
    }

    /// The counts of a specification. If too many are remembered, those of unused specifications
    /// are removed.
    pub(super) fn figures(&mut self, spec: &Arc<SandboxSpec>) -> &mut SpecMetrics {
        if self.figures.len() >= REMEMBERED && !self.figures.contains_key(spec) {
            let pools = &self.pools;
            self.figures.retain(|known, _| pools.level(known) != Default::default());
        }
        self.figures.entry(spec.clone()).or_default()
    }

    /// The circuit breaker of a backend.
    pub(super) fn breaker(&mut self, backend: BackendKind) -> &mut CircuitBreaker {
        let new = || CircuitBreaker::new(BREAKER_THRESHOLD, BREAKER_COOL_DOWN);
        self.breakers.entry(backend).or_insert_with(new)
    }

    /// Starts the creations that are missing, within the limits and as far as the circuit breakers
    /// admit them.
    pub(super) fn refill(&mut self, ctx: &mut Context<Self>) {
        if self.closing.is_cancelled() {
            return;
        }
        self.pools.forget(LeaseWaiter::is_gone);
        let now = Instant::now();
        let breakers = &self.breakers;
        let may = |spec: &SandboxSpec| breakers.get(&spec.backend).is_none_or(|b| b.admits(now));
        for (spec, awaited) in self.pools.plan(may) {
            let Some(place) = self.place_for(&spec, awaited) else {
                self.pools.created(&spec);
                continue;
            };
            // Waiting requests continue to wait while the breaker is open: if the backend is back
            // in a second, no attempt is lost.
            match self.breaker(spec.backend).admit(now) {
                Some(what) => self.create(spec, place, what, ctx),
                None => self.pools.created(&spec),
            }
        }
        self.wake(ctx);
    }

    /// A place for a new sandbox. If no place is free and a request waits, a warm sandbox of
    /// another specification is dropped, and the creation waits for a place. If no request waits,
    /// none: keeping sandboxes warm uses free places only.
    fn place_for(&mut self, spec: &Arc<SandboxSpec>, awaited: bool) -> Option<CreationPermit> {
        let free = self.slots.clone().try_acquire_owned().ok();
        if free.is_none() && awaited {
            drop(self.pools.evict(spec));
            return Some(Err(self.slots.clone()));
        }
        free.map(Ok)
    }

    /// Gives a sandbox to the first waiter that still wants it. If nobody does, it is kept warm, or
    /// dropped if there are enough warm ones.
    pub(super) fn hand_over(&mut self, spec: &Arc<SandboxSpec>, held: HeldSandbox, born: Instant) {
        // The guest has just answered, so the lease needs no further check.
        let mut lease = SandboxLease::new(held.0, held.1, None);
        while let Some(LeaseWaiter { grant, since }) = self.pools.next_waiter(spec) {
            match grant.send(Ok(lease)) {
                Ok(()) | Err(Err(_)) => return self.figures(spec).waits.add(since.elapsed()),
                Err(Ok(unwanted)) => lease = unwanted,
            }
        }
        if !self.closing.is_cancelled() {
            drop(self.pools.keep(spec, lease.into_parts(), born, Instant::now()));
        }
    }

    /// Checks warm sandboxes whose guests have not answered for long, so that no request gets a
    /// dead one.
    fn check_health(&mut self, ctx: &mut Context<Self>) {
        for (spec, WarmItem { item: (mut sandbox, place), born, .. }) in
            self.pools.take_due_checks(Instant::now())
        {
            let (closing, under_way) = (self.closing.clone(), self.under_way.token());
            let look = spawn("check sandbox", async move {
                let alive = tokio::select! {
                    alive = sandbox.ping() => alive,
                    () = closing.cancelled() => Err(closed()),
                };
                (alive, (sandbox, place))
            });
            ctx.spawn(look.into_actor(self).map(move |looked, this, ctx| {
                let _under_way = under_way;
                this.pools.checked(&spec);
                match looked {
                    Ok((Ok(()), held)) => this.hand_over(&spec, held, born),
                    _ => this.figures(&spec).died += 1,
                }
                this.refill(ctx);
            }));
        }
    }

    /// Starts a timer for the next time at which a circuit breaker may admit a probe, unless a
    /// timer runs. `refill` starts the next one. A breaker that opens while a timer runs may be
    /// probed late, at the next [`EXPIRY_CHECK`] at the latest.
    fn wake(&mut self, ctx: &mut Context<Self>) {
        let now = Instant::now();
        // A breaker that would admit a try now waits for a free place and not for a time. The
        // handler that frees a place calls `refill`.
        let waits = self.breakers.values().filter_map(|breaker| breaker.wait(now));
        let waits = waits.filter(|wait| !wait.is_zero());
        let Some(wait) = waits.min().filter(|_| !self.waking && self.pools.lacks()) else {
            return;
        };
        self.waking = true;
        ctx.run_later(wait, |this, ctx| {
            this.waking = false;
            this.refill(ctx);
        });
    }

    /// Shuts down: drops the warm sandboxes and refuses the waiters.
    fn close(&mut self) {
        self.closing.cancel();
        let (items, waiters) = self.pools.clear();
        drop(items);
        waiters.into_iter().for_each(|waiter| waiter.tell(Err(closed())));
    }
}

/// The fault that requests get after a shutdown.
pub(super) fn closed() -> Fault {
    Fault::new(FaultKind::Cancelled, "the pool is closed")
}

impl Actor for PoolActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(EXPIRY_CHECK, |this, ctx| {
            drop(this.pools.expire(Instant::now()));
            this.check_health(ctx);
            this.refill(ctx);
        });
    }
}

/// A request for this image kills the pool, in tests.
#[cfg(test)]
pub(super) const DEADLY_IMAGE: &str = "deadly";

crate::takes_deliveries!(PoolActor);

impl Handler<AcquireSandbox> for PoolActor {
    type Result = ();

    fn handle(&mut self, message: AcquireSandbox, ctx: &mut Self::Context) {
        let grant = message.reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        // None means that an incarnation that died has taken it. The caller notices and asks again.
        let Some(grant) = grant else { return };
        if message.deaths.load(Ordering::Acquire) >= MOST_DEATHS {
            grant.send(Err(AskError::SetAside("pool").into())).ok();
            return;
        }
        // A panic leaves the count raised.
        message.deaths.fetch_add(1, Ordering::AcqRel);
        self.acquire(&message, grant, ctx);
        message.deaths.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Handler<ShutDownPool> for PoolActor {
    type Result = ResponseFuture<()>;

    /// Answered when no sandbox is left that only a task of the pool's knows of.
    fn handle(&mut self, _: ShutDownPool, _: &mut Self::Context) -> Self::Result {
        self.close();
        self.under_way.close();
        let under_way = self.under_way.clone();
        Box::pin(async move { under_way.wait().await })
    }
}

impl Handler<PoolStatsQuery> for PoolActor {
    type Result = actix::MessageResult<PoolStatsQuery>;

    fn handle(&mut self, _: PoolStatsQuery, _: &mut Self::Context) -> Self::Result {
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

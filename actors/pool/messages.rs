//! The messages to the pool, its handle and its leases.

use super::PoolActor;
use super::actor::PoolResources;
use super::fair_queue::QueueGroup;
use super::metrics::SpecStats;
use super::state::PoolConfig;
use crate::model::{BackendKind, CampaignName, Fault, SandboxSpec, WorkspaceCopy};
use crate::policy::RestartIntensity;
use crate::ports::{Sandbox, SandboxBackend, StoredCopy};
use crate::supervisor::{ActorExit, ActorHandle, ActorStats, supervise};
use actix::Message;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A sandbox with exactly one owner. Dropping the lease ends the sandbox with all its processes and
/// frees its place in the pool. A sandbox is never returned to the pool.
pub struct SandboxLease {
    sandbox: Box<dyn Sandbox>,
    /// When the guest last answered, if the sandbox was warm. None if it was just created or
    /// checked.
    answered: Option<Instant>,
    /// The place among the sandboxes that may be alive.
    place: OwnedSemaphorePermit,
}

impl SandboxLease {
    /// A lease for the caller of `acquire`.
    pub(super) fn new(
        sandbox: Box<dyn Sandbox>,
        place: OwnedSemaphorePermit,
        answered: Option<Instant>,
    ) -> Self {
        Self { sandbox, answered, place }
    }

    /// The sandbox, for running commands and copying files.
    pub fn sandbox(&mut self) -> &mut dyn Sandbox {
        &mut *self.sandbox
    }

    /// Takes a lease apart that nobody wanted, to keep its sandbox warm.
    pub(super) fn into_parts(self) -> (Box<dyn Sandbox>, OwnedSemaphorePermit) {
        (self.sandbox, self.place)
    }
}

/// A lease, or why no sandbox could be made.
pub(super) type LeaseResult = Result<SandboxLease, Fault>;

/// Asks for a sandbox: a warm one at once, or the next one that is created. The answer comes
/// through `reply`, and not as the answer to the message. So if the caller gives up, the pool sees
/// that the channel is closed; and if the pool dies, the caller sees that nobody will answer.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct AcquireSandbox {
    pub(super) spec: Arc<SandboxSpec>,
    /// The group in the fair queue.
    pub(super) party: QueueGroup,
    /// Taken by the first incarnation of the actor that handles the message, because a message may
    /// be delivered again after a restart.
    pub(super) reply: Arc<Mutex<Option<oneshot::Sender<LeaseResult>>>>,
    /// How many incarnations have died of this request. A request is asked again with a new
    /// `reply`, so the supervisor cannot count them.
    pub(super) deaths: Arc<AtomicU32>,
}

/// A request that has killed the pool so often is not handled again.
pub(super) const MOST_DEATHS: u32 = 2;

/// Drops every warm sandbox and refuses all further requests. It is answered when no creation and
/// no health check is running any more.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct ShutDownPool;

/// Asks for the state of the pool.
#[derive(Clone, Message)]
#[rtype(result = "PoolStats")]
pub struct PoolStatsQuery;

/// The state of the pool in status reports, over all specifications.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PoolStats {
    /// Sandboxes that are ready to be taken.
    pub warm: usize,
    /// Creations that are running.
    pub creating: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// Requests that got a warm sandbox at once.
    pub hits: u64,
    /// Requests that had to wait.
    pub misses: u64,
    /// Creations that succeeded.
    pub created: u64,
    /// Creations that failed.
    pub failed: u64,
    /// Whether the circuit breaker of any backend is open.
    pub breaker_open: bool,
    /// The backends that are down.
    pub down: DownBackends,
    /// Each specification, sorted by name.
    pub specs: Vec<SpecStats>,
}

/// If the last answer of a guest is younger than this, the guest counts as alive.
const FRESH: Duration = Duration::from_secs(15);

/// The pool for the rest of the engine. Clones share the pool.
#[derive(Clone)]
pub struct PoolHandle {
    actor: ActorHandle<PoolActor>,
    /// The group in the fair queue; empty for the engine itself.
    party: QueueGroup,
    down: watch::Receiver<DownBackends>,
    /// Stores copies of workspaces.
    backend: Arc<dyn SandboxBackend>,
}

/// The backends that are down, with the reason. Everything that needs a sandbox of such a backend
/// waits.
pub type DownBackends = BTreeMap<BackendKind, String>;

impl PoolHandle {
    /// Starts a supervised pool. The second value ends when the actor has ended.
    pub fn start(
        backend: Arc<dyn SandboxBackend>,
        config: PoolConfig,
    ) -> (Self, JoinHandle<ActorExit>) {
        let slots = Arc::new(tokio::sync::Semaphore::new(config.max_live));
        // The places and this token outlive the actor: leases from before a restart keep their
        // places, and a pool that was shut down stays shut down.
        let closing = CancellationToken::new();
        let intensity = RestartIntensity::new(5, Duration::from_secs(10));
        let (publish, down) = watch::channel(DownBackends::new());
        let publish = Arc::new(publish);
        let creator = backend.clone();
        let (handle, joined) = supervise("pool", intensity, move || {
            PoolActor::new(PoolResources {
                backend: creator.clone(),
                config: config.clone(),
                slots: slots.clone(),
                closing: closing.clone(),
                down: publish.clone(),
            })
        });
        (Self { actor: handle, party: "".into(), down, backend }, joined)
    }

    /// The same pool for a campaign, which takes turns with other campaigns.
    pub fn for_campaign(&self, campaign: &CampaignName) -> Self {
        Self { party: campaign.as_str().into(), ..self.clone() }
    }

    /// The backends that are down; the receiver learns of every change.
    pub fn down(&self) -> watch::Receiver<DownBackends> {
        self.down.clone()
    }

    /// A sandbox whose guest has answered within the last 15 seconds. It waits as long as
    /// necessary; drop the future to give up. Err means that the sandbox could not be created, or
    /// that the pool is shut down or gone.
    pub async fn acquire(&self, spec: &Arc<SandboxSpec>) -> Result<SandboxLease, Fault> {
        let deaths = Arc::new(AtomicU32::new(0));
        loop {
            let (reply, granted) = oneshot::channel();
            let reply = Arc::new(Mutex::new(Some(reply)));
            let party = self.party.clone();
            let (spec, deaths) = (spec.clone(), deaths.clone());
            self.actor.ask(AcquireSandbox { spec, party, reply, deaths }).await?;
            // The pool died while it had the request. It was restarted and is asked again.
            let Ok(granted) = granted.await else { continue };
            let mut lease = granted?;
            // A warm sandbox may have died since the last health check. It must not be found out in
            // the middle of an episode, so the guest is asked once more, unless it answered
            // recently.
            let fresh = lease.answered.is_none_or(|then| then.elapsed() < FRESH);
            if fresh || lease.sandbox().ping().await.is_ok() {
                return Ok(lease);
            }
        }
    }

    /// Takes a copy of a workspace out of memory, see [`SandboxBackend::store_copy`].
    pub async fn store_copy(&self, copy: Arc<WorkspaceCopy>) -> Arc<dyn StoredCopy> {
        self.backend.store_copy(copy).await
    }

    /// The state of the pool; empty if the pool is gone.
    pub async fn stats(&self) -> PoolStats {
        self.actor.ask(PoolStatsQuery).await.unwrap_or_default()
    }

    /// The counts of the pool's actor.
    pub fn actor_stats(&self) -> ActorStats {
        self.actor.stats()
    }

    /// Shuts the pool down and waits until it has dropped its sandboxes. Leases that are out stay
    /// valid.
    pub async fn shut_down(&self) {
        // A pool that is gone already has dropped its sandboxes.
        self.actor.ask(ShutDownPool).await.ok();
    }

    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<PoolActor> {
        &self.actor
    }
}

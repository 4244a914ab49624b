//! The messages to the pool, and its handle.

use super::PoolActor;
use super::actor::PoolResources;
use super::fair_queue::QueueGroup;
use super::metrics::SpecStats;
use super::state::PoolConfig;
use crate::model::{BackendKind, CampaignName, Fault, SandboxSpec};
use crate::policy::RestartIntensity;
use crate::ports::{Sandbox, SandboxBackend};
use crate::supervisor::{ActorExit, ActorHandle, supervise};
use actix::Message;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A sandbox with one owner. A drop kills everything inside and frees the place.
pub struct SandboxLease {
    sandbox: Box<dyn Sandbox>,
    /// When its guest last answered, where it has waited on a shelf since.
    answered: Option<Instant>,
    place: OwnedSemaphorePermit,
}

impl SandboxLease {
    pub(super) fn new(
        sandbox: Box<dyn Sandbox>,
        place: OwnedSemaphorePermit,
        answered: Option<Instant>,
    ) -> Self {
        Self { sandbox, answered, place }
    }

    pub fn sandbox(&mut self) -> &mut dyn Sandbox {
        &mut *self.sandbox
    }

    pub(super) fn into_parts(self) -> (Box<dyn Sandbox>, OwnedSemaphorePermit) {
        (self.sandbox, self.place)
    }
}

pub(super) type LeaseResult = Result<SandboxLease, Fault>;

/// Take a sandbox: a warm one at once, else the next one created. It comes through the
/// sender, whose receiver belongs to the caller: when the caller gives up, the pool sees
/// that nobody waits; when the pool dies, the caller sees that nobody will answer.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct AcquireSandbox {
    pub(super) spec: Arc<SandboxSpec>,
    pub(super) party: QueueGroup,
    pub(super) reply: Arc<Mutex<Option<oneshot::Sender<LeaseResult>>>>,
}

/// Drop every warm sandbox and refuse what comes.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct ShutDownPool;

/// The state of the pool.
#[derive(Clone, Message)]
#[rtype(result = "PoolStats")]
pub struct PoolStatsQuery;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct PoolStats {
    pub warm: usize,
    pub creating: usize,
    pub waiting: usize,
    pub hits: u64,
    pub misses: u64,
    pub created: u64,
    pub failed: u64,
    pub breaker_open: bool,
    pub down: DownBackends,
    pub specs: Vec<SpecStats>,
}

/// If the last answer of a guest is younger than this, the guest counts as alive.
const FRESH: Duration = Duration::from_secs(15);

/// The pool, for everybody else.
#[derive(Clone)]
pub struct PoolHandle {
    actor: ActorHandle<PoolActor>,
    party: QueueGroup,
    down: watch::Receiver<DownBackends>,
}

/// Backends that are down, which everybody waits for, with the reason.
pub type DownBackends = BTreeMap<BackendKind, String>;

impl PoolHandle {
    /// Starts a supervised pool.
    pub fn start(
        backend: Arc<dyn SandboxBackend>,
        config: PoolConfig,
    ) -> (Self, JoinHandle<ActorExit>) {
        let places = Arc::new(tokio::sync::Semaphore::new(config.max_live));
        // Both outlive the actor: leases of before a rebuild keep their places, and a pool
        // that was closed stays closed.
        let closing = CancellationToken::new();
        let intensity = RestartIntensity::new(5, Duration::from_secs(10));
        let (publish, down) = watch::channel(DownBackends::new());
        let publish = Arc::new(publish);
        let (handle, joined) = supervise("pool", intensity, move || {
            PoolActor::new(PoolResources {
                backend: backend.clone(),
                config: config.clone(),
                places: places.clone(),
                closing: closing.clone(),
                down: publish.clone(),
            })
        });
        (Self { actor: handle, party: "".into(), down }, joined)
    }

    /// The same pool for a campaign, which takes turns with others.
    pub fn for_campaign(&self, campaign: &CampaignName) -> Self {
        Self { party: campaign.as_str().into(), ..self.clone() }
    }

    /// Backends that are down at the moment.
    pub fn down(&self) -> watch::Receiver<DownBackends> {
        self.down.clone()
    }

    /// A sandbox whose guest has just answered.
    pub async fn acquire(&self, spec: &Arc<SandboxSpec>) -> Result<SandboxLease, Fault> {
        loop {
            let (reply, granted) = oneshot::channel();
            let reply = Arc::new(Mutex::new(Some(reply)));
            let party = self.party.clone();
            self.actor.ask(AcquireSandbox { spec: spec.clone(), party, reply }).await?;
            // A pool that died with the request in hand has a successor to ask.
            let Ok(granted) = granted.await else { continue };
            let mut lease = granted?;
            // A warm one may have died while it waited; nobody should find out mid-episode. The
            // pool asks them every few seconds, so mostly there is nothing to ask here.
            let fresh = lease.answered.is_none_or(|then| then.elapsed() < FRESH);
            if fresh || lease.sandbox().ping().await.is_ok() {
                return Ok(lease);
            }
        }
    }

    pub async fn stats(&self) -> PoolStats {
        self.actor.ask(PoolStatsQuery).await.unwrap_or_default()
    }

    pub async fn shut_down(&self) {
        // A pool that is gone already has dropped its sandboxes.
        self.actor.ask(ShutDownPool).await.ok();
    }

    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<PoolActor> {
        &self.actor
    }
}

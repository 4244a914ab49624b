//! What the pool is asked, and the handle through which.

use super::PoolActor;
use super::state::PoolConfig;
use crate::model::{Fault, SandboxSpec};
use crate::policy::Intensity;
use crate::ports::{Sandbox, SandboxBackend};
use crate::supervisor::{Ended, Handle, supervise};
use actix::Message;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

/// A sandbox of one's own. Dropping it kills what is inside and frees its place.
pub struct Lease {
    sandbox: Box<dyn Sandbox>,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) fn new(sandbox: Box<dyn Sandbox>, place: OwnedSemaphorePermit) -> Self {
        Self { sandbox, _place: place }
    }

    pub fn sandbox(&mut self) -> &mut dyn Sandbox {
        &mut *self.sandbox
    }
}

/// Take a sandbox: a warm one at once, else the next one created.
#[derive(Clone, Message)]
#[rtype(result = "Result<Lease, Fault>")]
pub struct Acquire(pub Arc<SandboxSpec>);

/// Drop every warm sandbox and refuse what comes.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub struct Shutdown;

/// How the pool fares.
#[derive(Clone, Message)]
#[rtype(result = "PoolStats")]
pub struct Snapshot;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PoolStats {
    pub warm: usize,
    pub creating: usize,
    pub waiting: usize,
    pub hits: u64,
    pub misses: u64,
    pub created: u64,
    pub failed: u64,
    pub breaker_open: bool,
}

/// The pool, for everybody else.
#[derive(Clone)]
pub struct PoolHandle(Handle<PoolActor>);

impl PoolHandle {
    /// Starts a supervised pool.
    pub fn start(
        backend: Arc<dyn SandboxBackend>,
        config: PoolConfig,
    ) -> (Self, JoinHandle<Ended>) {
        let places = Arc::new(tokio::sync::Semaphore::new(config.max_live));
        let intensity = Intensity::new(5, Duration::from_secs(10));
        let (handle, joined) = supervise("pool", intensity, move || {
            PoolActor::new(backend.clone(), config.clone(), places.clone())
        });
        (Self(handle), joined)
    }

    /// A sandbox whose guest has just answered.
    pub async fn acquire(&self, spec: &Arc<SandboxSpec>) -> Result<Lease, Fault> {
        let mut lease = self.0.ask(Acquire(spec.clone())).await??;
        // A warm one may have died while it waited; nobody should find out mid-episode.
        if lease.sandbox().ping().await.is_ok() {
            return Ok(lease);
        }
        drop(lease);
        self.0.ask(Acquire(spec.clone())).await?
    }

    pub async fn stats(&self) -> PoolStats {
        self.0.ask(Snapshot).await.unwrap_or_default()
    }

    pub async fn shut_down(&self) {
        // A pool that is gone already has dropped its sandboxes.
        self.0.ask(Shutdown).await.ok();
    }

    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &Handle<PoolActor> {
        &self.0
    }
}

//! What the collector is asked, and the handle through which.

use super::CollectorActor;
use crate::model::{Entry, Fault};
use crate::policy::Intensity;
use crate::ports::{Journal, StoreFault};
use crate::supervisor::{Ended, Handle, supervise};
use actix::Message;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

/// Records in flight; beyond it callers wait.
pub(super) const QUEUE_BOUND: usize = 4_096;

/// Keep entries; answered when they are durable. Sending one again is harmless.
#[derive(Clone, Message)]
#[rtype(result = "Result<(), StoreFault>")]
pub struct Record {
    pub entries: Vec<Entry>,
    /// The caller's place in the queue, given back when the work is done.
    pub place: Arc<OwnedSemaphorePermit>,
}

#[derive(Clone, Message)]
#[rtype(result = "CollectorStats")]
pub struct Snapshot;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CollectorStats {
    pub recorded: u64,
    /// Entries of dead attempts that were dropped.
    pub fenced: u64,
    pub queue_depth: usize,
    pub queue_bound: usize,
}

/// The collector, for everybody else.
#[derive(Clone)]
pub struct CollectorHandle {
    handle: Handle<CollectorActor>,
    places: Arc<Semaphore>,
}

impl CollectorHandle {
    pub fn start(journal: Arc<dyn Journal>) -> (Self, JoinHandle<Ended>) {
        let intensity = Intensity::new(5, Duration::from_secs(10));
        let (handle, joined) =
            supervise("collector", intensity, move || CollectorActor::new(journal.clone()));
        (Self { handle, places: Arc::new(Semaphore::new(QUEUE_BOUND)) }, joined)
    }

    /// Returns when the entries are durable.
    pub async fn record(&self, entries: Vec<Entry>) -> Result<(), Fault> {
        let closed = |_| crate::supervisor::Gone("collector");
        let place = Arc::new(self.places.clone().acquire_owned().await.map_err(closed)?);
        Ok(self.handle.ask(Record { entries, place }).await??)
    }

    pub async fn stats(&self) -> CollectorStats {
        let mut stats = self.handle.ask(Snapshot).await.unwrap_or_default();
        stats.queue_bound = QUEUE_BOUND;
        stats.queue_depth = QUEUE_BOUND.saturating_sub(self.places.available_permits());
        stats
    }

    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &Handle<CollectorActor> {
        &self.handle
    }
}

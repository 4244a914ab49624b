//! The queue in front of the workers of quality, and the choice of a worker.
//!
//! ```text
//!  caller ──place free?──► queued ──worker idle?──► with a worker ──row──► being written ──► place free
//!              │ no: waits                                      worker free
//! ```
//! Permits bound the queue. The workers are taken in the order in which units came.

use super::judge_actor::JudgeActor;
use crate::supervisor::ActorHandle;
use serde::Serialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most units that are queued, judged or being written, for each worker. Further callers wait.
const UNITS_PER_WORKER: usize = 64;

/// The state of the queue in status reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QualityStats {
    /// Units that wait for a worker, are with one, or wait until their row is durable.
    pub queue_depth: usize,
    /// The most such units.
    pub queue_bound: usize,
    /// Workers that judge now.
    pub judging: usize,
    /// All workers.
    pub workers: usize,
}

/// The workers and their queue.
pub(super) struct JudgeQueue {
    workers: Vec<ActorHandle<JudgeActor>>,
    /// The indexes of the workers that judge nothing.
    idle: Mutex<Vec<usize>>,
    /// One permit for each idle worker.
    idle_workers: Arc<Semaphore>,
    /// One permit for each further unit that the queue takes.
    slots: Arc<Semaphore>,
}

impl JudgeQueue {
    /// A queue in front of these workers.
    pub(super) fn new(workers: Vec<ActorHandle<JudgeActor>>) -> Arc<Self> {
        let count = workers.len();
        Arc::new(Self {
            idle: Mutex::new((0..count).rev().collect()),
            idle_workers: Arc::new(Semaphore::new(count)),
            slots: Arc::new(Semaphore::new(count * UNITS_PER_WORKER)),
            workers,
        })
    }

    /// Waits for a place in the queue. None only if the engine has ended.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.slots.clone().acquire_owned().await.ok()
    }

    /// Waits for an idle worker. None only if the engine has ended.
    pub(super) async fn worker(self: &Arc<Self>) -> Option<JudgeLease> {
        let worker = self.idle_workers.clone().acquire_owned().await.ok()?;
        let index = self.idle().pop()?;
        Some(JudgeLease { queue: self.clone(), index, worker: Mutex::new(Some(worker)) })
    }

    /// Locks the list. Each change of it is one step, so poisoning is ignored.
    fn idle(&self) -> MutexGuard<'_, Vec<usize>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All workers.
    pub(super) fn workers(&self) -> &[ActorHandle<JudgeActor>] {
        &self.workers
    }

    /// The state now.
    pub(super) fn stats(&self) -> QualityStats {
        let (workers, bound) = (self.workers.len(), self.workers.len() * UNITS_PER_WORKER);
        QualityStats {
            queue_depth: bound.saturating_sub(self.slots.available_permits()),
            queue_bound: bound,
            judging: workers.saturating_sub(self.idle_workers.available_permits()),
            workers,
        }
    }
}

/// A worker that judges for one caller. The worker is idle again when it is released, at the latest
/// when the lease is dropped.
pub(super) struct JudgeLease {
    queue: Arc<JudgeQueue>,
    index: usize,
    /// None once the worker is released.
    worker: Mutex<Option<OwnedSemaphorePermit>>,
}

impl JudgeLease {
    /// The worker.
    pub(super) fn worker(&self) -> ActorHandle<JudgeActor> {
        self.queue.workers[self.index].clone()
    }

    /// Makes the worker idle. A second release does nothing.
    pub(super) fn release(&self) {
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(permit) = worker {
            // The index goes back first, so a permit always finds an index.
            self.queue.idle().push(self.index);
            drop(permit);
        }
    }
}

impl Drop for JudgeLease {
    fn drop(&mut self) {
        self.release();
    }
}

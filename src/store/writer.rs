//! The handle on the one writer: a bounded queue in front of a thread. Permits bound the
//! queue, so appenders wait without blocking their thread; the channel behind them is
//! unbounded and never fills. When the writer is gone, for whatever reason, its end of the
//! channel is gone too, and everyone who waits learns so.

use super::prepare::PreparedWrite;
use super::stats::{StoreCounters, StoreStats};
use super::writer_thread::{self, WriterThread};
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use synthd_actors::ports::StoreFault;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Appends that may be queued or in the making.
const QUEUE_BOUND: usize = 4096;

pub(super) type WriterReply = oneshot::Sender<Result<(), StoreFault>>;

/// What the writer is asked for.
pub(super) enum WriterRequest {
    Append(QueuedAppend),
    Barrier(WriterReply),
    #[cfg(test)]
    Panic,
}

/// What an answer says of where an append is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum AppendDurability {
    /// It outlives the process.
    Committed,
    /// It outlives a power cut; nobody waits for it who could not wait for the next one.
    SyncedSoon,
    /// The same at once: a call must not leave before its hold is on the disk.
    Synced,
}

pub(super) struct QueuedAppend {
    pub(super) writes: Vec<PreparedWrite>,
    pub(super) promise: AppendDurability,
    /// Its place in the queue, given back before it is answered: so who got an answer
    /// finds its place free.
    pub(super) place: OwnedSemaphorePermit,
    pub(super) reply: WriterReply,
}

pub(super) struct StoreWriter {
    requests: Option<mpsc::Sender<WriterRequest>>,
    places: Arc<Semaphore>,
    counters: Arc<StoreCounters>,
    thread: Option<JoinHandle<()>>,
}

impl StoreWriter {
    pub(super) fn start(parts: writer_thread::WriterParts) -> io::Result<Self> {
        let (requests, receiver) = mpsc::channel();
        let counters = Arc::new(StoreCounters::default());
        let thread = WriterThread::new(parts, receiver, Arc::clone(&counters));
        let thread = std::thread::Builder::new()
            .name("synthd-store".to_owned())
            .spawn(move || thread.run())?;
        Ok(Self {
            requests: Some(requests),
            places: Arc::new(Semaphore::new(QUEUE_BOUND)),
            counters,
            thread: Some(thread),
        })
    }

    pub(super) async fn append(&self, writes: Vec<PreparedWrite>) -> Result<(), StoreFault> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| gone("append"))?;
        let promise =
            writes.iter().map(PreparedWrite::promise).max().unwrap_or(AppendDurability::Committed);
        let (reply, answer) = oneshot::channel();
        self.send("append", WriterRequest::Append(QueuedAppend { writes, promise, place, reply }))?;
        answer.await.unwrap_or_else(|_| Err(gone("append")))
    }

    pub(super) async fn barrier(&self) -> Result<(), StoreFault> {
        let (reply, answer) = oneshot::channel();
        self.send("barrier", WriterRequest::Barrier(reply))?;
        answer.await.unwrap_or_else(|_| Err(gone("barrier")))
    }

    pub(super) fn stats(&self) -> StoreStats {
        let free = self.places.available_permits();
        StoreStats {
            queue_depth: QUEUE_BOUND.saturating_sub(free),
            queue_bound: QUEUE_BOUND,
            ..self.counters.look()
        }
    }

    pub(super) fn send(
        &self,
        operation: &'static str,
        request: WriterRequest,
    ) -> Result<(), StoreFault> {
        let requests = self.requests.as_ref().ok_or_else(|| gone(operation))?;
        requests.send(request).map_err(|_| gone(operation))
    }
}

impl Drop for StoreWriter {
    /// Waits until everything queued is written, synced and checkpointed.
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the store's writer had panicked");
        }
    }
}

fn gone(operation: &'static str) -> StoreFault {
    StoreFault::new(operation, "the store's writer is gone; what was acknowledged is safe")
}

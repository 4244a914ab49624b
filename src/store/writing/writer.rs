//! The handle of the writer: a bounded queue in front of one thread.
//!
//! Permits bound the queue, so a caller waits for a place without blocking its thread. The channel
//! behind the permits is unbounded, and the permits keep it short. If the writer thread has ended
//! for any reason, its end of the channel is gone, and everyone who waits gets a fault.

use crate::store::writing::prepare::PreparedWrite;
use crate::store::writing::stats::{StoreCounters, StoreStats};
use crate::store::writing::write_behind::WriteBehind;
use crate::store::writing::writer_thread::{self, WriterThread};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use synthd_actors::ports::StoreFault;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How many appends may be queued and not answered yet.
const QUEUE_BOUND: usize = 4096;

/// Where the writer sends its answer.
pub(in crate::store) type WriterReply = oneshot::Sender<Result<(), StoreFault>>;

/// A request to the writer thread.
pub(in crate::store) enum WriterRequest {
    /// Write these entries.
    Append(QueuedAppend),
    /// Answer when everything that was appended before is on the disk.
    Barrier(WriterReply),
    #[cfg(test)]
    Panic,
}

/// What the answer to an append promises. The order is from the weakest to the strongest promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum AppendDurability {
    /// The entries are committed. They survive a kill of the process.
    Committed,
    /// The entries are synced and survive a power cut. The sync may wait a moment for a hold, so
    /// that one sync serves both. Settlements have this promise, because their holds count in full
    /// meanwhile.
    SyncedSoon,
    /// The entries are synced at once. Holds have this promise: a call must not be sent before its
    /// hold is on the disk.
    Synced,
}

/// An append in the queue.
pub(in crate::store) struct QueuedAppend {
    /// The prepared entries. They are written together or not at all.
    pub(in crate::store) writes: Vec<PreparedWrite>,
    /// The strongest promise that one of the entries needs.
    pub(in crate::store) promise: AppendDurability,
    /// The append's place in the queue. It is given back before the append is answered, so that a
    /// caller with an answer finds its place free.
    pub(in crate::store) place: OwnedSemaphorePermit,
    /// Where the answer goes.
    pub(in crate::store) reply: WriterReply,
}

/// The handle of the writer thread. Dropping it ends the thread.
pub(in crate::store) struct StoreWriter {
    /// None only while the handle is dropped.
    requests: Option<mpsc::Sender<WriterRequest>>,
    /// The places in the queue that are free.
    slots: Arc<Semaphore>,
    counters: Arc<StoreCounters>,
    /// None only while the handle is dropped.
    thread: Option<JoinHandle<()>>,
}

impl StoreWriter {
    /// Starts the writer thread for the database at this path, and its write-behind. Fails if the
    /// operating system cannot start a thread.
    pub(in crate::store) fn start(
        parts: writer_thread::WriterParts,
        database: PathBuf,
    ) -> io::Result<Self> {
        let (requests, receiver) = mpsc::channel();
        let counters = Arc::new(StoreCounters::default());
        let thread = WriterThread::new(parts, receiver, Arc::clone(&counters))
            .with_write_behind(WriteBehind::start(database)?);
        let thread = std::thread::Builder::new()
            .name("synthd-store".to_owned())
            .spawn(move || thread.run())?;
        Ok(Self {
            requests: Some(requests),
            slots: Arc::new(Semaphore::new(QUEUE_BOUND)),
            counters,
            thread: Some(thread),
        })
    }

    /// Appends entries and waits for the answer. Waits first for a place in the queue. If this
    /// future is dropped after the entries were queued, they are written all the same.
    pub(in crate::store) async fn append(
        &self,
        writes: Vec<PreparedWrite>,
    ) -> Result<(), StoreFault> {
        let place = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| gone("append"))?;
        let promise =
            writes.iter().map(PreparedWrite::promise).max().unwrap_or(AppendDurability::Committed);
        let (reply, answer) = oneshot::channel();
        self.send("append", WriterRequest::Append(QueuedAppend { writes, promise, place, reply }))?;
        answer.await.unwrap_or_else(|_| Err(gone("append")))
    }

    /// Waits until everything that was appended before is on the disk. A barrier needs no place.
    pub(in crate::store) async fn barrier(&self) -> Result<(), StoreFault> {
        let (reply, answer) = oneshot::channel();
        self.send("barrier", WriterRequest::Barrier(reply))?;
        answer.await.unwrap_or_else(|_| Err(gone("barrier")))
    }

    /// The counters of the writer, with the state of the queue.
    pub(in crate::store) fn stats(&self) -> StoreStats {
        let free = self.slots.available_permits();
        StoreStats {
            queue_depth: QUEUE_BOUND.saturating_sub(free),
            queue_bound: QUEUE_BOUND,
            ..self.counters.look()
        }
    }

    /// Puts a request into the channel. Fails if the writer thread has ended.
    pub(in crate::store) fn send(
        &self,
        operation: &'static str,
        request: WriterRequest,
    ) -> Result<(), StoreFault> {
        let requests = self.requests.as_ref().ok_or_else(|| gone(operation))?;
        requests.send(request).map_err(|_| gone(operation))
    }
}

impl Drop for StoreWriter {
    /// Waits until everything that is queued is written, synced and folded into the database file.
    /// This blocks the thread.
    fn drop(&mut self) {
        // The thread ends when its channel has no sender any more.
        drop(self.requests.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::error!("the store's writer had panicked");
        }
    }
}

/// The fault for a writer thread that has ended.
fn gone(operation: &'static str) -> StoreFault {
    StoreFault::new(operation, "the store's writer is gone; what was acknowledged is safe")
}

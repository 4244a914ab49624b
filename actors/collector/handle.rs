//! The handle through which others record entries.

use crate::model::{Fault, JournalEntry};
use crate::ports::{Journal, StoreFault};
use crate::supervisor::{panic_text, payload_text, spawn};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;

/// What others hold of the collector. Clones are cheap.
#[derive(Clone)]
pub struct CollectorHandle {
    journal: Arc<dyn Journal>,
}

impl CollectorHandle {
    /// A collector that writes to this journal.
    pub fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal }
    }

    /// Writes entries to the journal as one batch. The journal drops entries of dead attempts
    /// silently. Ok means that all the others are durable. Err means that the store did not take
    /// the batch; the caller decides what stops. Waits while the journal's queue is full.
    pub async fn record(&self, entries: Vec<JournalEntry>) -> Result<(), Fault> {
        if entries.is_empty() {
            return Ok(());
        }
        if entries.iter().all(is_of_call) {
            return self.record_here(entries).await;
        }
        let journal = self.journal.clone();
        // The append runs in a task of its own. If the caller is dropped, the append still
        // finishes, because what has begun to be written must be written whole. The task also
        // keeps the encoding of entries off the actors' thread.
        let append = spawn("append", async move { journal.append(entries).await });
        let panicked = |failure| Err(StoreFault::new("append", panic_text(failure)));
        Ok(append.detach().await.unwrap_or_else(panicked)?)
    }

    /// As [`Self::record`], in the caller's own task: for tasks that nobody cuts short and that may
    /// encode.
    pub(crate) async fn record_here(&self, entries: Vec<JournalEntry>) -> Result<(), Fault> {
        if entries.is_empty() {
            return Ok(());
        }
        Ok(here(self.journal.append(entries)).await?)
    }
}

/// Whether an entry belongs to a model call: a hold, a settlement or a call record. Such entries
/// are appended in the caller's own task. A call runs in a task that nobody cuts short, and a
/// second task for each entry would delay the model's answer. Whoever flushes a backlog keeps its
/// entries until they are written.
fn is_of_call(entry: &JournalEntry) -> bool {
    matches!(
        entry,
        JournalEntry::Held { .. } | JournalEntry::Settled { .. } | JournalEntry::Called(_)
    )
}

/// Runs an append in the caller's own task. A store that panics becomes a fault here, too.
async fn here(append: impl Future<Output = Result<(), StoreFault>>) -> Result<(), StoreFault> {
    let mut append = std::pin::pin!(append);
    poll_fn(|cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| append.as_mut().poll(cx)));
        polled.unwrap_or_else(|panic| {
            Poll::Ready(Err(StoreFault::new("append", payload_text(panic))))
        })
    })
    .await
}

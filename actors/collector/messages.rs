//! What the collector is asked, and the handle through which.

use super::CollectorActor;
use crate::model::{Fault, JournalEntry};
use crate::policy::RestartIntensity;
use crate::ports::{Journal, StoreFault};
use crate::supervisor::{ActorExit, ActorHandle, panic_text, payload_text, spawn, supervise};
use actix::Message;
use serde::Serialize;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Records in flight; beyond it callers wait.
pub(super) const QUEUE_BOUND: usize = 4_096;

/// Which of these entries come from a dead attempt, by their places. Asking again is harmless.
#[derive(Clone, Message)]
#[rtype(result = "Vec<usize>")]
pub struct FindStaleEntries(pub(super) Arc<Vec<JournalEntry>>);

#[derive(Clone, Message)]
#[rtype(result = "CollectorStats")]
pub struct CollectorStatsQuery;

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
    handle: ActorHandle<CollectorActor>,
    journal: Arc<dyn Journal>,
    places: Arc<Semaphore>,
    /// Entries that were recorded without a look at the fences.
    unfenced: Arc<AtomicU64>,
}

impl CollectorHandle {
    pub fn start(journal: Arc<dyn Journal>) -> (Self, JoinHandle<ActorExit>) {
        let intensity = RestartIntensity::new(5, Duration::from_secs(10));
        let (handle, joined) = supervise("collector", intensity, CollectorActor::default);
        let places = Arc::new(Semaphore::new(QUEUE_BOUND));
        (Self { handle, journal, places, unfenced: Arc::default() }, joined)
    }

    /// Returns when the entries are durable, or come from a dead attempt.
    pub async fn record(&self, entries: Vec<JournalEntry>) -> Result<(), Fault> {
        let closed = |_| crate::supervisor::ActorGoneError("collector");
        let place = self.places.clone().acquire_owned().await.map_err(closed)?;
        // Money and calls belong to no attempt that could be dead: nobody is asked about them.
        let of_calls = entries.iter().all(is_of_call);
        let entries = match entries.iter().any(is_fenced) {
            true => self.sifted(entries).await?,
            false => {
                self.unfenced.fetch_add(entries.len() as u64, Ordering::Relaxed);
                entries
            }
        };
        if entries.is_empty() {
            return Ok(());
        }
        if of_calls {
            return Ok(here(self.journal.append(entries)).await?);
        }
        let journal = self.journal.clone();
        // In a task of its own, which the caller's end does not end: what has begun to be
        // written is written, and a store that panics is a fault that is answered.
        let append = spawn("append", async move {
            let outcome = journal.append(entries).await;
            drop(place);
            outcome
        });
        let panicked = |failure| Err(StoreFault::new("append", panic_text(failure)));
        Ok(append.detach().await.unwrap_or_else(panicked)?)
    }

    async fn sifted(&self, entries: Vec<JournalEntry>) -> Result<Vec<JournalEntry>, Fault> {
        let entries = Arc::new(entries);
        let dropped = self.handle.ask(FindStaleEntries(entries.clone())).await?;
        Ok(without(Arc::unwrap_or_clone(entries), &dropped))
    }

    pub async fn stats(&self) -> CollectorStats {
        let mut stats = self.handle.ask(CollectorStatsQuery).await.unwrap_or_default();
        stats.recorded += self.unfenced.load(Ordering::Relaxed);
        stats.queue_bound = QUEUE_BOUND;
        stats.queue_depth = QUEUE_BOUND.saturating_sub(self.places.available_permits());
        stats
    }

    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<CollectorActor> {
        &self.handle
    }
}

/// What calls record: they have a task of their own, which nobody's end cuts short, and a
/// second one for every hold and settlement would cost what a model's answer must not wait for.
/// Who writes down a backlog has none, and forgets nothing before it is written.
fn is_of_call(entry: &JournalEntry) -> bool {
    matches!(
        entry,
        JournalEntry::Held { .. } | JournalEntry::Settled { .. } | JournalEntry::Called(_)
    )
}

/// A store that panics is a fault that is answered here, too.
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

/// Whether an entry may come from an attempt that counts no more, or says which one counts.
pub(super) fn is_fenced(entry: &JournalEntry) -> bool {
    matches!(
        entry,
        JournalEntry::AttemptStarted { .. }
            | JournalEntry::TurnTaken { .. }
            | JournalEntry::AttemptFaulted { .. }
            | JournalEntry::Finished { .. }
    )
}

fn without(mut entries: Vec<JournalEntry>, dropped: &[usize]) -> Vec<JournalEntry> {
    if !dropped.is_empty() {
        let mut place = 0..;
        entries.retain(|_| place.next().is_none_or(|at| !dropped.contains(&at)));
    }
    entries
}

//! The messages to the collector, and the handle through which others record entries.

use super::CollectorActor;
use crate::model::{Fault, JournalEntry};
use crate::policy::RestartIntensity;
use crate::ports::{Journal, StoreFault};
use crate::supervisor::{ActorExit, ActorHandle, ActorStats, panic_text, payload_text, spawn, supervise};
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

/// The most records in flight. Further callers wait for a place.
pub(super) const QUEUE_BOUND: usize = 4_096;

/// Which of these entries come from a dead attempt? The answer has their indexes. The same question
/// may be asked twice without harm.
#[derive(Clone, Message)]
#[rtype(result = "Vec<usize>")]
pub struct FindStaleEntries(pub(super) Arc<Vec<JournalEntry>>);

/// Asks for the counts.
#[derive(Clone, Message)]
#[rtype(result = "CollectorStats")]
pub struct CollectorStatsQuery;

/// The counts of the collector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CollectorStats {
    /// Entries that were passed on to the journal.
    pub recorded: u64,
    /// Entries of dead attempts that were dropped.
    pub fenced: u64,
    /// Records in flight now.
    pub queue_depth: usize,
    /// The most records that may be in flight.
    pub queue_bound: usize,
}

/// What others hold of the collector. Clones are cheap.
#[derive(Clone)]
pub struct CollectorHandle {
    handle: ActorHandle<CollectorActor>,
    journal: Arc<dyn Journal>,
    /// One place for each record in flight.
    places: Arc<Semaphore>,
    /// The number of entries that were recorded without asking the actor, because no fence concerns
    /// them.
    unfenced: Arc<AtomicU64>,
}

impl CollectorHandle {
    /// Starts the actor. It is restarted after a panic, up to 5 times in 10 s.
    pub fn start(journal: Arc<dyn Journal>) -> (Self, JoinHandle<ActorExit>) {
        let intensity = RestartIntensity::new(5, Duration::from_secs(10));
        let (handle, joined) = supervise("collector", intensity, CollectorActor::default);
        let places = Arc::new(Semaphore::new(QUEUE_BOUND));
        (Self { handle, journal, places, unfenced: Arc::default() }, joined)
    }

    /// Writes entries to the journal as one batch. Entries of dead attempts are dropped silently.
    /// Ok means that all the others are durable. Err means that the store did not take the batch,
    /// or that the actor is gone; the caller decides what stops.
    pub async fn record(&self, entries: Vec<JournalEntry>) -> Result<(), Fault> {
        let closed = |_| crate::supervisor::AskError::Gone("collector");
        let place = self.places.clone().acquire_owned().await.map_err(closed)?;
        // Holds, settlements and call records belong to no attempt that could be dead. The actor is
        // not asked about them.
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
        // The append runs in a task of its own. If the caller is dropped, the append still
        // finishes, because what has begun to be written must be written whole. A store that panics
        // becomes a fault.
        let append = spawn("append", async move {
            let outcome = journal.append(entries).await;
            drop(place);
            outcome
        });
        let panicked = |failure| Err(StoreFault::new("append", panic_text(failure)));
        Ok(append.detach().await.unwrap_or_else(panicked)?)
    }

    /// The entries without those of dead attempts.
    async fn sifted(&self, entries: Vec<JournalEntry>) -> Result<Vec<JournalEntry>, Fault> {
        let entries = Arc::new(entries);
        let dropped = self.handle.ask(FindStaleEntries(entries.clone())).await?;
        Ok(without(Arc::unwrap_or_clone(entries), &dropped))
    }

    /// The counts. If the actor is gone, its own counts are zero.
    pub async fn stats(&self) -> CollectorStats {
        let mut stats = self.handle.ask(CollectorStatsQuery).await.unwrap_or_default();
        stats.recorded += self.unfenced.load(Ordering::Relaxed);
        stats.queue_bound = QUEUE_BOUND;
        stats.queue_depth = QUEUE_BOUND.saturating_sub(self.places.available_permits());
        stats
    }

    /// The counts of the collector's actor.
    pub fn actor_stats(&self) -> ActorStats {
        self.handle.stats()
    }

    /// The handle of the actor itself, for tests that make it panic.
    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<CollectorActor> {
        &self.handle
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

/// Whether an entry can come from a dead attempt, or moves the fence. Only such entries need the
/// actor.
pub(super) fn is_fenced(entry: &JournalEntry) -> bool {
    matches!(
        entry,
        JournalEntry::AttemptStarted { .. }
            | JournalEntry::TurnTaken { .. }
            | JournalEntry::AttemptFaulted { .. }
            | JournalEntry::Finished { .. }
    )
}

/// Removes the entries at the given indexes and keeps the order of the others.
fn without(mut entries: Vec<JournalEntry>, dropped: &[usize]) -> Vec<JournalEntry> {
    if !dropped.is_empty() {
        let mut place = 0..;
        entries.retain(|_| place.next().is_none_or(|at| !dropped.contains(&at)));
    }
    entries
}

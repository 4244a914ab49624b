//! The collector actor.

use super::messages::{CollectorStats, Record, Snapshot};
use crate::model::{Attempt, Entry, EpisodeId};
use crate::ports::{Journal, StoreFault};
use crate::supervisor::{panic_text, spawn};
use actix::{Actor, Context, Handler, MessageResult, ResponseFuture};
use std::collections::HashMap;
use std::sync::Arc;

/// Fences and forwards. Its state can be lost at any time: fences are rebuilt from the
/// attempts that start, and the store fences once more.
pub struct CollectorActor {
    journal: Arc<dyn Journal>,
    fences: HashMap<EpisodeId, Attempt>,
    stats: CollectorStats,
}

impl CollectorActor {
    pub(super) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, fences: HashMap::new(), stats: CollectorStats::default() }
    }

    /// Whether an entry comes from an attempt that still counts.
    fn admit(&mut self, entry: &Entry) -> bool {
        match entry {
            Entry::AttemptStarted { episode, attempt, .. } => {
                let fence = self.fences.entry(episode.clone()).or_default();
                *fence = (*fence).max(*attempt);
                true
            }
            Entry::TurnTaken { episode, attempt, .. }
            | Entry::AttemptFaulted { episode, attempt, .. } => self.current(episode, *attempt),
            Entry::Finished { episode, attempt, .. } => {
                let current = self.current(episode, *attempt);
                if current {
                    self.fences.remove(episode);
                }
                current
            }
            _ => true,
        }
    }

    fn current(&self, episode: &EpisodeId, attempt: Attempt) -> bool {
        self.fences.get(episode).is_none_or(|fence| attempt >= *fence)
    }

    fn keep(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        let before = entries.len();
        let kept: Vec<Entry> = entries.into_iter().filter(|entry| self.admit(entry)).collect();
        self.stats.recorded += kept.len() as u64;
        self.stats.fenced += (before - kept.len()) as u64;
        kept
    }
}

impl Actor for CollectorActor {
    type Context = Context<Self>;
}

impl Handler<Record> for CollectorActor {
    type Result = ResponseFuture<Result<(), StoreFault>>;

    fn handle(&mut self, message: Record, _: &mut Self::Context) -> Self::Result {
        let entries = self.keep(message.entries);
        let journal = self.journal.clone();
        let place = message.place;
        if entries.is_empty() {
            return Box::pin(std::future::ready(Ok(())));
        }
        // In a task of its own: a store that panics is a fault that is answered, not a
        // caller left waiting for an actor that lives.
        let append = spawn("append", async move {
            let outcome = journal.append(entries).await;
            drop(place);
            outcome
        });
        Box::pin(async move { append.await.unwrap_or_else(|failure| Err(panicked(failure))) })
    }
}

fn panicked(failure: tokio::task::JoinError) -> StoreFault {
    StoreFault::new("append", panic_text(failure))
}

impl Handler<Snapshot> for CollectorActor {
    type Result = MessageResult<Snapshot>;

    fn handle(&mut self, _: Snapshot, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.stats.clone())
    }
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for CollectorActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into the collector");
    }
}

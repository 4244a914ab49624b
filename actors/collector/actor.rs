//! The collector actor. It only decides which entries are stale. The writing itself happens in the
//! caller's task or in one of its own (see `messages.rs`), so the actor never waits for the disk.

use super::messages::{CollectorStats, CollectorStatsQuery, FindStaleEntries};
use crate::model::{AttemptNumber, EpisodeId, JournalEntry};
use actix::{Actor, Context, Handler, MessageResult};
use std::collections::HashMap;

/// Keeps the fences. Its state can be lost at any time: fences are rebuilt from the attempts that
/// start, and the store fences once more.
#[derive(Default)]
pub struct CollectorActor {
    /// The newest attempt of each episode that has not finished.
    fences: HashMap<EpisodeId, AttemptNumber>,
    stats: CollectorStats,
}

impl CollectorActor {
    /// Whether an entry comes from an attempt that still counts. The start of an attempt raises the
    /// fence. The end of an episode removes it, so that the map does not grow for ever.
    fn admit(&mut self, entry: &JournalEntry) -> bool {
        match entry {
            JournalEntry::AttemptStarted { episode, attempt, .. } => {
                // A start that is repeated or arrives late must not lower the fence.
                let fence = self.fences.entry(episode.clone()).or_default();
                *fence = (*fence).max(*attempt);
                true
            }
            JournalEntry::TurnTaken { episode, attempt, .. }
            | JournalEntry::AttemptFaulted { episode, attempt, .. } => {
                self.current(episode, *attempt)
            }
            JournalEntry::Finished { episode, attempt, .. } => {
                let current = self.current(episode, *attempt);
                if current {
                    // The episode has ended. The store still checks late entries of its attempts.
                    self.fences.remove(episode);
                }
                current
            }
            _ => true,
        }
    }

    /// Whether the attempt is not older than the fence. Without a fence, every attempt counts.
    fn current(&self, episode: &EpisodeId, attempt: AttemptNumber) -> bool {
        self.fences.get(episode).is_none_or(|fence| attempt >= *fence)
    }

    /// The indexes of the entries that a dead attempt has sent. It counts both kinds.
    fn sift(&mut self, entries: &[JournalEntry]) -> Vec<usize> {
        let places = entries.iter().enumerate();
        let dropped: Vec<usize> =
            places.filter(|(_, entry)| !self.admit(entry)).map(|(place, _)| place).collect();
        self.stats.recorded += (entries.len() - dropped.len()) as u64;
        self.stats.fenced += dropped.len() as u64;
        dropped
    }
}

impl Actor for CollectorActor {
    type Context = Context<Self>;
}

crate::takes_deliveries!(CollectorActor);

impl Handler<FindStaleEntries> for CollectorActor {
    type Result = MessageResult<FindStaleEntries>;

    fn handle(&mut self, message: FindStaleEntries, _: &mut Self::Context) -> Self::Result {
        MessageResult(self.sift(&message.0))
    }
}

impl Handler<CollectorStatsQuery> for CollectorActor {
    type Result = MessageResult<CollectorStatsQuery>;

    fn handle(&mut self, _: CollectorStatsQuery, _: &mut Self::Context) -> Self::Result {
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

//! Counters of the store's writer for metrics: how much was written, in how many commits, and how
//! much waits. The writer thread counts in [`StoreCounters`]; a reader takes a [`StoreStats`] from
//! it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The writer's counters since the store was opened. The counters are read one after the other, so
/// they may differ by a few entries while the writer works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct StoreStats {
    /// Entries whose append succeeded. Fenced entries are included.
    pub appended: u64,
    /// Entries dropped because they came from a dead attempt.
    pub fenced: u64,
    /// Appends that the writer thread answered with a fault. An append that could not be encoded is
    /// not among them.
    pub failed: u64,
    /// Transactions that were committed.
    pub commits: u64,
    /// How often the log was synced to the disk.
    pub syncs: u64,
    /// Appends that are queued and not answered yet, at most `queue_bound`.
    pub queue_depth: usize,
    /// The most appends that may be queued and not answered yet. More appends wait.
    pub queue_bound: usize,
}

/// What the writer thread counts. The fields have the meaning of those in [`StoreStats`].
#[derive(Debug, Default)]
pub(in crate::store) struct StoreCounters {
    pub(in crate::store) appended: AtomicU64,
    pub(in crate::store) fenced: AtomicU64,
    pub(in crate::store) failed: AtomicU64,
    pub(in crate::store) commits: AtomicU64,
    pub(in crate::store) syncs: AtomicU64,
}

impl StoreCounters {
    /// A copy of the counters. The two fields of the queue are zero: the writer's handle fills them
    /// in.
    pub(in crate::store) fn look(&self) -> StoreStats {
        StoreStats {
            appended: self.appended.load(Relaxed),
            fenced: self.fenced.load(Relaxed),
            failed: self.failed.load(Relaxed),
            commits: self.commits.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
            ..StoreStats::default()
        }
    }
}

/// Adds `count` to a counter. No other memory depends on the order of these additions.
pub(in crate::store) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Relaxed);
}

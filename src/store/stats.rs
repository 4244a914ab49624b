//! Figures for metrics: how much was written, in how many commits, and what waits.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A look at the writer's figures since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct StoreStats {
    /// Entries whose append succeeded, fenced ones included.
    pub appended: u64,
    /// Entries dropped because they came from a dead attempt.
    pub fenced: u64,
    /// Appends that failed.
    pub failed: u64,
    pub commits: u64,
    /// Syncs of the log to the disk itself.
    pub syncs: u64,
    /// Appends that are queued or being written.
    pub queue_depth: usize,
    pub queue_bound: usize,
}

#[derive(Debug, Default)]
pub(super) struct StoreCounters {
    pub(super) appended: AtomicU64,
    pub(super) fenced: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) syncs: AtomicU64,
}

impl StoreCounters {
    pub(super) fn look(&self) -> StoreStats {
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

pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Relaxed);
}

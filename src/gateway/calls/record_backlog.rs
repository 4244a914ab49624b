//! The records of answered calls that the store could not take, for example because the disk is
//! full. The answer has been paid for, and the client may have it, so its record must not be lost.
//! The entries stay in memory here, and no new call is made until the store has taken them.
//!
//! `exchange` adds entries, `call` writes them before each new call, and the shutdown writes them
//! once more. What is still here when the process ends is lost as a record, but not as money: its
//! hold is in the store and counts in full.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::{Fault, JournalEntry};
use synthd_actors::router::UnrecordedCall;

/// The entries that wait, the oldest first.
#[derive(Default)]
pub(in crate::gateway) struct RecordBacklog {
    /// One element for each call: its settlement and its call record, which are written together.
    waiting: Mutex<VecDeque<Vec<JournalEntry>>>,
    /// Held by the call that writes. Other calls wait for it and find out whether it succeeded.
    writing: tokio::sync::Mutex<()>,
}

impl RecordBacklog {
    /// Locks the list, also after a panic of another holder: each change of it is one step.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Vec<JournalEntry>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the entries of a call that the store did not take.
    pub(in crate::gateway) fn keep(&self, unkept: UnrecordedCall) {
        self.waiting().push_back(unkept.entries);
    }

    /// How many calls wait.
    pub(in crate::gateway) fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Writes everything that waits, the oldest first. It stops at the first failure, and the rest
    /// goes on waiting.
    pub(in crate::gateway) async fn clear(&self, collector: &CollectorHandle) -> Result<(), Fault> {
        if self.len() == 0 {
            return Ok(());
        }
        let _alone = self.writing.lock().await;
        loop {
            let Some(entries) = self.waiting().front().cloned() else { return Ok(()) };
            // Removed only after they are written. If this future is dropped in between, they are
            // written again later, which changes nothing: entries are idempotent.
            collector.record(entries).await?;
            self.waiting().pop_front();
        }
    }
}

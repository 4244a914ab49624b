//! What could not be recorded. A call that was answered before that was known is kept here, and
//! no other is asked until the store has taken it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::{Fault, JournalEntry};
use synthd_actors::router::UnrecordedCall;

#[derive(Default)]
pub(super) struct RecordBacklog {
    waiting: Mutex<VecDeque<Vec<JournalEntry>>>,
    /// Who writes; others wait for how that ends.
    writing: tokio::sync::Mutex<()>,
}

impl RecordBacklog {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Vec<JournalEntry>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, unkept: UnrecordedCall) {
        self.waiting().push_back(unkept.entries);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Writes down what waits, the oldest first. What the store refuses again goes on waiting.
    pub(super) async fn clear(&self, collector: &CollectorHandle) -> Result<(), Fault> {
        if self.len() == 0 {
            return Ok(());
        }
        let _alone = self.writing.lock().await;
        loop {
            let Some(entries) = self.waiting().front().cloned() else { return Ok(()) };
            collector.record(entries).await?;
            self.waiting().pop_front();
        }
    }
}

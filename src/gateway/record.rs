//! What could not be recorded. A call that was answered before that was known is kept here, and
//! no other is asked until the store has taken it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::{Entry, Fault};
use synthd_actors::router::Unkept;

#[derive(Default)]
pub(super) struct Backlog {
    waiting: Mutex<VecDeque<Vec<Entry>>>,
    /// Who writes; others wait for how that ends.
    writing: tokio::sync::Mutex<()>,
}

impl Backlog {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Vec<Entry>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, unkept: Unkept) {
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

//! What could not be recorded. A call that was answered before that was known is kept here, and
//! no other is asked until the store has taken it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::{Entry, Fault};
use synthd_actors::router::Unkept;

#[derive(Default)]
pub(super) struct Backlog(Mutex<Vec<Vec<Entry>>>);

impl Backlog {
    fn waiting(&self) -> MutexGuard<'_, Vec<Vec<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn keep(&self, unkept: Unkept) {
        self.waiting().push(unkept.entries);
    }

    pub(super) fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Writes down what waits. What the store refuses again goes on waiting.
    pub(super) async fn clear(&self, collector: &CollectorHandle) -> Result<(), Fault> {
        loop {
            let Some(entries) = self.waiting().pop() else { return Ok(()) };
            if let Err(fault) = collector.record(entries.clone()).await {
                self.waiting().push(entries);
                return Err(fault);
            }
        }
    }
}

//! Connections for reading: a few, which stay open. Each one is used by one blocking thread at a
//! time. A query sees every commit that was acknowledged before it began, and it never waits for
//! the writer.

use crate::store::error::StoreError;
use crate::store::open;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use synthd_actors::ports::StoreFault;
use synthd_actors::supervisor::assert_may_block;
use tokio::sync::Semaphore;

/// How many queries may run at once. More queries wait.
const READERS: usize = 4;

/// The reading connections of one store.
pub(super) struct ReaderPool {
    /// The database file.
    path: PathBuf,
    /// Open connections that no query uses.
    idle: Mutex<Vec<Connection>>,
    /// One permit for each query that may run.
    slots: Arc<Semaphore>,
}

impl ReaderPool {
    /// A pool without connections. Each connection is opened when it is first needed.
    pub(super) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, idle: Mutex::default(), slots: Arc::new(Semaphore::new(READERS)) })
    }

    /// Runs `query` on a blocking thread with one of the connections. `operation` names the query
    /// in the fault that a failure becomes.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let gone = |what: String| StoreFault::new(operation, what);
        let place = self.slots.clone().acquire_owned().await.map_err(|e| gone(e.to_string()))?;
        let readers = Arc::clone(self);
        // The permit moves into the blocking task. The query goes on even if the caller no longer
        // waits, and it must keep its permit until it ends.
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            readers.run(query)
        });
        task.await.map_err(|e| gone(e.to_string()))?.map_err(|error| error.fault(operation))
    }

    /// Runs a query on an idle connection or on a new one. A connection whose query failed is
    /// closed and not used again.
    fn run<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        assert_may_block("read the store");
        let kept = self.idle().pop();
        let conn = match kept {
            Some(conn) => conn,
            None => open::reader(&self.path)?,
        };
        let answer = query(&conn)?;
        self.idle().push(conn);
        Ok(answer)
    }

    /// The list of idle connections. A panic of another thread cannot leave the list half changed.
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

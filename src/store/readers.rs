//! Connections for reading: few, kept open, each used by one blocking thread at a time.
//! They see every commit that was acknowledged before, and never wait for the writer.

use super::error::StoreError;
use super::open;
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use synthd_actors::ports::StoreFault;
use tokio::sync::Semaphore;

/// Reads at once; more wait.
const READERS: usize = 4;

pub(super) struct ReaderPool {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    places: Arc<Semaphore>,
}

impl ReaderPool {
    pub(super) fn new(path: PathBuf) -> Arc<Self> {
        Arc::new(Self { path, idle: Mutex::default(), places: Arc::new(Semaphore::new(READERS)) })
    }

    /// Runs `query` on a blocking thread.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let gone = |what: String| StoreFault::new(operation, what);
        let place = self.places.clone().acquire_owned().await.map_err(|e| gone(e.to_string()))?;
        let readers = Arc::clone(self);
        // The place goes with the query, which runs on even if nobody waits any more.
        let task = tokio::task::spawn_blocking(move || {
            let _place = place;
            readers.run(query)
        });
        task.await.map_err(|e| gone(e.to_string()))?.map_err(|error| error.fault(operation))
    }

    fn run<T>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let kept = self.idle().pop();
        let conn = match kept {
            Some(conn) => conn,
            None => open::reader(&self.path)?,
        };
        let answer = query(&conn)?;
        self.idle().push(conn);
        Ok(answer)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

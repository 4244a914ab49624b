//! The write-behind: a thread that brings the log of a busy writer to the disk, and from there into
//! the database, while the writer goes on.
//!
//! ```text
//!  asleep ──woken──► waits a moment ──► syncs the log ──► folds it, if that is due ──► asleep
//! ```
//! The writer syncs the log within a second, and SQLite folds a long log into the database during a
//! commit. If everything had to be written then, all appends would wait for the disk meanwhile. So a
//! busy writer wakes this thread, which does most of it before.
//!
//! It promises nothing, and a failure of it does no harm: the writer still syncs and folds by itself,
//! and finds less to do. It has its own handle of the log, so the writer's sync is told of a failed
//! write, too.

use crate::store::error::StoreError;
use crate::store::open;
use rusqlite::Connection;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long commits gather before they are synced.
const GATHERS: Duration = Duration::from_millis(100);
/// The least time between two folds.
const FOLDS_EVERY: Duration = Duration::from_secs(1);

/// The handle of the thread. Dropping it ends the thread.
pub(in crate::store) struct WriteBehind {
    /// None only while it is dropped.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WriteBehind {
    /// Starts the thread for a database file. Fails if the operating system cannot start a thread.
    pub(in crate::store) fn start(database: PathBuf) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("synthd-log".to_owned())
            .spawn(move || serve(&database, &woken))?;
        Ok(Self { wake: Some(wake), thread: Some(thread) })
    }

    /// Says that the log has grown.
    pub(in crate::store) fn wake(&self) {
        if let Some(wake) = &self.wake {
            // If it was woken already, it will find this commit, too.
            wake.try_send(()).ok();
        }
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(Err(_)) = self.thread.take().map(JoinHandle::join) {
            tracing::warn!("the thread that writes the store's log ahead of time had panicked");
        }
    }
}

/// Works whenever it is woken, until the writer ends.
fn serve(database: &Path, woken: &Receiver<()>) {
    let mut opened = None;
    let mut folded = Instant::now();
    while woken.recv().is_ok() {
        std::thread::sleep(GATHERS);
        let folds = folded.elapsed() >= FOLDS_EVERY;
        if let Err(error) = write(database, &mut opened, folds) {
            tracing::debug!(%error, "the store's log is left to its writer");
        }
        if folds {
            folded = Instant::now();
        }
    }
}

/// Syncs the log, and folds what no reader needs of it into the database.
fn write(
    database: &Path,
    opened: &mut Option<(File, Connection)>,
    folds: bool,
) -> Result<(), StoreError> {
    let (log, conn) = match opened {
        Some(opened) => opened,
        None => {
            opened.insert((File::open(database.with_extension("db-wal"))?, open::reader(database)?))
        }
    };
    log.sync_data()?;
    if folds { fold(conn) } else { Ok(()) }
}

/// Folds the log as far as that holds nobody up.
fn fold(conn: &Connection) -> Result<(), StoreError> {
    Ok(conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    #[test]
    fn what_is_written_ahead_is_in_the_database_and_the_log_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let writer = open::writer(dir.path(), schema::MIGRATIONS).unwrap();
        let database = open::database(dir.path());
        let size = || database.metadata().unwrap().len();
        let fill = "INSERT INTO adjustment (campaign, before, after, was_open, reason, who, at_ms)
            VALUES (hex(randomblob(100000)), 0, 0, 0, '', '', 0)";
        writer.conn.execute(fill, []).unwrap();
        let (before, mut opened) = (size(), None);
        write(&database, &mut opened, false).unwrap();
        assert_eq!(size(), before, "it is only synced");
        write(&database, &mut opened, true).unwrap();
        assert!(size() > before + 100_000);
        writer.conn.execute(fill, []).unwrap();
        drop(opened);
        writer.close(true).unwrap();
        let conn = open::reader(&database).unwrap();
        let found: i64 =
            conn.query_row("SELECT count(*) FROM adjustment", [], |row| row.get(0)).unwrap();
        assert_eq!(found, 2);
    }

    #[test]
    fn it_ends_with_its_handle() {
        let dir = tempfile::tempdir().unwrap();
        let writer = open::writer(dir.path(), schema::MIGRATIONS).unwrap();
        let behind = WriteBehind::start(open::database(dir.path())).unwrap();
        behind.wake();
        behind.wake();
        drop(behind);
        writer.close(true).unwrap();
    }
}

//! Notes of earlier runs, in `curation/notes.db` of the data directory. It is a cache: what is lost is
//! found again, so a file that cannot be read is made anew.
//!
//! Notes are written in one transaction, which `finish` ends. A run that is ended before it leaves the
//! file as it was.

use crate::durable::create_dir;
use crate::error::{Code, Error, Result};
use rusqlite::{Connection, OptionalExtension, params};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use synthd_actors::curation::{NoteCache, NoteKey, RowNote};

/// How long another run may hold the file.
const PATIENCE: Duration = Duration::from_secs(10);
const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS note (
        stage TEXT NOT NULL, row TEXT NOT NULL, note TEXT NOT NULL,
        PRIMARY KEY (stage, row)
    ) WITHOUT ROWID;
    BEGIN IMMEDIATE;";

/// The cache of a data directory.
pub(super) struct NoteStore {
    conn: Connection,
    path: PathBuf,
    /// The first error. Notes are then no longer kept, and the run goes on.
    failed: Option<rusqlite::Error>,
}

impl NoteStore {
    /// Opens the cache, or begins it.
    pub(super) fn open(data_dir: &Path) -> Result<Self> {
        let dir = data_dir.join("curation");
        let path = dir.join("notes.db");
        let unopened = |error: &dyn std::fmt::Display| {
            let what = format!("{} cannot be opened: {error}", path.display());
            Error::new(Code::RecipeSources, what)
                .hint("make the directory writable, or remove the file: notes are found again")
        };
        create_dir(&dir, 0o777).map_err(|error| unopened(&error))?;
        let conn = match begun(&path) {
            Err(error) if is_no_database(&error) => {
                remove(&path).map_err(|error| unopened(&error))?;
                begun(&path)
            }
            opened => opened,
        };
        let conn = conn.map_err(|error| unopened(&error))?;
        Ok(Self { conn, path, failed: None })
    }

    /// Ends the transaction. A cache that could not be written is no reason to fail, but it is told.
    pub(super) fn finish(mut self) {
        let ended = self.failed.take().map_or_else(|| self.conn.execute_batch("COMMIT"), Err);
        if let Err(error) = ended {
            let path = self.path.display();
            tracing::warn!(%path, %error, "the notes of this run are not kept");
        }
    }
}

impl NoteCache for NoteStore {
    fn get(&mut self, key: NoteKey<'_>) -> Option<RowNote> {
        let sql = "SELECT note FROM note WHERE stage = ?1 AND row = ?2";
        let mut query = self.conn.prepare_cached(sql).ok()?;
        let note: String =
            query.query_row([key.stage, key.row], |row| row.get(0)).optional().ok()??;
        serde_json::from_str(&note).ok()
    }

    fn put(&mut self, key: NoteKey<'_>, note: &RowNote) {
        if self.failed.is_some() {
            return;
        }
        let Ok(text) = serde_json::to_string(note) else { return };
        let sql = "INSERT OR REPLACE INTO note (stage, row, note) VALUES (?1, ?2, ?3)";
        let put = self.conn.prepare_cached(sql);
        let put = put.and_then(|mut put| put.execute(params![key.stage, key.row, text]));
        self.failed = put.err();
    }
}

fn begun(path: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(path)?;
    conn.busy_timeout(PATIENCE)?;
    conn.execute_batch(SCHEMA)?;
    Ok(conn)
}

/// Whether the file is damaged, or no database.
fn is_no_database(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Removes the file and what belongs to it.
fn remove(path: &Path) -> std::io::Result<()> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

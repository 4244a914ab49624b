//! Opens the database file: for writing, for reading, and for a first check.
//!
//! [`writer`] is the only way to a connection that writes. It checks the store before it changes
//! anything: the high-water mark, the schema version, the pages and the sums of money. Then it
//! upgrades the schema and begins a new epoch. [`reader`] gives a connection that can only query.
//! It also reads an archive on a read-only medium.
//!
//! Files in the data directory: `synthd.db` (database), `synthd.db-wal` (log), `synthd.db-shm`
//! (index of the log), `synthd.db-mark` (high-water mark) and `synthd.lock`.

use crate::durable::sync_dir;
use crate::error::{Code, Error, Result};
use crate::store::error::StoreError;
use crate::store::integrity::check::{self, keep_log};
use crate::store::integrity::epoch;
use crate::store::integrity::high_water_mark::{HighWaterMark, MarkFile};
use crate::store::integrity::level::{LedgerSum, NewestKeys, StoreLevel};
use crate::store::integrity::replacement::refuse_pending;
use crate::store::schema::{self, MIGRATIONS, READ_FROM};
use rusqlite::{Connection, OpenFlags, config::DbConfig};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a statement waits for a lock of another connection before it fails as busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many prepared statements each connection caches.
const STATEMENTS_KEPT: usize = 64;

/// Tuning of the writer. The cache (16 MiB) holds a whole batch, so that no page goes to the log
/// before its commit. Automatic checkpoints (every 65,536 pages of log) are rare enough not to slow
/// the writer down: most of a log is written ahead of time (`write_behind`). After a checkpoint the
/// log file is cut to 256 MiB at most. `synchronous = NORMAL` does not sync at a commit: the writer thread
/// decides when the log is synced.
const WRITER_PRAGMAS: &str = "
    PRAGMA synchronous = NORMAL;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -16384;
    PRAGMA wal_autocheckpoint = 65536;
    PRAGMA journal_size_limit = 268435456;
";

/// The path of the database file in a data directory.
pub(super) fn database(dir: &Path) -> PathBuf {
    dir.join("synthd.db")
}

/// A store that is open for writing.
pub(super) struct OpenedDatabase {
    /// The only connection that writes.
    pub(super) conn: Connection,
    /// The epoch that began with this opening. A writer of an older epoch writes nothing more.
    pub(super) epoch: i64,
    /// The log file of SQLite, opened to be synced. Its content is written by `conn` only.
    pub(super) log: File,
    /// The high-water mark, open to be moved after each sync.
    pub(super) mark: MarkFile,
}

/// Opens the store of a data directory for writing, creates it or upgrades it, and begins a new
/// epoch. The caller must hold the lock of the directory.
///
/// The returned store has the newest schema and has passed all checks. If a check fails, the store
/// is unchanged. `scripts` are the migration scripts to apply, [`MIGRATIONS`] except in tests.
pub(super) fn writer(dir: &Path, scripts: &[&str]) -> Result<OpenedDatabase> {
    let failed = |error: StoreError| error.on_open(dir);
    refuse_pending(dir)?;
    // The mark is read before the database is opened: the database must contain everything that the
    // mark records.
    let mark = HighWaterMark::read(dir).map_err(|error| check::unreadable_mark(dir, error))?;
    check::database_is_there(dir, mark.as_ref())?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = connect(&database(dir), flags).map_err(failed)?;
    // During the checks, closing the connection must not change a log that may not match the
    // database.
    keep_log(&conn, true).map_err(failed)?;
    let version = schema::check(&conn, dir, scripts.len())?;
    check::is_sound(&conn, dir, version, mark.as_ref())?;
    keep_log(&conn, false).map_err(failed)?;
    use_wal(&conn).map_err(failed)?;
    conn.execute_batch(WRITER_PRAGMAS).map_err(|e| failed(e.into()))?;
    // This comes before the migration, so that a store with an id always has a mark file beside it.
    MarkFile::ensure(dir).map_err(|e| failed(e.into()))?;
    schema::migrate(&mut conn, version, scripts).map_err(failed)?;
    begin(dir, touched(conn).map_err(failed)?).map_err(failed)
}

/// Begins a new epoch and opens the mark. Everything in the store is synced first, because the mark
/// may record only what is on the disk.
fn begin(dir: &Path, conn: Connection) -> Result<OpenedDatabase, StoreError> {
    let epoch = epoch::begin(&conn)?;
    sync_dir(dir)?;
    let log = File::open(dir.join("synthd.db-wal"))?;
    log.sync_data()?;
    let mark = MarkFile::begin(dir, StoreLevel::read(&conn)?)?;
    Ok(OpenedDatabase { conn, epoch, log, mark })
}

impl OpenedDatabase {
    /// Moves the mark to the present state of the store. It may be called only after a sync and
    /// before the next commit, because the mark may record only what is on the disk. `campaigns`
    /// are the keys of the campaigns whose money has changed since the mark was moved.
    pub(super) fn advance(
        &mut self,
        campaigns: impl IntoIterator<Item = i64>,
    ) -> Result<(), StoreError> {
        let read = |key| Ok((key, LedgerSum::read(&self.conn, key)?));
        let sums = campaigns.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        self.mark.advance(NewestKeys::read(&self.conn)?, sums)
    }

    /// Syncs the log and the mark. Afterwards everything that was committed is on the disk, and the
    /// mark records all of it.
    pub(super) fn sync_all(&mut self) -> Result<(), StoreError> {
        self.log.sync_data()?;
        let level = StoreLevel::read(&self.conn)?;
        self.mark.advance(level.keys, level.campaigns.into_iter().collect())?;
        Ok(self.mark.sync()?)
    }

    /// Folds the log into the database and closes both. With `synced` it also records in the mark
    /// that the store was closed, so that the next start need not read the whole file. `synced`
    /// must be false after a failed sync: nobody knows then what is on the disk.
    pub(super) fn close(self, synced: bool) -> Result<(), StoreError> {
        let Self { conn, log, mark, .. } = self;
        let database = conn.path().map(PathBuf::from);
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        drop(log);
        conn.close().map_err(|(_, error)| error)?;
        match database.filter(|_| synced) {
            Some(database) => mark.close(&database),
            None => Ok(()),
        }
    }
}

/// A connection that writes while an engine has the store open. Its user writes in short transactions, so
/// that the engine's writer never waits long, and changes nothing of a campaign that has not ended. It
/// begins no epoch and leaves the mark to the engine. Fails if the engine's schema is not the newest.
pub(super) fn second_writer(dir: &Path) -> Result<Connection> {
    check_readable(dir)?;
    let failed = |error: StoreError| error.on_open(dir);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = connect(&database(dir), flags).and_then(touched).map_err(failed)?;
    let version = schema::check(&conn, dir, MIGRATIONS.len())?;
    if version < MIGRATIONS.len() {
        let what = format!("an older synthd has {} open, with schema {version}", dir.display());
        return Err(Error::new(Code::DataDirInUse, what)
            .hint("end it, and start the engine again with this synthd"));
    }
    conn.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;")
        .map_err(|e| failed(e.into()))?;
    Ok(conn)
}

/// A connection that can only query. SQLite opens it for writing if the user may write, because the
/// last connection that may write removes the log and its index, and a read-only one leaves them
/// behind. An archive on a read-only medium is opened as immutable.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match connect(path, flags).and_then(touched) {
        Err(error) if is_archive(path, &error) => connect_immutable(path).and_then(touched),
        result => result,
    }
    .and_then(query_only)
}

/// Makes every statement that would change the database fail.
fn query_only(conn: Connection) -> Result<Connection, StoreError> {
    conn.execute_batch("PRAGMA query_only = ON")?;
    Ok(conn)
}

/// Whether the directory has a store that this version can read and that has lost nothing. Changes
/// nothing. Fails with the reason otherwise.
pub(super) fn check_readable(dir: &Path) -> Result<()> {
    refuse_pending(dir)?;
    let mark = HighWaterMark::read(dir).map_err(|error| check::unreadable_mark(dir, error))?;
    check::database_is_there(dir, mark.as_ref())?;
    database_exists(dir)?;
    let conn = reader(&database(dir)).map_err(|t| unreadable(t, dir))?;
    // If the log does not match the database, it must stay as it is, so that somebody can repair
    // it.
    keep_log(&conn, true).map_err(|t| unreadable(t, dir))?;
    let version = schema::check(&conn, dir, MIGRATIONS.len())?;
    if let Some(mark) = mark {
        check::is_whole(&conn, dir, version, &mark)?;
    }
    is_readable(dir, version)?;
    keep_log(&conn, false).map_err(|t| unreadable(t, dir))
}

/// Whether a start would take the store of the directory, by the checks of [`writer`]. Changes
/// nothing. Ok if there is no store yet, because a start makes one.
pub(super) fn check_startable(dir: &Path) -> Result<()> {
    refuse_pending(dir)?;
    let mark = HighWaterMark::read(dir).map_err(|error| check::unreadable_mark(dir, error))?;
    check::database_is_there(dir, mark.as_ref())?;
    if !database(dir).exists() {
        return Ok(());
    }
    let conn = reader(&database(dir)).map_err(|t| unreadable(t, dir))?;
    keep_log(&conn, true).map_err(|t| unreadable(t, dir))?;
    let version = schema::check(&conn, dir, MIGRATIONS.len())?;
    check::is_sound(&conn, dir, version, mark.as_ref())?;
    keep_log(&conn, false).map_err(|t| unreadable(t, dir))
}

/// Fails if the directory has no database file.
pub(super) fn database_exists(dir: &Path) -> Result<()> {
    if database(dir).exists() { Ok(()) } else { Err(no_store(dir)) }
}

/// Fails if a store of schema `version` cannot be read without an upgrade. Version 0 is an empty
/// file.
pub(super) fn is_readable(dir: &Path, version: usize) -> Result<()> {
    match version {
        0 => Err(no_store(dir)),
        version if version < READ_FROM => Err(older(dir, version)),
        _ => Ok(()),
    }
}

/// The directory that contains the file `path`; `.` for a bare file name.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a connection with the settings that all connections share.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // Without the planner's guarantee of stability, a statement over a table with a partial index is
    // prepared again for every new value that is bound to it.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}

// SQLite opens a file only when it is first needed. This first query shows whether the file can be
// read, and creates the log.
fn touched(conn: Connection) -> Result<Connection, StoreError> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(conn)
}

// Whether the file is on a medium where SQLite cannot create a log, and has no log beside it. Then
// no process can be writing it, and it can be read as immutable.
fn is_archive(path: &Path, error: &StoreError) -> bool {
    let StoreError::Sqlite(error) = error else { return false };
    let cannot_open = matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    );
    cannot_open && !path.with_extension("db-wal").exists()
}

/// Opens a file that nobody can change, without locks and without a log. The path becomes a URI
/// such as `file:/media/synthd.db?immutable=1`, so three characters in the path are escaped.
fn connect_immutable(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let text = path.to_str().ok_or_else(|| StoreError::unreadable("its path is not UTF-8"))?;
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    connect(Path::new(&format!("file:{escaped}?immutable=1")), flags)
}

/// Turns the write-ahead log on. Fails on a file system that does not support it, such as a network
/// file system.
fn use_wal(conn: &Connection) -> Result<(), StoreError> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(StoreError::refused("this file system cannot keep a write-ahead log; use a local disk"))
}

/// The error for a user who may not read the store. Other errors stay as they are.
fn unreadable(error: StoreError, dir: &Path) -> Error {
    let error = error.on_open(dir);
    if error.code() != Code::DataDirUnwritable {
        return error;
    }
    Error::new(Code::DataDirUnwritable, format!("the store in {} cannot be read", dir.display()))
        .hint("run synthd as the owner of the data directory, or give this user permission")
        .with_source(error)
}

/// The error for a directory that has no store, or an empty one.
fn no_store(dir: &Path) -> Error {
    Error::new(Code::BadUsage, format!("there is no store in {}", dir.display()))
        .hint("name the data directory of a campaign with --data-dir, or run a campaign first")
}

/// The error for a store whose schema is too old to be read without an upgrade.
fn older(dir: &Path, version: usize) -> Error {
    let what = format!("{} holds a store of the older schema {version}", dir.display());
    Error::new(Code::BadUsage, what)
        .hint("run `synthd run` or `synthd serve` on it once to upgrade it")
}

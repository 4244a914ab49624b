//! Connections: how the file is opened for writing and for reading.

use super::check::{self, keep_log};
use super::epoch;
use super::error::StoreError;
use super::high_water_mark::{HighWaterMark, MarkFile};
use super::level::{LedgerSum, NewestKeys, StoreLevel};
use super::schema::{self, MIGRATIONS, READ_FROM};
use crate::durable::sync_dir;
use crate::error::{Code, Error, Result};
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENTS_KEPT: usize = 64;

/// Tuning of the writer. The cache holds a whole batch, so that nothing spills into the log
/// before its commit; checkpoints are rare enough to stay out of the way and frequent
/// enough to keep the log small.
const WRITER_PRAGMAS: &str = "
    PRAGMA synchronous = NORMAL;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -16384;
    PRAGMA wal_autocheckpoint = 16384;
    PRAGMA journal_size_limit = 134217728;
";

pub(super) fn database(dir: &Path) -> PathBuf {
    dir.join("synthd.db")
}

/// A store that is open for writing.
pub(super) struct OpenedDatabase {
    pub(super) conn: Connection,
    pub(super) epoch: i64,
    pub(super) log: File,
    pub(super) mark: MarkFile,
}

/// The store for writing: of the newest schema, whole, and in an epoch of its own. Nothing is
/// changed where it is not.
pub(super) fn writer(dir: &Path, scripts: &[&str]) -> Result<OpenedDatabase> {
    let failed = |error: StoreError| error.on_open(dir);
    // Before the database is looked at: it must have come as far as the mark says.
    let mark = HighWaterMark::read(dir).map_err(|error| check::unreadable_mark(dir, error))?;
    check::database_is_there(dir, mark.as_ref())?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = connect(&database(dir), flags).map_err(failed)?;
    keep_log(&conn, true).map_err(failed)?;
    let version = schema::check(&conn, dir, scripts.len())?;
    check::is_sound(&conn, dir, version, mark.as_ref())?;
    keep_log(&conn, false).map_err(failed)?;
    use_wal(&conn).map_err(failed)?;
    conn.execute_batch(WRITER_PRAGMAS).map_err(|e| failed(e.into()))?;
    // A store that has an id has a mark beside it.
    MarkFile::ensure(dir).map_err(|e| failed(e.into()))?;
    schema::migrate(&mut conn, version, scripts).map_err(failed)?;
    begin(dir, touched(conn).map_err(failed)?).map_err(failed)
}

/// A new epoch. What is there is on the disk before the mark says so.
fn begin(dir: &Path, conn: Connection) -> Result<OpenedDatabase, StoreError> {
    let epoch = epoch::begin(&conn)?;
    sync_dir(dir)?;
    let log = File::open(dir.join("synthd.db-wal"))?;
    log.sync_data()?;
    let mark = MarkFile::begin(dir, StoreLevel::read(&conn)?)?;
    Ok(OpenedDatabase { conn, epoch, log, mark })
}

impl OpenedDatabase {
    /// What is on the disk is what the mark may say: to be called after a sync. The campaigns
    /// are those whose money has moved.
    pub(super) fn advance(
        &mut self,
        campaigns: impl IntoIterator<Item = i64>,
    ) -> Result<(), StoreError> {
        let read = |key| Ok((key, LedgerSum::read(&self.conn, key)?));
        let sums = campaigns.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        self.mark.advance(NewestKeys::read(&self.conn)?, sums)
    }

    /// Everything that was committed is on the disk, and marked.
    pub(super) fn sync_all(&mut self) -> Result<(), StoreError> {
        self.log.sync_data()?;
        let level = StoreLevel::read(&self.conn)?;
        self.mark.advance(level.keys, level.campaigns.into_iter().collect())?;
        Ok(self.mark.sync()?)
    }

    /// Folds the log into the database, which is closed for good if all of it was synced.
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

/// A connection that only asks. It is opened like one that may write, where the user may,
/// because the last such connection takes the side files away again and a read-only one
/// leaves them lying about.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match connect(path, flags).and_then(touched) {
        Err(error) if is_archive(path, &error) => connect_immutable(path).and_then(touched),
        result => result,
    }
    .and_then(query_only)
}

fn query_only(conn: Connection) -> Result<Connection, StoreError> {
    conn.execute_batch("PRAGMA query_only = ON")?;
    Ok(conn)
}

/// Whether the store at `dir` is one that this version can read, and whole.
pub(super) fn check_readable(dir: &Path) -> Result<()> {
    let mark = HighWaterMark::read(dir).map_err(|error| check::unreadable_mark(dir, error))?;
    check::database_is_there(dir, mark.as_ref())?;
    database_exists(dir)?;
    let conn = reader(&database(dir)).map_err(|t| unreadable(t, dir))?;
    // A log that does not match stays as it is, so that somebody can repair it.
    keep_log(&conn, true).map_err(|t| unreadable(t, dir))?;
    let version = schema::check(&conn, dir, MIGRATIONS.len())?;
    if let Some(mark) = mark {
        check::is_whole(&conn, dir, version, &mark)?;
    }
    is_readable(dir, version)?;
    keep_log(&conn, false).map_err(|t| unreadable(t, dir))
}

pub(super) fn database_exists(dir: &Path) -> Result<()> {
    if database(dir).exists() { Ok(()) } else { Err(no_store(dir)) }
}

pub(super) fn is_readable(dir: &Path, version: usize) -> Result<()> {
    match version {
        0 => Err(no_store(dir)),
        version if version < READ_FROM => Err(older(dir, version)),
        _ => Ok(()),
    }
}

/// Where a file is.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(conn)
}

// SQLite opens lazily: the first look tells whether the file can be read, and makes its log.
fn touched(conn: Connection) -> Result<Connection, StoreError> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(conn)
}

// A store on a medium where no side file can be made, and where none is: nobody writes it.
fn is_archive(path: &Path, error: &StoreError) -> bool {
    let StoreError::Sqlite(error) = error else { return false };
    let cannot_open = matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    );
    cannot_open && !path.with_extension("db-wal").exists()
}

fn connect_immutable(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let text = path.to_str().ok_or_else(|| StoreError::unreadable("its path is not UTF-8"))?;
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    connect(Path::new(&format!("file:{escaped}?immutable=1")), flags)
}

fn use_wal(conn: &Connection) -> Result<(), StoreError> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(StoreError::refused("this file system cannot keep a write-ahead log; use a local disk"))
}

fn unreadable(error: StoreError, dir: &Path) -> Error {
    let error = error.on_open(dir);
    if error.code() != Code::DataDirUnwritable {
        return error;
    }
    Error::new(Code::DataDirUnwritable, format!("the store in {} cannot be read", dir.display()))
        .hint("run synthd as the owner of the data directory, or give this user permission")
        .with_source(error)
}

fn no_store(dir: &Path) -> Error {
    Error::new(Code::BadUsage, format!("there is no store in {}", dir.display()))
        .hint("name the data directory of a campaign with --data-dir, or run a campaign first")
}

fn older(dir: &Path, version: usize) -> Error {
    let what = format!("{} holds a store of the older schema {version}", dir.display());
    Error::new(Code::BadUsage, what)
        .hint("run `synthd run` or `synthd serve` on it once to upgrade it")
}

//! Connections: how the file is opened for writing and for reading.

use super::epoch;
use super::schema::{self, MIGRATIONS, READ_FROM};
use super::trouble::Trouble;
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

/// The connection of the writer, on a store of the newest schema, and its epoch.
pub(super) fn writer(dir: &Path, scripts: &[&str]) -> Result<(Connection, i64)> {
    let failed = |trouble: Trouble| trouble.on_open(dir);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = connect(&database(dir), flags).map_err(failed)?;
    // Looked at before anything is touched.
    let version = schema::check(&conn, dir, scripts.len())?;
    use_wal(&conn).map_err(failed)?;
    conn.execute_batch(WRITER_PRAGMAS).map_err(|e| failed(e.into()))?;
    schema::migrate(&mut conn, version, scripts).map_err(failed)?;
    let conn = touched(conn).map_err(failed)?;
    let epoch = epoch::begin(&conn).map_err(failed)?;
    sync_dir(dir).map_err(|e| failed(e.into()))?;
    Ok((conn, epoch))
}

/// The log that the writer syncs by itself. Another handle on it is harmless: SQLite keeps
/// its locks on the other two files.
pub(super) fn log(dir: &Path) -> Result<File> {
    File::open(dir.join("synthd.db-wal")).map_err(|e| Trouble::from(e).on_open(dir))
}

/// A connection that only asks. It is opened like one that may write, where the user may,
/// because the last such connection takes the side files away again and a read-only one
/// leaves them lying about.
pub(super) fn reader(path: &Path) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match connect(path, flags).and_then(touched) {
        Err(trouble) if is_archive(path, &trouble) => connect_immutable(path).and_then(touched),
        result => result,
    }
    .and_then(query_only)
}

fn query_only(conn: Connection) -> Result<Connection, Trouble> {
    conn.execute_batch("PRAGMA query_only = ON")?;
    Ok(conn)
}

/// Whether the store at `dir` is one that this version can read.
pub(super) fn check_readable(dir: &Path) -> Result<()> {
    let path = database(dir);
    if !path.exists() {
        return Err(no_store(dir));
    }
    let conn = reader(&path).map_err(|t| unreadable(t, dir))?;
    match schema::check(&conn, dir, MIGRATIONS.len())? {
        0 => Err(no_store(dir)),
        version if version < READ_FROM => Err(older(dir, version)),
        _ => Ok(()),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Trouble> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(conn)
}

// SQLite opens lazily: the first look tells whether the file can be read, and makes its log.
fn touched(conn: Connection) -> Result<Connection, Trouble> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(conn)
}

// A store on a medium where no side file can be made, and where none is: nobody writes it.
fn is_archive(path: &Path, trouble: &Trouble) -> bool {
    let Trouble::Sqlite(error) = trouble else { return false };
    let cannot_open = matches!(
        error.sqlite_error_code(),
        Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
    );
    cannot_open && !path.with_extension("db-wal").exists()
}

fn connect_immutable(path: &Path) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let text = path.to_str().ok_or_else(|| Trouble::unreadable("its path is not UTF-8"))?;
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    connect(Path::new(&format!("file:{escaped}?immutable=1")), flags)
}

fn use_wal(conn: &Connection) -> Result<(), Trouble> {
    let mode: String = conn.query_row("PRAGMA journal_mode = WAL", [], |r| r.get(0))?;
    if mode.eq_ignore_ascii_case("wal") {
        return Ok(());
    }
    Err(Trouble::refused("this file system cannot keep a write-ahead log; use a local disk"))
}

fn unreadable(trouble: Trouble, dir: &Path) -> Error {
    let error = trouble.on_open(dir);
    if error.code() != Code::DataDirUnwritable {
        return error;
    }
    Error::new(Code::DataDirUnwritable, format!("the store in {} cannot be read", dir.display()))
        .hint("run as the user who owns the data directory, or give this one permission")
        .because(error)
}

fn no_store(dir: &Path) -> Error {
    Error::new(Code::BadUsage, format!("there is no store in {}", dir.display()))
        .hint("name the data directory of a campaign with --data-dir, or run one first")
}

fn older(dir: &Path, version: usize) -> Error {
    let what = format!("{} holds a store of the older schema {version}", dir.display());
    Error::new(Code::BadUsage, what)
        .hint("start `synthd run` or `synthd serve` on it once: that upgrades it")
}

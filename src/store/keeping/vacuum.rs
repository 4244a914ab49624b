//! `synthd store vacuum`: gives the free pages of the database file back to the disk.
//!
//! SQLite writes the whole database again in one transaction. A kill leaves the old file. Beside an engine, its
//! writer waits for this transaction, so a large store is refused there.

use crate::error::{Code, Error, Result};
use crate::store::error::StoreError;
use crate::store::keeping::maintenance::MaintenanceAccess;
use crate::store::open;
use rusqlite::Connection;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The most bytes that are written again beside an engine. A slow disk writes them in less time than the
/// engine's writer waits for a lock.
const MOST_BESIDE: u64 = 64 << 20;

/// What a vacuum gave back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VacuumReport {
    pub path: PathBuf,
    /// The pages of the database before and after, in bytes. Beside an engine, the file itself shrinks when
    /// the engine folds its log next.
    pub bytes_before: u64,
    pub bytes_after: u64,
}

/// Gives the free pages of the store in `dir` back. Fails, and changes nothing, if an engine has a store that
/// is too large to be written beside it, or if the disk has no room for a second copy.
pub fn vacuum(dir: &Path) -> Result<VacuumReport> {
    let failed = |error: StoreError| error.on_open(dir);
    let mut access = MaintenanceAccess::open(dir)?;
    let is_beside = matches!(access, MaintenanceAccess::Beside(_));
    let conn = access.conn();
    let bytes_before = pages(conn, "page_count").map_err(failed)?;
    let used = bytes_before - pages(conn, "freelist_count").map_err(failed)?.min(bytes_before);
    if is_beside && used > MOST_BESIDE {
        return Err(too_large(dir, used));
    }
    // The copy is made in a file: a store may be larger than the memory.
    let done = conn.execute_batch("PRAGMA temp_store = FILE; VACUUM;").map_err(StoreError::from);
    let after = done.and_then(|()| pages(conn, "page_count"));
    let closed = access.close(dir);
    let bytes_after = after.map_err(failed)?;
    closed.map(|()| VacuumReport { path: open::database(dir), bytes_before, bytes_after })
}

/// The bytes of so many pages as a pragma counts.
fn pages(conn: &Connection, count: &str) -> Result<u64, StoreError> {
    let number =
        |pragma: &str| conn.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    Ok(number(count)?.unsigned_abs().saturating_mul(number("page_size")?.unsigned_abs()))
}

/// The error for a store that cannot be written again while its engine runs.
fn too_large(dir: &Path, used: u64) -> Error {
    let what = format!(
        "an engine has the store in {}, and its {} MiB would keep the engine waiting",
        dir.display(),
        used >> 20
    );
    Error::new(Code::DataDirInUse, what).hint(
        "end the engine first, with `synthd shutdown`; free pages are used by new records until then",
    )
}

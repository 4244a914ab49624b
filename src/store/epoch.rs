//! The epoch of a writer: a number that each opening for writing raises by one. A writer whose
//! epoch is over, because another process has opened the store since, writes nothing more.

use super::error::StoreError;
use rusqlite::Connection;

/// Begins a new epoch.
pub(super) fn begin(conn: &Connection) -> Result<i64, StoreError> {
    // A transaction of its own: only its commit says whether the disk had room for it.
    let change = conn.unchecked_transaction()?;
    change.execute("UPDATE store SET epoch = epoch + 1", [])?;
    let epoch = change.query_row("SELECT epoch FROM store", [], |row| row.get(0))?;
    change.commit()?;
    Ok(epoch)
}

/// Refuses to go on where a later epoch has begun.
pub(super) fn check(conn: &Connection, epoch: i64) -> Result<(), StoreError> {
    let now: i64 =
        conn.prepare_cached("SELECT epoch FROM store")?.query_row([], |row| row.get(0))?;
    if now == epoch { Ok(()) } else { Err(StoreError::TakenOver { epoch, now }) }
}

/// What a hold is stored as.
pub(super) fn hold_id(id: &str, epoch: i64) -> String {
    format!("{id}@{epoch}")
}

//! The epoch of a writer: a number that each opening for writing raises by one. If another process
//! has opened the store since, a later epoch has begun, and the earlier writer writes nothing more.
//! The lock of the data directory normally keeps a second writer out. The epoch keeps the record of
//! money right even if the lock fails.

use crate::store::error::StoreError;
use rusqlite::Connection;

/// Begins a new epoch and returns its number.
pub(in crate::store) fn begin(conn: &Connection) -> Result<i64, StoreError> {
    // An explicit transaction, because only its commit shows whether the disk has room for the
    // change.
    let change = conn.unchecked_transaction()?;
    change.execute("UPDATE store SET epoch = epoch + 1", [])?;
    let epoch = change.query_row("SELECT epoch FROM store", [], |row| row.get(0))?;
    change.commit()?;
    Ok(epoch)
}

/// Fails if a later epoch than `epoch` has begun. It is called in the transaction that is to write.
pub(in crate::store) fn check(conn: &Connection, epoch: i64) -> Result<(), StoreError> {
    let now: i64 =
        conn.prepare_cached("SELECT epoch FROM store")?.query_row([], |row| row.get(0))?;
    if now == epoch { Ok(()) } else { Err(StoreError::TakenOver { epoch, now }) }
}

/// The id under which a hold is stored: `ID@EPOCH`. So two writers can never mean different holds
/// by one id.
pub(in crate::store) fn hold_id(id: &str, epoch: i64) -> String {
    format!("{id}@{epoch}")
}

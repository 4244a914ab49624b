//! Checks whether a store is complete and sound, before anything is done to it. The checks compare
//! the store with its high-water mark, look for damaged pages, and compare each campaign's sum with
//! its holds. They change nothing. Every error says which files belong together or how to restore.

use crate::error::{Code, Error, Result};
use crate::store::error::StoreError;
use crate::store::integrity::high_water_mark::{DatabaseStamp, HighWaterMark};
use crate::store::integrity::level::{MissingEntries, StoreLevel};
use crate::store::open::database;
use crate::store::schema::HIGH_WATER;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::path::Path;

/// The largest database, in bytes, that is read whole at a start if it was not closed. For a larger
/// one a warning names `synthd store verify`.
const READ_THROUGH: u64 = 1 << 30;

/// With `kept`, closing the connection leaves the log as it is. Without it, the last connection
/// that is closed folds the log into the database and removes it.
pub(in crate::store) fn keep_log(conn: &Connection, kept: bool) -> Result<(), StoreError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, kept)?;
    Ok(())
}

/// Fails if the mark records a store and the database file is missing. Otherwise an empty store
/// would take its place, and the money that was spent would be forgotten.
pub(in crate::store) fn database_is_there(dir: &Path, mark: Option<&HighWaterMark>) -> Result<()> {
    let known = mark.is_some_and(|mark| mark.level != StoreLevel::default());
    if !known || database(dir).exists() {
        return Ok(());
    }
    let what = format!("{} has lost its store: synthd.db is missing", dir.display());
    Err(Error::new(Code::StoreIncomplete, what).hint(
        "put synthd.db back, or run `synthd store restore BACKUP`; to start again without it, \
         remove synthd.db-mark as well",
    ))
}

/// The error for a mark that cannot be read. Such a mark cannot prove that the store is complete.
pub(in crate::store) fn unreadable_mark(dir: &Path, error: StoreError) -> Error {
    if error.code() != Code::StoreDamaged {
        return error.on_open(dir);
    }
    let what = format!("the mark of the store in {} cannot be read", dir.display());
    Error::new(Code::StoreIncomplete, what).with_source(error).hint(way_out(dir))
}

/// The checks before the store is opened for writing: nothing may be missing, no page may be
/// damaged, and the sums must be right. The pages are read only if the store was not closed cleanly
/// and has at most [`READ_THROUGH`] bytes.
pub(in crate::store) fn is_sound(
    conn: &Connection,
    dir: &Path,
    version: usize,
    mark: Option<&HighWaterMark>,
) -> Result<()> {
    match mark {
        None if version >= HIGH_WATER => return Err(no_mark(dir)),
        None => {}
        Some(mark) => is_whole(conn, dir, version, mark)?,
    }
    if !was_closed(dir, mark) && is_read_through(dir) {
        findings_to_error(dir, pages(conn).map_err(|t| t.on_open(dir))?)?;
    }
    if version >= HIGH_WATER {
        findings_to_error(dir, sums(conn).map_err(|t| t.on_open(dir))?)?;
    }
    Ok(())
}

/// Fails if the store lacks records that the mark has, or if the mark is of another store.
pub(in crate::store) fn is_whole(
    conn: &Connection,
    dir: &Path,
    version: usize,
    mark: &HighWaterMark,
) -> Result<()> {
    if mark.level == StoreLevel::default() {
        return Ok(());
    }
    let found = read_level(conn, version, mark).map_err(|t| t.on_open(dir))?;
    if found.store != mark.level.store {
        let what = format!("the mark in {} is of another store", dir.display());
        return Err(Error::new(Code::StoreIncomplete, what).hint(way_out(dir)));
    }
    match found.lacks(&mark.level) {
        None => Ok(()),
        Some(missing) => Err(incomplete(dir, &missing)),
    }
}

/// The level of the store. If the schema is older than the mark, the database has lost even its
/// tables. Then its level is empty, and everything in the mark is missing.
pub(in crate::store) fn read_level(
    conn: &Connection,
    version: usize,
    mark: &HighWaterMark,
) -> Result<StoreLevel, StoreError> {
    match version {
        version if version >= HIGH_WATER => StoreLevel::read(conn),
        _ => Ok(StoreLevel { store: mark.level.store, ..StoreLevel::default() }),
    }
}

/// The error for a store that is behind its mark.
fn incomplete(dir: &Path, missing: &MissingEntries) -> Error {
    let what = format!("the store in {} has lost records: {missing}", dir.display());
    Error::new(Code::StoreIncomplete, what).hint(way_out(dir))
}

/// The error for a store whose mark is missing.
fn no_mark(dir: &Path) -> Error {
    let what = format!("the store in {} has no mark: synthd.db-mark is missing", dir.display());
    Error::new(Code::StoreIncomplete, what).hint(way_out(dir))
}

/// The hint for a store that is not complete.
fn way_out(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "nothing was changed; put the files back that belong together (synthd.db, its -wal and \
         -mark), or continue without the lost records with `synthd store restore --data-dir \
         {dir}`"
    )
}

/// An error with the first finding. Ok if there is no finding.
fn findings_to_error(dir: &Path, findings: Vec<String>) -> Result<()> {
    let Some(first) = findings.into_iter().next() else { return Ok(()) };
    Err(StoreError::unreadable(first).on_open(dir))
}

/// Whether the database file is as it was when the store was closed, and its log is empty.
fn was_closed(dir: &Path, mark: Option<&HighWaterMark>) -> bool {
    let closed = mark.and_then(|mark| mark.closed);
    let log = database(dir).with_extension("db-wal").metadata().map_or(0, |log| log.len());
    log == 0 && closed.is_some() && closed == DatabaseStamp::of(&database(dir)).ok()
}

/// Whether the database is small enough to be read whole at this start.
fn is_read_through(dir: &Path) -> bool {
    let length = database(dir).metadata().map_or(0, |file| file.len());
    if length > READ_THROUGH {
        tracing::warn!("the store was not closed and is large; `synthd store verify` checks it");
    }
    length <= READ_THROUGH
}

/// What a quick check of all pages finds, at most five findings. Indexes are not compared with
/// their tables.
fn pages(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = conn.prepare("PRAGMA quick_check(5)")?;
    let found = statement.query_map([], |row| row.get(0))?;
    let found: Vec<String> = found.collect::<rusqlite::Result<_>>()?;
    Ok(found.into_iter().filter(|finding| finding != "ok").collect())
}

/// Campaigns whose sum differs from the sum of their holds and of their charges without a hold.
pub(in crate::store) fn sums(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = conn.prepare(
        "SELECT name, spent, coalesce(held.total, 0) + coalesce(charged.total, 0) AS total
         FROM ledger
         JOIN campaign ON campaign.key = ledger.campaign
         LEFT JOIN (SELECT campaign, sum(coalesce(settled, amount)) AS total FROM hold
             GROUP BY campaign) AS held ON held.campaign = ledger.campaign
         LEFT JOIN (SELECT campaign, sum(after) AS total FROM adjustment WHERE hold IS NULL
             GROUP BY campaign) AS charged ON charged.campaign = name
         WHERE spent != coalesce(held.total, 0) + coalesce(charged.total, 0)",
    )?;
    let found = statement.query_map([], |row| {
        let (name, spent, total): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(format!("the sum of campaign {name} is {spent} nano-dollars, its holds make {total}"))
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

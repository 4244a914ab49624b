//! Whether a store is whole: looked at before anything is done to it.

use super::error::StoreError;
use super::high_water_mark::{DatabaseStamp, HighWaterMark};
use super::level::{MissingEntries, StoreLevel};
use super::open::database;
use super::schema::HIGH_WATER;
use crate::error::{Code, Error, Result};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::path::Path;

/// Larger databases that were not closed are not read through at every start.
const READ_THROUGH: u64 = 1 << 30;

/// While it is kept, closing a connection neither folds the log in nor takes it away.
pub(super) fn keep_log(conn: &Connection, kept: bool) -> Result<(), StoreError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, kept)?;
    Ok(())
}

/// A mark that knows of money has a database beside it.
pub(super) fn database_is_there(dir: &Path, mark: Option<&HighWaterMark>) -> Result<()> {
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

/// A mark that cannot be read proves nothing.
pub(super) fn unreadable_mark(dir: &Path, error: StoreError) -> Error {
    if error.code() != Code::StoreDamaged {
        return error.on_open(dir);
    }
    let what = format!("the mark of the store in {} cannot be read", dir.display());
    Error::new(Code::StoreIncomplete, what).with_source(error).hint(way_out(dir))
}

/// For writing: nothing may be lost, no page may be damaged, and the sums must add up.
pub(super) fn is_sound(
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

/// Nothing that the mark knows of is lost.
pub(super) fn is_whole(
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

/// How far the store has come. One that has lost even its tables has come nowhere.
pub(super) fn read_level(
    conn: &Connection,
    version: usize,
    mark: &HighWaterMark,
) -> Result<StoreLevel, StoreError> {
    match version {
        version if version >= HIGH_WATER => StoreLevel::read(conn),
        _ => Ok(StoreLevel { store: mark.level.store, ..StoreLevel::default() }),
    }
}

fn incomplete(dir: &Path, missing: &MissingEntries) -> Error {
    let what = format!("the store in {} has lost records: {missing}", dir.display());
    Error::new(Code::StoreIncomplete, what).hint(way_out(dir))
}

fn no_mark(dir: &Path) -> Error {
    let what = format!("the store in {} has no mark: synthd.db-mark is missing", dir.display());
    Error::new(Code::StoreIncomplete, what).hint(way_out(dir))
}

fn way_out(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "nothing was changed; put the files back that belong together (synthd.db, its -wal and \
         -mark), or continue without the lost records with `synthd store restore --data-dir \
         {dir}`"
    )
}

fn findings_to_error(dir: &Path, findings: Vec<String>) -> Result<()> {
    let Some(first) = findings.into_iter().next() else { return Ok(()) };
    Err(StoreError::unreadable(first).on_open(dir))
}

/// Whether the file is as it was when the store was closed.
fn was_closed(dir: &Path, mark: Option<&HighWaterMark>) -> bool {
    let closed = mark.and_then(|mark| mark.closed);
    let log = database(dir).with_extension("db-wal").metadata().map_or(0, |log| log.len());
    log == 0 && closed.is_some() && closed == DatabaseStamp::of(&database(dir)).ok()
}

fn is_read_through(dir: &Path) -> bool {
    let length = database(dir).metadata().map_or(0, |file| file.len());
    if length > READ_THROUGH {
        tracing::warn!("the store was not closed and is large; `synthd store verify` checks it");
    }
    length <= READ_THROUGH
}

/// What is wrong with the pages, at first sight.
fn pages(conn: &Connection) -> Result<Vec<String>, StoreError> {
    let mut statement = conn.prepare("PRAGMA quick_check(5)")?;
    let found = statement.query_map([], |row| row.get(0))?;
    let found: Vec<String> = found.collect::<rusqlite::Result<_>>()?;
    Ok(found.into_iter().filter(|finding| finding != "ok").collect())
}

/// Campaigns whose sum is not that of their holds, with the charges that no hold explains.
pub(super) fn sums(conn: &Connection) -> Result<Vec<String>, StoreError> {
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

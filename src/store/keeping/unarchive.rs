//! `synthd campaign unarchive`: reads the archive of a campaign again.
//!
//! ```text
//! FILE ──► synthd.db-unarchiving, checked ──┬─► no store here: it becomes the store
//!                                           └─► the store it comes from: bodies that went are put back
//! ```
//! A store of another data directory is refused: the keys and the money of two stores do not mix. In a directory of
//! its own, an archive is a store like any other, so recipes name it by `data_dir`.

use crate::durable::create_dir;
use crate::error::{Code, Error, Result};
use crate::store::error::StoreError;
use crate::store::integrity::restore::{RestoreRequest, restore};
use crate::store::keeping::archive::{ARCHIVED, attach};
use crate::store::keeping::archive_file::{self, ArchiveHead};
use crate::store::keeping::maintenance::MaintenanceAccess;
use crate::store::keeping::prune::AT_ONCE;
use crate::store::open;
use crate::store::schema::{self, MIGRATIONS};
use crate::store::writing::apply::StoreResult;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use serde::Serialize;
use std::io;
use std::path::{Path, PathBuf};

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnarchiveReport {
    /// The store.
    pub path: PathBuf,
    pub head: ArchiveHead,
    /// The episodes whose turns or calls were put back. None if the archive has become the store.
    pub put_back: Option<u64>,
}

/// Reads the archive `from` into the data directory `dir`. Fails, and changes nothing, if the archive is damaged,
/// or if the directory has another store. `who` and `at_ms` are for the record of a new store.
pub fn unarchive(from: &Path, dir: &Path, who: &str, at_ms: i64) -> Result<UnarchiveReport> {
    let unread = |error: io::Error| unusable(from, error.into());
    let (head, packed) = archive_file::open(from).map_err(unread)?;
    if head.schema > MIGRATIONS.len() {
        let what = format!("{} was written by a newer synthd ({})", from.display(), head.synthd);
        return Err(Error::new(Code::ArchiveUnusable, what).hint("use that synthd, or a newer one"));
    }
    create_dir(dir, 0o700).map_err(|error| StoreError::from(error).on_open(dir))?;
    let database = dir.join("synthd.db-unarchiving");
    let unpacked = archive_file::unpack(&head, packed, &database).map_err(unread);
    let done = unpacked.and_then(|()| match open::database(dir).exists() {
        true => put_back(from, dir, &database).map(Some),
        false => become_store(dir, &database, who, at_ms).map(|()| None),
    });
    std::fs::remove_file(&database).ok();
    Ok(UnarchiveReport { path: open::database(dir), head, put_back: done? })
}

/// Makes a store of the archive, as a restore does.
fn become_store(dir: &Path, database: &Path, who: &str, at_ms: i64) -> Result<()> {
    let request = RestoreRequest {
        data_dir: dir,
        backup: Some(database),
        workspaces: false,
        charge_missing: false,
        who,
        at_ms,
    };
    restore(&request).map(drop)
}

/// Puts the bodies back that went from the store when the archive was made.
fn put_back(from: &Path, dir: &Path, database: &Path) -> Result<u64> {
    upgrade(database, dir)?;
    let mut access = MaintenanceAccess::open(dir)?;
    let done = put_all_back(access.conn(), database);
    let closed = access.close(dir);
    let put_back = done.map_err(|error| unusable(from, error))?;
    closed.map(|()| put_back)
}

/// Brings the unpacked store to the newest schema.
fn upgrade(database: &Path, dir: &Path) -> Result<()> {
    let failed = |error: StoreError| error.on_open(dir);
    let mut conn = Connection::open(database).map_err(|error| failed(error.into()))?;
    let version = schema::check(&conn, dir, MIGRATIONS.len())?;
    schema::migrate(&mut conn, version, MIGRATIONS).map_err(failed)?;
    conn.close().map_err(|(_, error)| failed(error.into()))
}

/// Puts bodies back, some episodes in each transaction. Returns how many episodes.
fn put_all_back(conn: &mut Connection, database: &Path) -> StoreResult<u64> {
    attach(conn, database, "archive")?;
    let sql = "SELECT campaign.key FROM main.campaign AS campaign
        JOIN archive.campaign AS archived ON archived.key = campaign.key
            AND archived.name = campaign.name AND archived.created_at_ms = campaign.created_at_ms
        WHERE (SELECT id FROM main.store) = (SELECT id FROM archive.store)";
    let key: Option<i64> = conn.query_row(sql, [], |row| row.get(0)).optional()?;
    let key = key.ok_or_else(|| StoreError::refused("the store here is another one"))?;
    let mut count = 0;
    loop {
        let some = emptied(conn, key)?;
        if some.is_empty() {
            return match count == 0 && lacks_parts(conn, key)? {
                true => Err(StoreError::refused("what went from the store is in another archive")),
                false => Ok(count),
            };
        }
        let step = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (episode, id) in &some {
            put_episode_back(&step, *episode, id)?;
        }
        step.commit()?;
        count += some.len() as u64;
    }
}

/// Some of the episodes of a campaign that an archive has emptied, and of which this one has what went.
fn emptied(conn: &Connection, campaign: i64) -> StoreResult<Vec<(i64, String)>> {
    let mut statement = conn.prepare_cached(
        "SELECT DISTINCT episode.key, episode.id FROM main.pruned AS pruned
         JOIN main.episode AS episode ON episode.key = pruned.episode
         WHERE episode.campaign = ?1 AND rule = ?2
             AND EXISTS (SELECT 1 FROM archive.episode AS archived WHERE archived.key = episode.key)
             AND NOT EXISTS (SELECT 1 FROM archive.pruned AS gone
                 WHERE gone.episode = pruned.episode AND gone.part = pruned.part)
         LIMIT ?3",
    )?;
    let most = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
    let found = statement
        .query_map(params![campaign, ARCHIVED, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Whether parts of a campaign are still in an archive only.
fn lacks_parts(conn: &Connection, campaign: i64) -> StoreResult<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM main.pruned AS pruned
        JOIN main.episode AS episode ON episode.key = pruned.episode
        WHERE episode.campaign = ?1 AND rule = ?2)";
    Ok(conn.query_row(sql, params![campaign, ARCHIVED], |row| row.get(0))?)
}

/// Puts the bodies of one episode back, and takes back that they went.
fn put_episode_back(conn: &Connection, episode: i64, id: &str) -> StoreResult<()> {
    conn.prepare_cached(
        "UPDATE main.step SET body = coalesce((SELECT archived.body FROM archive.step AS archived
             WHERE archived.key = step.key AND length(archived.body) > 0), body)
         WHERE attempt IN (SELECT key FROM main.attempt WHERE episode = ?1) AND length(body) = 0",
    )?
    .execute([episode])?;
    conn.prepare_cached(
        "UPDATE main.call SET
             request = coalesce((SELECT archived.request FROM archive.call AS archived
                 WHERE archived.key = call.key AND length(archived.request) > 0), request),
             response = coalesce((SELECT archived.response FROM archive.call AS archived
                 WHERE archived.key = call.key AND length(archived.request) > 0), response)
         WHERE id > ?1 || '/' AND id < ?1 || '0' AND length(request) = 0",
    )?
    .execute([id])?;
    conn.prepare_cached(
        "DELETE FROM main.pruned WHERE episode = ?1 AND rule = ?2 AND NOT EXISTS
             (SELECT 1 FROM archive.pruned AS gone WHERE gone.episode = ?1 AND gone.part = pruned.part)",
    )?
    .execute(params![episode, ARCHIVED])?;
    Ok(())
}

/// The error for an archive that cannot be read here.
fn unusable(from: &Path, error: StoreError) -> Error {
    Error::new(Code::ArchiveUnusable, format!("{} cannot be unarchived here", from.display()))
        .with_source(error)
        .hint("name a new directory with --data-dir, or the data directory that it comes from")
}

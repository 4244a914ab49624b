//! `synthd campaign archive`: copies one campaign into a compressed file that can be read again.
//!
//! ```text
//! store ──one transaction──► FILE-store ──checked, compressed──► FILE-partial ──► FILE
//!                                 └──► if asked: bodies that are in the file go from the store
//! ```
//! The store in the file has the campaign whole: its plan, turns, calls, rows, datasets' records and money. Kept
//! workspaces and the datasets themselves are not in it. What goes from the store is recorded as pruned by the rule
//! `archived`, and `unarchive` brings it back.

use crate::durable::sync_dir;
use crate::error::{Code, Error, Result};
use crate::store::error::StoreError;
use crate::store::integrity::backup::beside;
use crate::store::integrity::check;
use crate::store::keeping::archive_file::{self, ArchiveHead};
use crate::store::keeping::maintenance::MaintenanceAccess;
use crate::store::keeping::prune::{AT_ONCE, PruneCount, campaign, has_ended};
use crate::store::keeping::prune_parts::{self, PartToPrune};
use crate::store::schema::{self, MIGRATIONS};
use crate::store::writing::apply::StoreResult;
use crate::store::{open, read};
use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The rule under which bodies are pruned that are in an archive.
pub(in crate::store) const ARCHIVED: &str = "archived";

/// What the user asks for.
#[derive(Clone, Copy, Debug)]
pub struct ArchiveRequest<'a> {
    pub data_dir: &'a Path,
    pub campaign: &'a str,
    /// The new file.
    pub to: &'a Path,
    /// Whether the turns and calls that are in the file go from the store.
    pub empties: bool,
    /// Milliseconds since 1970, UTC.
    pub now_ms: i64,
}

/// What was archived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArchiveReport {
    pub path: PathBuf,
    /// Of the file.
    pub file_bytes: u64,
    pub head: ArchiveHead,
    /// The parts of episodes that went from the store. None if nothing was to go.
    pub emptied: Option<PruneCount>,
}

/// Writes the archive of a campaign that has ended. Fails if the file exists, or if the copy is damaged; then
/// there is no file. Nothing goes from the store before the file is on the disk.
pub fn archive(request: &ArchiveRequest<'_>) -> Result<ArchiveReport> {
    let to = request.to;
    if to.exists() {
        let what = format!("{} exists already", to.display());
        return Err(Error::new(Code::ArchiveUnusable, what).hint("name a new file with --to"));
    }
    check_archivable(request)?;
    let (database, spare) = (beside(to, "store"), beside(to, "partial"));
    let made = make(request, &database, &spare);
    // Both names are this command's own.
    [&database, &spare].into_iter().for_each(|file| {
        std::fs::remove_file(file).ok();
    });
    let (head, parts) = made.map_err(|error| unwritten(to, error))?;
    let emptied = request.empties.then(|| empty(request, &parts)).transpose()?;
    let file_bytes = to.metadata().map_err(|error| unwritten(to, error.into()))?.len();
    Ok(ArchiveReport { path: to.to_owned(), file_bytes, head, emptied })
}

/// Fails if the store or the state of the campaign allows no archive.
fn check_archivable(request: &ArchiveRequest<'_>) -> Result<()> {
    let dir = request.data_dir;
    open::check_readable(dir)?;
    let failed = |error: StoreError| error.on_open(dir);
    let conn = open::reader(&open::database(dir)).map_err(failed)?;
    let version = schema::check(&conn, dir, MIGRATIONS.len())?;
    if version < MIGRATIONS.len() {
        let what = format!("{} holds a store of the older schema {version}", dir.display());
        return Err(Error::new(Code::ArchiveUnusable, what)
            .hint("run `synthd store prune` on it once, which upgrades it"));
    }
    let found = campaign(&conn, request.campaign).map_err(failed)?;
    if is_archived(&conn, request.campaign).map_err(failed)? {
        let what =
            format!("turns or calls of {:?} are in an earlier archive only", request.campaign);
        return Err(Error::new(Code::ArchiveUnusable, what)
            .hint("that archive is whole; `synthd campaign unarchive` puts them back first"));
    }
    match found.filter(|(_, state)| !has_ended(state)) {
        Some((_, state)) => {
            let what = format!("the campaign {:?} is {state}", request.campaign);
            Err(Error::new(Code::ArchiveUnusable, what)
                .hint("only campaigns that are complete or cancelled are archived"))
        }
        None => Ok(()),
    }
}

/// Whether an earlier archive has emptied a campaign. Another one would have less.
fn is_archived(conn: &Connection, name: &str) -> StoreResult<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pruned
        JOIN episode ON episode.key = pruned.episode JOIN campaign ON campaign.key = episode.campaign
        WHERE name = ?1 AND rule = ?2)";
    Ok(conn.query_row(sql, (name, ARCHIVED), |row| row.get(0))?)
}

/// Writes the file, and returns its head and what of the store is in it.
fn make(
    request: &ArchiveRequest<'_>,
    database: &Path,
    spare: &Path,
) -> StoreResult<(ArchiveHead, Vec<PartToPrune>)> {
    let new = copied(request, database)?;
    let damage = [read::integrity(&new)?, check::sums(&new)?].concat();
    if let Some(damage) = damage.into_iter().next() {
        return Err(StoreError::unreadable(damage));
    }
    let mut parts = Vec::new();
    let key: i64 = new.query_row("SELECT key FROM campaign", [], |row| row.get(0))?;
    for episode in prune_parts::ended(&new, key, false)? {
        parts.extend(episode.all_parts(&new, ARCHIVED)?);
    }
    let episodes: i64 = new.query_row("SELECT count(*) FROM episode", [], |row| row.get(0))?;
    new.close().map_err(|(_, error)| error)?;
    let head = ArchiveHead {
        campaign: request.campaign.to_owned(),
        schema: MIGRATIONS.len(),
        episodes: episodes.unsigned_abs(),
        bytes: 0,
        sha256: String::new(),
        archived_at_ms: request.now_ms,
        synthd: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let head = archive_file::write(head, database, spare)?;
    std::fs::rename(spare, request.to)?;
    sync_dir(open::parent(request.to))?;
    Ok((head, parts))
}

/// The rows of each episode of the campaign `?1`.
const OF_EPISODES: &str = "episode IN (SELECT key FROM live.episode WHERE campaign = ?1)";

/// The tables in an order in which no row refers to one that comes later, with the rows of the campaign `?1`.
const TABLES: [(&str, &str); 15] = [
    ("campaign", "key = ?1"),
    ("ledger", "campaign = ?1"),
    ("edition", "campaign = ?1"),
    ("episode", "campaign = ?1"),
    ("attempt", OF_EPISODES),
    ("progress", OF_EPISODES),
    (
        "step",
        "attempt IN (SELECT attempt.key FROM live.attempt AS attempt
            JOIN live.episode AS episode ON episode.key = attempt.episode
            WHERE episode.campaign = ?1)",
    ),
    ("outcome", OF_EPISODES),
    ("judged", "campaign = ?1"),
    ("reverification", OF_EPISODES),
    ("hold", "campaign = ?1"),
    ("call", "campaign = ?1 ORDER BY key"),
    ("dataset", "campaign = ?1"),
    ("pruned", OF_EPISODES),
    ("adjustment", "campaign = (SELECT name FROM live.campaign WHERE key = ?1)"),
];

/// A new store in the file `database` with the campaign alone. It has the id of the store that it comes from.
fn copied(request: &ArchiveRequest<'_>, database: &Path) -> StoreResult<Connection> {
    std::fs::remove_file(database).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut new = Connection::open(database)?;
    std::fs::set_permissions(database, Permissions::from_mode(0o600))?;
    schema::migrate(&mut new, 0, MIGRATIONS)?;
    attach(&new, &open::database(request.data_dir), "live")?;
    // One transaction, so that the copy is of one moment.
    let step = new.transaction()?;
    let sql = "SELECT key, state FROM live.campaign WHERE name = ?1";
    let (key, state): (i64, String) =
        step.query_row(sql, [request.campaign], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if !has_ended(&state) {
        return Err(StoreError::refused(format!("the campaign is {state} now")));
    }
    for (table, rows) in TABLES {
        let sql = format!("INSERT INTO main.{table} SELECT * FROM live.{table} WHERE {rows}");
        step.execute(&sql, [key])?;
    }
    step.execute(
        "UPDATE main.store SET id = (SELECT id FROM live.store),
             epoch = (SELECT epoch FROM live.store)",
        [],
    )?;
    step.commit()?;
    new.execute("DETACH live", [])?;
    Ok(new)
}

/// Makes the tables of another database file readable as `NAME.table`.
pub(super) fn attach(conn: &Connection, database: &Path, name: &str) -> StoreResult<()> {
    let path = database.to_str().ok_or_else(|| StoreError::refused("its path is not UTF-8"))?;
    conn.execute(&format!("ATTACH ?1 AS {name}"), [path])?;
    Ok(())
}

/// Removes the parts that are in the file from the store.
fn empty(request: &ArchiveRequest<'_>, parts: &[PartToPrune]) -> Result<PruneCount> {
    let dir = request.data_dir;
    let mut access = MaintenanceAccess::open(dir)?;
    let done = empty_parts(access.conn(), request, parts);
    let closed = access.close(dir);
    let emptied = done.map_err(|error| {
        let hint = "the file is whole; `synthd campaign unarchive` brings back what went";
        error.on_open(dir).hint(hint)
    })?;
    closed.map(|()| emptied)
}

/// Removes some parts at a time. A part that has changed since it was copied stays, and so does everything if the
/// campaign goes on.
fn empty_parts(
    conn: &mut Connection,
    request: &ArchiveRequest<'_>,
    parts: &[PartToPrune],
) -> StoreResult<PruneCount> {
    let mut emptied = PruneCount::default();
    for some in parts.chunks(AT_ONCE) {
        let step = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = campaign(&step, request.campaign)?;
        if !found.is_some_and(|(_, state)| has_ended(&state)) {
            break;
        }
        for part in some {
            if part.is_as_it_was(&step)? {
                part.remove(&step, request.now_ms)?;
                emptied.add(part.bytes);
            }
        }
        step.commit()?;
    }
    Ok(emptied)
}

/// The error for an archive that cannot be made at its place.
fn unwritten(to: &Path, error: StoreError) -> Error {
    Error::new(Code::ArchiveUnusable, format!("the archive {} could not be written", to.display()))
        .with_source(error)
        .hint("choose a place with room for the campaign twice, where this user may write")
}

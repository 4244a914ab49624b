//! `synthd store restore`: makes a store usable again, from a backup or from what is left of the
//! store.
//!
//! The old database and its log are not deleted, but moved into the directory `replaced-TIME`. If the
//! backup has kept workspaces, those of the data directory are moved there too. The old high-water mark
//! is replaced. If it shows that money was spent and the restored store does
//! not contain it, that money is charged to its campaign with an adjustment. So a campaign does not
//! spend this money again.
//!
//! ```text
//! lock ─► copy beside ─► compare with the mark ─► charge ─► decide ─► put in place
//!                         └── records are missing, not accepted by the user: nothing changes
//! ```
//!
//! If the process is killed before the decision, nothing has changed. If it is killed later, every
//! start refuses the store until the command is repeated, which then does what is left
//! (`replacement`).

use crate::error::{Code, Error, Result};
use crate::store::accounting::adjust::{AdjustmentTrace, charge};
use crate::store::error::StoreError;
use crate::store::integrity::backup::{copy, workspaces_of};
use crate::store::integrity::check::{self, keep_log};
use crate::store::integrity::high_water_mark::HighWaterMark;
use crate::store::integrity::level::{MissingEntries, StoreLevel};
use crate::store::integrity::lock::DataDirLock;
use crate::store::integrity::replacement;
use crate::store::schema::{self, HIGH_WATER, MIGRATIONS};
use crate::store::{open, read};
use crate::workspaces::read_backup;
use rusqlite::Connection;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What the user asks for.
#[derive(Clone, Debug)]
pub struct RestoreRequest<'a> {
    pub data_dir: &'a Path,
    /// The backup to restore from. None means: from the database that is in the data directory.
    pub backup: Option<&'a Path>,
    /// Whether the kept workspaces of the backup take the place of those in the data directory.
    pub workspaces: bool,
    /// Whether the user accepts that records are missing. Then the missing money is charged.
    pub charge_missing: bool,
    /// Who restores, for the adjustments.
    pub who: &'a str,
    /// The present time in milliseconds since 1970, UTC. It is also part of the name of the
    /// directory that takes the old files.
    pub at_ms: i64,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    pub path: PathBuf,
    /// What the restored store lacks of the level in its mark. The missing money is charged.
    pub missing: Option<MissingEntries>,
    /// How many kept workspaces were restored. None if the backup has none, if they were not wanted,
    /// or if an earlier restore has begun to put them in place.
    pub workspaces: Option<u64>,
    /// The directory that holds the old files. None if there were no old files.
    pub aside: Option<PathBuf>,
    /// Whether there was a readable mark. Without one, nobody knows whether records are missing.
    pub compared: bool,
    /// An earlier restore was cut off, and this one only did what was left of it. Then nothing was
    /// compared, and no backup was read.
    pub finished_earlier: bool,
}

/// Puts a sound store into the data directory. Fails while another process has the directory, if
/// the backup cannot be used, or if records are missing and the user did not accept that. In these
/// cases nothing is changed. A restore that was cut off is finished instead.
pub fn restore(request: &RestoreRequest<'_>) -> Result<RestoreReport> {
    restore_until(request, usize::MAX)
}

/// Like [`restore`], but does only the first `most` steps after the decision. Tests give fewer than
/// there are.
pub(in crate::store) fn restore_until(
    request: &RestoreRequest<'_>,
    most: usize,
) -> Result<RestoreReport> {
    let dir = request.data_dir;
    let _lock = DataDirLock::take(dir)?;
    let finished_earlier = replacement::is_pending(dir);
    let built = if finished_earlier { RestoredCopy::default() } else { decide(request)? };
    let aside =
        replacement::finish(dir, request.at_ms, most).map_err(|error| error.on_open(dir))?;
    let RestoredCopy { missing, compared, workspaces } = built;
    let path = open::database(dir);
    Ok(RestoreReport { path, missing, workspaces, aside, compared, finished_earlier })
}

/// Makes the restored copy and decides the restore. Before the decision, an error or a kill changes
/// nothing.
fn decide(request: &RestoreRequest<'_>) -> Result<RestoredCopy> {
    let dir = request.data_dir;
    let spare = dir.join("synthd.db-restoring");
    let built = build(request, &spare).and_then(|built| {
        let workspaces = unpack_workspaces(request)?;
        let decided = replacement::decide(dir, &spare);
        let built = RestoredCopy { workspaces, ..built };
        decided.map(|()| built).map_err(|error| StoreError::from(error).on_open(dir))
    });
    if built.is_err() {
        std::fs::remove_file(&spare).ok();
        replacement::drop_workspaces(dir).ok();
    }
    built
}

/// Unpacks and verifies the kept workspaces of the backup beside those of the data directory. Returns
/// how many there are; none if the backup has no file of them, or if they are not wanted.
fn unpack_workspaces(request: &RestoreRequest<'_>) -> Result<Option<u64>> {
    let dir = request.data_dir;
    // A restore that was cut off before its decision may have left some.
    replacement::drop_workspaces(dir).map_err(|error| StoreError::from(error).on_open(dir))?;
    let wanted = request.backup.filter(|_| request.workspaces);
    let from = wanted.map(workspaces_of).filter(|file| file.exists());
    let Some(from) = from else { return Ok(None) };
    let unpacked = read_backup(&from, &replacement::restored_workspaces(dir));
    unpacked.map(Some).map_err(|error| unusable(&from, error.into()))
}

/// A copy that is checked, upgraded and ready to be renamed.
#[derive(Default)]
struct RestoredCopy {
    missing: Option<MissingEntries>,
    compared: bool,
    /// How many kept workspaces are ready beside it.
    workspaces: Option<u64>,
}

/// Copies the source to `spare`, checks the copy, upgrades it, compares it with the mark and
/// charges what is missing. Only `spare` is written.
fn build(request: &RestoreRequest<'_>, spare: &Path) -> Result<RestoredCopy> {
    let dir = request.data_dir;
    let mark = known(dir)?;
    let database = open::database(dir);
    let source = request.backup.unwrap_or(&database);
    let mut conn = copied(source, spare).map_err(|error| unusable(source, error))?;
    let version = schema::check(&conn, dir, MIGRATIONS.len())?;
    let failed = |error: StoreError| unusable(source, error);
    // What is left of a store may be an empty file if the mark shows what was lost. A backup is
    // never empty.
    if version == 0 && (request.backup.is_some() || mark.is_none()) {
        return Err(failed(StoreError::unreadable("it is empty")));
    }
    let damage = read::integrity(&conn).map_err(failed)?;
    if let Some(damage) = damage.into_iter().next() {
        return Err(failed(StoreError::unreadable(damage)));
    }
    schema::migrate(&mut conn, version, MIGRATIONS).map_err(failed)?;
    if let Some(damage) = check::sums(&conn).map_err(failed)?.into_iter().next() {
        return Err(failed(StoreError::unreadable(damage)));
    }
    let found = StoreLevel::read(&conn).map_err(failed)?;
    // A store gets its id with the schema that introduced the mark. A backup that is older than
    // this has no id to compare.
    if version >= HIGH_WATER && mark.as_ref().is_some_and(|m| m.level.store != found.store) {
        return Err(failed(StoreError::refused(
            "it is a backup of another store than the one here",
        )));
    }
    let missing = mark.as_ref().and_then(|mark| found.lacks(&mark.level));
    if let Some(missing) = missing.as_ref().filter(|_| !request.charge_missing) {
        return Err(not_accepted(dir, missing));
    }
    let known = mark.as_ref().map(|mark| &mark.level);
    go_on(&mut conn, request, known, missing.as_ref()).map_err(failed)?;
    conn.close().map_err(|(_, error)| failed(error.into()))?;
    Ok(RestoredCopy { missing, compared: mark.is_some(), workspaces: None })
}

/// The mark of the data directory, if it has one that is readable and not empty. A damaged mark
/// gives None, because there is nothing to compare with. Fails only if the file cannot be read.
fn known(dir: &Path) -> Result<Option<HighWaterMark>> {
    let mark = match HighWaterMark::read(dir) {
        Err(error) if error.code() == Code::StoreDamaged => None,
        read => read.map_err(|error| error.on_open(dir))?,
    };
    Ok(mark.filter(|mark| mark.level != StoreLevel::default()))
}

/// Copies the database file `source` to `spare`. The log of the source is read and stays as it is.
fn copied(source: &Path, spare: &Path) -> Result<Connection, StoreError> {
    if !source.is_file() {
        return Err(StoreError::unreadable("there is no such file"));
    }
    let from = open::reader(source)?;
    keep_log(&from, true)?;
    copy(&from, spare)
}

/// Charges the missing money. Then it raises the epoch and the counters of the sums above all that
/// the mark records, so that no id of a hold and no state of a sum is used twice.
fn go_on(
    conn: &mut Connection,
    request: &RestoreRequest<'_>,
    known: Option<&StoreLevel>,
    missing: Option<&MissingEntries>,
) -> Result<(), StoreError> {
    let step = conn.transaction()?;
    for sum in missing.into_iter().flat_map(|missing| &missing.campaigns) {
        let reason = format!(
            "lost with a part of the store: ${} were spent, ${} are in the restored store",
            sum.known_usd, sum.found_usd
        );
        let adjustment =
            AdjustmentTrace { reason: &reason, who: request.who, at_ms: request.at_ms };
        charge(&step, &sum.campaign, sum.missing_usd, &adjustment)?;
    }
    if let Some(known) = known {
        step.execute(
            "UPDATE store SET id = ?1, epoch = max(epoch, ?2) + 1",
            (known.store.as_slice(), known.epoch),
        )?;
        for sum in known.campaigns.values() {
            step.execute(
                "UPDATE ledger SET moves = max(moves, ?2) + 1
                 WHERE campaign = (SELECT key FROM campaign WHERE name = ?1)",
                (&sum.name, sum.moves),
            )?;
        }
    }
    Ok(step.commit()?)
}

/// The error for a source that cannot be restored.
fn unusable(source: &Path, error: StoreError) -> Error {
    let what = format!("{} cannot be restored", source.display());
    Error::new(Code::BackupUnusable, what)
        .with_source(error)
        .hint("nothing was changed; name a file that `synthd store backup` made of this store")
}

/// The error if records are missing and the user has not accepted that.
fn not_accepted(dir: &Path, missing: &MissingEntries) -> Error {
    let what = format!("after this restore {} would lack {missing}", dir.display());
    Error::new(Code::RestoreLacks, what).hint(
        "nothing was changed; with --charge-missing, the missing money counts as spent (`synthd \
         money list --adjustments` shows it), and the other records are lost",
    )
}

//! `synthd store backup`: a copy of a store in one file. Another process may write the store
//! meanwhile. The kept workspaces are in a second file, `FILE-workspaces`.
//!
//! Each file is made under another name (`FILE-partial`), checked, synced and then renamed, the copy
//! of the store last. So a file with the final name is always complete and sound. What has failed is
//! removed.

use crate::durable::sync_dir;
use crate::error::{Code, Error, Result};
use crate::store::error::StoreError;
use crate::store::integrity::level::StoreLevel;
use crate::store::integrity::verify::CampaignSum;
use crate::store::{integrity::check, open, read};
use crate::workspaces::{WorkspacesBackup, write_backup};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use serde::Serialize;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use synthd_actors::model::Money;

/// The pause between two tries while another connection locks the database.
const PAUSE: Duration = Duration::from_millis(10);

/// What the backup contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    pub path: PathBuf,
    pub bytes: u64,
    /// The sum of each campaign in the backup.
    pub campaigns: Vec<CampaignSum>,
    /// The newest row key of the attempts in the backup, and then those of the steps and of the
    /// calls.
    pub attempts: i64,
    pub steps: i64,
    pub calls: i64,
    /// The file with the kept workspaces. None if there are none, or if they were not wanted.
    pub workspaces: Option<WorkspacesBackup>,
}

/// Copies the store in `dir` to the new file `to`, and its kept workspaces to a file beside it. Fails
/// if one of the files exists, if the store has lost records, or if a copy is damaged.
pub fn backup(dir: &Path, to: &Path) -> Result<BackupReport> {
    backup_with(dir, to, true)
}

/// Like [`backup`], with or without the kept workspaces.
pub fn backup_with(dir: &Path, to: &Path, with_workspaces: bool) -> Result<BackupReport> {
    open::check_readable(dir)?;
    let workspaces = workspaces_of(to);
    if let Some(file) = [to, &workspaces].into_iter().find(|file| file.exists()) {
        let what = format!("{} exists already", file.display());
        return Err(Error::new(Code::BackupUnusable, what).hint("name a new file"));
    }
    let spares = [beside(to, "partial"), beside(&workspaces, "partial")];
    let kept = match with_workspaces {
        true => keep(dir, &spares[1], &workspaces).map_err(|error| unwritten(to, error.into())),
        false => Ok(None),
    };
    let made = kept.and_then(|kept| {
        let made = make(dir, &spares[0], to)?;
        Ok(BackupReport { workspaces: kept, ..made })
    });
    if made.is_err() {
        // The names of the spare files, and that of the workspaces, are this backup's own.
        spares.iter().chain([&workspaces]).for_each(|file| {
            std::fs::remove_file(file).ok();
        });
    }
    made
}

/// The file with the kept workspaces of a backup.
pub(in crate::store) fn workspaces_of(backup: &Path) -> PathBuf {
    beside(backup, "workspaces")
}

/// Writes the kept workspaces to `spare` and renames it to `to`.
fn keep(dir: &Path, spare: &Path, to: &Path) -> std::io::Result<Option<WorkspacesBackup>> {
    let Some(written) = write_backup(dir, spare)? else { return Ok(None) };
    std::fs::rename(spare, to)?;
    Ok(Some(WorkspacesBackup { path: to.to_owned(), ..written }))
}

/// The error for a backup that cannot be made at its place.
fn unwritten(to: &Path, error: StoreError) -> Error {
    let what = format!("the backup {} could not be written", to.display());
    Error::new(Code::BackupUnusable, what)
        .with_source(error)
        .hint("choose a place with enough room where this user may write")
}

/// Copies to `spare`, checks the copy and renames it to `to`. The caller removes `spare` after an
/// error.
fn make(dir: &Path, spare: &Path, to: &Path) -> Result<BackupReport> {
    let unwritten = |error: StoreError| unwritten(to, error);
    let from = open::reader(&open::database(dir)).map_err(|t| t.on_open(dir))?;
    let level = copied(&from, spare).map_err(unwritten)?;
    std::fs::rename(spare, to)
        .and_then(|()| sync_dir(open::parent(to)))
        .map_err(|e| unwritten(e.into()))?;
    let bytes = to.metadata().map_err(|e| unwritten(e.into()))?.len();
    let campaigns = level.campaigns.into_values().map(|sum| CampaignSum {
        campaign: sum.name,
        spent_usd: Money::from_nanos(sum.spent.unsigned_abs()),
    });
    Ok(BackupReport {
        path: to.to_owned(),
        bytes,
        campaigns: campaigns.collect(),
        attempts: level.keys.attempts,
        steps: level.keys.steps,
        calls: level.keys.calls,
        workspaces: None,
    })
}

/// Makes the copy, checks its pages and its sums, and syncs it. Returns the level of the copy.
fn copied(from: &Connection, spare: &Path) -> Result<StoreLevel, StoreError> {
    let new = copy(from, spare)?;
    let damage = [read::integrity(&new)?, check::sums(&new)?].concat();
    if let Some(damage) = damage.into_iter().next() {
        return Err(StoreError::unreadable(damage));
    }
    let level = StoreLevel::read(&new)?;
    new.close().map_err(|(_, error)| error)?;
    File::open(spare)?.sync_all()?;
    Ok(level)
}

/// Copies a database into the file `to`, which is replaced if it exists. The copy has no log beside
/// it: its journal mode is changed from WAL to DELETE. It can be read by its owner only.
pub(in crate::store) fn copy(from: &Connection, to: &Path) -> Result<Connection, StoreError> {
    std::fs::remove_file(to).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })?;
    let mut new = Connection::open(to)?;
    std::fs::set_permissions(to, Permissions::from_mode(0o600))?;
    Backup::new(from, &mut new)?.run_to_completion(i32::MAX, PAUSE, None)?;
    new.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    Ok(new)
}

/// The name of a file with `-ENDING` after it, such as `synthd.db-wal`.
pub(in crate::store) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-");
    name.push(ending);
    name.into()
}

//! A copy of a store in one file, made while the store may be written.

use super::error::StoreError;
use super::level::StoreLevel;
use super::verify::CampaignSum;
use super::{check, open, read};
use crate::durable::sync_dir;
use crate::error::{Code, Error, Result};
use rusqlite::Connection;
use rusqlite::backup::Backup;
use serde::Serialize;
use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use synthd_actors::model::Money;

/// Between tries, where another connection is in the way.
const PAUSE: Duration = Duration::from_millis(10);

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    pub path: PathBuf,
    pub bytes: u64,
    pub campaigns: Vec<CampaignSum>,
    pub attempts: i64,
    pub steps: i64,
    pub calls: i64,
}

/// Copies the store in `dir` to the new file `to`. A store that lacks something is refused.
pub fn backup(dir: &Path, to: &Path) -> Result<BackupReport> {
    open::check_readable(dir)?;
    if to.exists() {
        let what = format!("{} exists already", to.display());
        return Err(Error::new(Code::BackupUnusable, what).hint("name a new file"));
    }
    let spare = beside(to, "partial");
    let made = make(dir, &spare, to);
    if made.is_err() {
        std::fs::remove_file(&spare).ok();
    }
    made
}

fn make(dir: &Path, spare: &Path, to: &Path) -> Result<BackupReport> {
    let unwritten = |error: StoreError| {
        let what = format!("the backup {} could not be written", to.display());
        Error::new(Code::BackupUnusable, what)
            .with_source(error)
            .hint("choose a place with enough room where this user may write")
    };
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
    })
}

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

/// A copy of a database in the file `to`, in one piece: nothing stands beside it.
pub(super) fn copy(from: &Connection, to: &Path) -> Result<Connection, StoreError> {
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

/// A name beside that of a file.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-");
    name.push(ending);
    name.into()
}

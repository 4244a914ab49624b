//! Puts a restored copy in the place of a store, in steps. A kill after any of them leaves the old
//! store, the new one, or a directory that is refused until the other steps are done.
//!
//! ```text
//! workspaces of the backup ─► workspaces-restored/   if it has any
//! synthd.db-restoring  ─► synthd.db-restored    the restore is decided
//! log, index, database ─► synthd.db-replaced/   in this order
//! workspaces/          ─► synthd.db-replaced/   if there is a workspaces-restored/
//! synthd.db-replaced/  ─► replaced-TIME/
//! workspaces-restored/ ─► workspaces/
//! the new mark takes the place of the old one
//! synthd.db-restored   ─► synthd.db             the restore is done
//! ```
//!
//! While `synthd.db-restored` is there, nothing opens the store ([`refuse_pending`]), because the
//! files around it may be of two stores. Each step finds out what is left to do, so the next
//! `synthd store restore` does all of them again ([`finish`]).

use crate::durable::sync_dir;
use crate::error::{Code, Error, Result};
use crate::store::error::StoreError;
use crate::store::integrity::backup::beside;
use crate::store::integrity::high_water_mark::MarkFile;
use crate::store::integrity::level::StoreLevel;
use crate::store::open;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The path of a restored copy that is complete, on the disk and not yet in its place.
fn restored(dir: &Path) -> PathBuf {
    beside(&open::database(dir), "restored")
}

/// The directory that takes the old files, until it gets its final name.
fn replaced(dir: &Path) -> PathBuf {
    beside(&open::database(dir), "replaced")
}

/// The directory with the restored workspaces, until they are in their place. It is used only if the
/// restore is decided.
pub(super) fn restored_workspaces(dir: &Path) -> PathBuf {
    dir.join("workspaces-restored")
}

/// Removes restored workspaces of a restore that was not decided.
pub(super) fn drop_workspaces(dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(restored_workspaces(dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Whether a restore was decided and is not done.
pub(super) fn is_pending(dir: &Path) -> bool {
    restored(dir).exists()
}

/// Fails if a restore was decided and is not done.
pub(in crate::store) fn refuse_pending(dir: &Path) -> Result<()> {
    if !is_pending(dir) {
        return Ok(());
    }
    let what = format!("a restore of the store in {} was cut off", dir.display());
    Err(Error::new(Code::StoreIncomplete, what).hint(format!(
        "`synthd store restore --data-dir {}` finishes it; nothing is lost",
        dir.display()
    )))
}

/// Decides the restore: the file `spare` is the restored copy. It is synced before it gets its new
/// name, and the name is on the disk before anything else is changed.
pub(super) fn decide(dir: &Path, spare: &Path) -> io::Result<()> {
    File::open(spare)?.sync_all()?;
    std::fs::rename(spare, restored(dir))?;
    sync_dir(dir)
}

/// Does the first `most` steps of a decided restore; there are fewer than ten. Returns the directory
/// with the old files, or none if an earlier call moved them or there were none.
pub(super) fn finish(dir: &Path, at_ms: i64, most: usize) -> Result<Option<PathBuf>, StoreError> {
    let mut replacement = StoreReplacement { dir, at_ms, aside: None };
    for step in STEPS.iter().take(most) {
        step(&mut replacement)?;
    }
    Ok(replacement.aside)
}

/// One step. It may be repeated.
type ReplacementStep = fn(&mut StoreReplacement<'_>) -> Result<(), StoreError>;

/// All steps after the decision, in their order. The log is moved before the database, so that a
/// log is never left beside the restored database.
const STEPS: [ReplacementStep; 8] = [
    |at| at.move_away(&beside(&open::database(at.dir), "wal")),
    |at| at.move_away(&beside(&open::database(at.dir), "shm")),
    |at| at.move_away(&open::database(at.dir)),
    |at| at.move_workspaces_away(),
    |at| at.name_replaced(),
    |at| at.put_workspaces_in_place(),
    |at| at.renew_mark(),
    |at| at.put_in_place(),
];

/// A decided restore in the data directory `dir`.
struct StoreReplacement<'a> {
    dir: &'a Path,
    /// Milliseconds since 1970, UTC, for the name of the directory with the old files.
    at_ms: i64,
    /// The directory with the old files, under its final name.
    aside: Option<PathBuf>,
}

impl StoreReplacement<'_> {
    /// Moves an old file away, if it is still there.
    fn move_away(&mut self, file: &Path) -> Result<(), StoreError> {
        let (true, Some(name)) = (file.exists(), file.file_name()) else { return Ok(()) };
        let replaced = replaced(self.dir);
        std::fs::create_dir_all(&replaced)?;
        std::fs::rename(file, replaced.join(name))?;
        sync_dir(&replaced)?;
        Ok(sync_dir(self.dir)?)
    }

    /// Moves the old kept workspaces away, if there are restored ones.
    fn move_workspaces_away(&mut self) -> Result<(), StoreError> {
        match restored_workspaces(self.dir).exists() {
            true => self.move_away(&self.dir.join("workspaces")),
            false => Ok(()),
        }
    }

    /// Gives the restored workspaces their name, if there are any.
    fn put_workspaces_in_place(&mut self) -> Result<(), StoreError> {
        let restored = restored_workspaces(self.dir);
        if restored.exists() {
            std::fs::rename(restored, self.dir.join("workspaces"))?;
            sync_dir(self.dir)?;
        }
        Ok(())
    }

    /// Gives the directory with the old files its final name, which no other directory has.
    fn name_replaced(&mut self) -> Result<(), StoreError> {
        let replaced = replaced(self.dir);
        if !replaced.exists() {
            return Ok(());
        }
        let named = |ending: String| self.dir.join(format!("replaced-{}{ending}", self.at_ms));
        let names = std::iter::once(String::new()).chain((2..).map(|n: u64| format!("-{n}")));
        let free = names.map(named).find(|name| !name.exists());
        let aside = free.ok_or_else(|| StoreError::refused("no name is free for the old files"))?;
        std::fs::rename(replaced, &aside)?;
        sync_dir(self.dir)?;
        self.aside = Some(aside);
        Ok(())
    }

    /// Replaces the mark by one with the level of the restored copy.
    fn renew_mark(&mut self) -> Result<(), StoreError> {
        let level = StoreLevel::read(&open::reader(&restored(self.dir))?)?;
        MarkFile::replace(self.dir, &level)
    }

    /// Gives the copy the name of the database.
    fn put_in_place(&mut self) -> Result<(), StoreError> {
        std::fs::rename(restored(self.dir), open::database(self.dir))?;
        Ok(sync_dir(self.dir)?)
    }
}

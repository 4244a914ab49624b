//! One process per data directory. The kernel keeps the lock, so a killed process leaves none
//! behind. The directory itself is locked: deleting the file `synthd.lock` frees nothing.
//! That file tells the next one whom to ask, and is locked too, for versions that know only it.

use super::error::StoreError;
use crate::durable::create_dir;
use crate::error::{Code, Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const LOCK_FILE: &str = "synthd.lock";

/// Holds the data directory until it is dropped.
#[derive(Debug)]
pub(super) struct DataDirLock {
    file: File,
    directory: File,
}

impl Drop for DataDirLock {
    /// Closing would not do: a child that is just being started shares the open file until
    /// it becomes another program.
    fn drop(&mut self) {
        for locked in [&self.file, &self.directory] {
            if let Err(error) = locked.unlock() {
                tracing::warn!(%error, "the data directory was not unlocked");
            }
        }
    }
}

impl DataDirLock {
    /// Takes the directory, which is created where it is missing.
    pub(super) fn take(dir: &Path) -> Result<Self> {
        let failed = |e: io::Error| StoreError::from(e).on_open(dir);
        create_dir(dir, 0o700).map_err(failed)?;
        let directory = File::open(dir).map_err(failed)?;
        lock(dir, &directory)?;
        let mut file = open(dir).map_err(|error| unopened(dir, error))?;
        lock_file(dir, &file)?;
        write_pid(&mut file).map_err(failed)?;
        Ok(Self { file, directory })
    }
}

fn lock(dir: &Path, what: &File) -> Result<()> {
    match what.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(in_use(dir)),
        Err(TryLockError::Error(e)) => Err(StoreError::from(e).on_open(dir)),
    }
}

/// Nobody else locks the directory now. The file may be locked by a version that knows only it, or
/// for a moment by somebody who looks (`is_held`). Only the latter is waited for.
fn lock_file(dir: &Path, file: &File) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => match file.try_lock_shared() {
            Ok(()) => file.lock().map_err(|e| StoreError::from(e).on_open(dir)),
            Err(_) => Err(in_use(dir)),
        },
        Err(TryLockError::Error(e)) => Err(StoreError::from(e).on_open(dir)),
        Ok(()) => Ok(()),
    }
}

/// Whether a process has the data directory. It is asked of the file, so that nobody who takes the
/// directory at this moment is refused. Where that cannot be found out, somebody may have it.
pub fn is_held(dir: &Path) -> bool {
    let asked = match File::open(dir.join(LOCK_FILE)) {
        Ok(file) => Ok(file),
        // Somebody deleted it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(dir),
        Err(error) => Err(error),
    };
    let Ok(asked) = asked else { return true };
    match asked.try_lock_shared() {
        // Closing would do, but for a child that is just being started.
        Ok(()) => asked.unlock().is_err(),
        Err(_) => true,
    }
}

// Never truncated on opening: the pid in it may be another's.
fn open(dir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(LOCK_FILE))
}

/// The file of the lock stands in the way, or the directory takes no file.
fn unopened(dir: &Path, error: io::Error) -> Error {
    let error = StoreError::from(error);
    let shown = dir.join(LOCK_FILE);
    // Without the file, it is the directory that refuses.
    if shown.symlink_metadata().is_err() {
        return error.on_open(dir);
    }
    let what = format!("the lock file {} cannot be opened for writing", shown.display());
    let hint = "if no synthd uses the data directory, delete the file; otherwise run synthd as \
                the owner of the file, or choose another place with --data-dir";
    Error::new(error.code(), what).hint(hint).with_source(error)
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn in_use(dir: &Path) -> Error {
    let holder = match holder(dir) {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    };
    let shown = dir.display();
    Error::new(Code::DataDirInUse, format!("{shown} is in use by {holder}")).hint(format!(
        "use it with `synthd status --data-dir {shown}`, wait until it ends, or choose another \
         place with --data-dir",
    ))
}

/// The process that has the data directory, or had it last.
pub fn holder(dir: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(dir.join(LOCK_FILE)).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

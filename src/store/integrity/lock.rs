//! The lock of a data directory: one process at a time may write its store. The kernel keeps the
//! lock (`flock`), so a killed process leaves no lock behind.
//!
//! The directory itself is locked, so nobody can free it by deleting the file `synthd.lock`. The
//! file holds the process id of the owner in decimal, such as `4711`, for the message to the next
//! process. The file is locked too, because older versions of synthd lock only the file.

use crate::durable::create_dir;
use crate::error::{Code, Error, Result};
use crate::store::error::StoreError;
use nix::unistd::{AccessFlags, access};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The name of the lock file in the data directory.
const LOCK_FILE: &str = "synthd.lock";

/// Holds the data directory until it is dropped.
#[derive(Debug)]
pub(in crate::store) struct DataDirLock {
    /// The locked file `synthd.lock`.
    file: File,
    /// The locked directory.
    directory: File,
}

impl Drop for DataDirLock {
    /// Unlocks explicitly. Closing the files is not enough: a child process that is being started
    /// shares them until it executes its program.
    fn drop(&mut self) {
        for locked in [&self.file, &self.directory] {
            if let Err(error) = locked.unlock() {
                tracing::warn!(%error, "the data directory was not unlocked");
            }
        }
    }
}

impl DataDirLock {
    /// Locks the directory and writes this process id into the lock file. A missing directory is
    /// created, for its owner only. Fails with `DataDirInUse` if another process has the directory.
    pub(in crate::store) fn take(dir: &Path) -> Result<Self> {
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

/// Locks the directory. Does not wait.
fn lock(dir: &Path, what: &File) -> Result<()> {
    match what.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(in_use(dir)),
        Err(TryLockError::Error(e)) => Err(StoreError::from(e).on_open(dir)),
    }
}

/// Locks the lock file. This process has locked the directory before, so only two others can hold
/// the file: an older version that locks only the file, and a process that looks at it for a moment
/// in [`is_held`]. That process holds a shared lock, so a second shared lock succeeds, and only
/// then does this function wait.
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

/// Whether a process has the data directory. The question is asked of the lock file, not of the
/// directory, so that a process that takes the directory at this moment is not refused. If the
/// answer cannot be found out, it is true.
pub fn is_held(dir: &Path) -> bool {
    let asked = match File::open(dir.join(LOCK_FILE)) {
        Ok(file) => Ok(file),
        // Somebody deleted the lock file. The directory is still locked.
        Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(dir),
        Err(error) => Err(error),
    };
    let Ok(asked) = asked else { return true };
    match asked.try_lock_shared() {
        // Closing the file is not enough if a child process is being started. See `drop` above.
        Ok(()) => asked.unlock().is_err(),
        Err(_) => true,
    }
}

/// Fails if a start could not take the directory: another process has it, or this user may not write
/// to it, or may not make it. Changes nothing.
pub(in crate::store) fn check_free(dir: &Path) -> Result<()> {
    let failed = |e: io::Error| StoreError::from(e).on_open(dir);
    let found = nearest(dir);
    // A file is no directory, and neither can hold one.
    std::fs::read_dir(found).map_err(failed)?;
    access(found, AccessFlags::W_OK | AccessFlags::X_OK).map_err(|e| failed(e.into()))?;
    if found == dir && is_held(dir) { Err(in_use(dir)) } else { Ok(()) }
}

/// The directory itself, or the nearest one above it that exists.
fn nearest(dir: &Path) -> &Path {
    let named = dir.ancestors().filter(|path| !path.as_os_str().is_empty());
    named.into_iter().find(|path| path.symlink_metadata().is_ok()).unwrap_or(Path::new("."))
}

// The file is not truncated on opening: it may hold the process id of another owner.
fn open(dir: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(LOCK_FILE))
}

/// The error if the lock file cannot be opened. Either the file belongs to another user, or the
/// directory does not take a new file.
fn unopened(dir: &Path, error: io::Error) -> Error {
    let error = StoreError::from(error);
    let shown = dir.join(LOCK_FILE);
    // The file does not exist, so the directory refused to create it.
    if shown.symlink_metadata().is_err() {
        return error.on_open(dir);
    }
    let what = format!("the lock file {} cannot be opened for writing", shown.display());
    let hint = "if no synthd uses the data directory, delete the file; otherwise run synthd as \
                the owner of the file, or choose another place with --data-dir";
    Error::new(error.code(), what).hint(hint).with_source(error)
}

/// Replaces the content of the lock file by the id of this process.
fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The error for a directory that another process has. It names that process if it is known.
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

/// The process id in the lock file: the process that has the data directory, or had it last. None
/// if there is no such file or no number in it.
pub fn holder(dir: &Path) -> Option<u32> {
    let mut text = String::new();
    File::open(dir.join(LOCK_FILE)).ok()?.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

//! One process per data directory. The kernel keeps the lock, so a killed process leaves
//! none behind; the file only tells the next one whom to ask.

use super::trouble::Trouble;
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
}

impl Drop for DataDirLock {
    /// Closing would not do: a child that is just being started shares the open file until
    /// it becomes another program.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "the data directory was not unlocked");
        }
    }
}

impl DataDirLock {
    /// Takes the directory, which is created where it is missing.
    pub(super) fn take(dir: &Path) -> Result<Self> {
        create_dir(dir, 0o700).map_err(|e| Trouble::from(e).on_open(dir))?;
        let mut file = open(dir).map_err(|e| Trouble::from(e).on_open(dir))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(in_use(dir, &mut file)),
            Err(TryLockError::Error(e)) => return Err(Trouble::from(e).on_open(dir)),
        }
        write_pid(&mut file).map_err(|e| Trouble::from(e).on_open(dir))?;
        Ok(Self { file })
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

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn in_use(dir: &Path, file: &mut File) -> Error {
    let holder = match read_pid(file) {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    };
    let shown = dir.display();
    Error::new(Code::DataDirInUse, format!("{shown} is in use by {holder}")).hint(format!(
        "talk to it with `synthd status --data-dir {shown}`, wait until it ends, or choose \
         another place with --data-dir",
    ))
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

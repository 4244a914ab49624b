//! Directories that survive a power cut.
//!
//! A new directory is an entry in its parent. The entry is safe on the disk only after the parent
//! was synced (`fsync`). The functions here do that. The store and the datasets use them before
//! they write files whose loss would be noticed.

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use synthd_actors::supervisor::assert_may_block;

/// Creates a directory and its missing parents, and syncs each new entry to the disk. `mode` is the
/// permission mode of the last directory only; the parents get `0o777` less the umask. A directory
/// that exists already is no error, and its mode is not changed. After an error, some of the
/// parents may exist.
pub(crate) fn create_dir(dir: &Path, mode: u32) -> io::Result<()> {
    assert_may_block("create a directory");
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|p| *p != Path::new(OsStr::new("")));
    if let Some(parent) = parent {
        create_dir(parent, 0o777)?;
    }
    match DirBuilder::new().mode(mode).create(dir) {
        // Another process may create the same directory between the check above and this call.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        outcome => outcome?,
    }
    sync_dir(parent.unwrap_or(Path::new(".")))
}

/// Syncs the entries of a directory (new, renamed and removed names) to the disk. The content of
/// the files is not synced here; whoever writes a file syncs it.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    assert_may_block("sync a directory");
    File::open(dir)?.sync_all()
}

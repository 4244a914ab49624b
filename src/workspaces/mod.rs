//! The final workspaces of finished episodes, kept so that they can be judged again.
//!
//! ```text
//! <data directory>/workspaces/<episode>-<attempt>.zst      one file for each, see `codec`
//! ```
//! A file is whole or not there: it is written under another name and then renamed. Nothing is synced
//! to the disk, because nothing depends on a kept workspace: one that is lost cannot be judged again.
//! A backup of the store has them in a file beside it, see `backup_file`.
//!
//! All files together have at most `MOST_BYTES`; the oldest ones are removed first. A user may
//! remove each of them, or the whole directory, at any time.

mod backup_file;
mod codec;

pub use backup_file::WorkspacesBackup;
pub(crate) use backup_file::{read_backup, write_backup};

use async_trait::async_trait;
use std::fs::{DirBuilder, File};
use std::io::{BufReader, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use std::{fs, io};
use synthd_actors::model::{AttemptNumber, EpisodeId, WorkspaceCopy};
use synthd_actors::ports::{StoreFault, WorkspaceArchive};
use synthd_actors::supervisor::assert_may_block;

/// The most bytes of all kept workspaces of a data directory.
const MOST_BYTES: u64 = 2 << 30;

/// The kept workspaces of a data directory.
pub struct WorkspaceFiles(Arc<WorkspaceDirectory>);

impl WorkspaceFiles {
    /// Nothing is made before the first workspace is kept.
    pub fn new(data_dir: &Path) -> Self {
        Self(Arc::new(WorkspaceDirectory::new(data_dir, MOST_BYTES)))
    }

    /// The workspace that an attempt left. None if it was not kept, or has been removed.
    pub fn read(
        &self,
        episode: &EpisodeId,
        attempt: AttemptNumber,
    ) -> io::Result<Option<WorkspaceCopy>> {
        self.0.read(&file_name(episode, attempt))
    }
}

#[async_trait]
impl WorkspaceArchive for WorkspaceFiles {
    async fn keep(
        &self,
        episode: &EpisodeId,
        attempt: AttemptNumber,
        copy: Arc<WorkspaceCopy>,
    ) -> Result<(), StoreFault> {
        let (directory, name) = (self.0.clone(), file_name(episode, attempt));
        let written = tokio::task::spawn_blocking(move || directory.write(&name, &copy)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| StoreFault::new("keep a workspace", error.to_string()))
    }
}

/// The name of the file of an attempt.
fn file_name(episode: &EpisodeId, attempt: AttemptNumber) -> String {
    format!("{episode}-{attempt}.zst")
}

/// A file that is there: when it was written, its size and its path.
type KeptFile = (SystemTime, u64, PathBuf);

/// The directory with its bound.
struct WorkspaceDirectory {
    path: PathBuf,
    most_bytes: u64,
    /// The bytes of all files. None before they were counted.
    used: Mutex<Option<u64>>,
}

impl WorkspaceDirectory {
    fn new(data_dir: &Path, most_bytes: u64) -> Self {
        Self { path: data_dir.join("workspaces"), most_bytes, used: Mutex::new(None) }
    }

    fn read(&self, name: &str) -> io::Result<Option<WorkspaceCopy>> {
        assert_may_block("read a workspace");
        match File::open(self.path.join(name)) {
            Ok(file) => codec::read(BufReader::new(file)).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a file, and removes old ones if there are too many bytes.
    fn write(&self, name: &str, copy: &WorkspaceCopy) -> io::Result<()> {
        assert_may_block("write a workspace");
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        let unfinished = self.path.join(format!("{name}.tmp"));
        let written = File::create(&unfinished).and_then(|file| codec::write(file, copy));
        let kept = written.and_then(|()| fs::rename(&unfinished, self.path.join(name)));
        if kept.is_err() {
            fs::remove_file(&unfinished).ok();
        }
        kept?;
        self.count(fs::metadata(self.path.join(name))?.len())
    }

    /// Counts the bytes of a new file.
    fn count(&self, added: u64) -> io::Result<()> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let total = match *used {
            Some(before) => before.saturating_add(added),
            None => self.files()?.iter().map(|(_, size, _)| size).sum(),
        };
        *used = Some(if total > self.most_bytes { self.shrink()? } else { total });
        Ok(())
    }

    /// Removes the oldest files until a tenth of the room is free. Returns the bytes that are left.
    fn shrink(&self) -> io::Result<u64> {
        let mut files = self.files()?;
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in files {
            if total <= self.most_bytes / 10 * 9 {
                break;
            }
            fs::remove_file(path)?;
            total -= size;
        }
        Ok(total)
    }

    fn files(&self) -> io::Result<Vec<KeptFile>> {
        let entries = fs::read_dir(&self.path)?;
        let described = entries.map(|entry| {
            let entry = entry?;
            let facts = entry.metadata()?;
            Ok((facts.modified()?, facts.len(), entry.path()))
        });
        described.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use synthd_actors::model::{FileSegment, TreeEntry, TreeEntryKind};
    use tempfile::tempdir;

    /// A workspace with one file of bytes that hardly shrink.
    fn workspace(seed: u64) -> WorkspaceCopy {
        let mut state = seed;
        let noise = (0..4_096).map(|_| {
            state =
                state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
            (state >> 56) as u8
        });
        let content = vec![FileSegment::Bytes(noise.collect())];
        let kind = TreeEntryKind::File { mode: 0o644, content };
        let entries = vec![TreeEntry { path: "noise".to_owned(), kind }];
        WorkspaceCopy { entries, ..WorkspaceCopy::default() }
    }

    #[test]
    fn what_is_kept_is_read_again_and_what_is_not_there_is_none() {
        let dir = tempdir().unwrap();
        let kept = WorkspaceDirectory::new(dir.path(), MOST_BYTES);
        assert_eq!(kept.read("a").unwrap(), None);
        kept.write("a", &workspace(1)).unwrap();
        assert_eq!(kept.read("a").unwrap(), Some(workspace(1)));
        assert_eq!(kept.files().unwrap().len(), 1, "no unfinished file is left");
    }

    #[test]
    fn the_oldest_go_when_there_is_no_more_room() {
        let dir = tempdir().unwrap();
        let kept = WorkspaceDirectory::new(dir.path(), 20_000);
        for at in 0..6_u64 {
            let name = at.to_string();
            kept.write(&name, &workspace(at)).unwrap();
            // Older than the next one, however fast this test is.
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(at);
            let file = File::options().append(true).open(kept.path.join(&name));
            file.unwrap().set_modified(time).unwrap();
        }
        let total: u64 = kept.files().unwrap().iter().map(|(_, size, _)| size).sum();
        assert!(total <= 20_000, "{total}");
        assert_eq!(kept.read("0").unwrap(), None);
        assert!(kept.read("5").unwrap().is_some(), "the newest stays");
    }
}

//! The final workspaces of finished episodes, kept so that they can be judged again.
//!
//! ```text
//! <data directory>/workspaces/<episode>-<attempt>.zst      one file for each, see `codec`
//! ```
//! A file is whole or not there: it is written under another name (`….tmp`) and then renamed. A process
//! that was killed in between leaves such a file. The next one removes it with its own first workspace;
//! one data directory has one engine at a time. Nothing is synced to the disk, because nothing depends
//! on a kept workspace: one that is lost cannot be judged again. A backup of the store has them in a
//! file beside it, see `backup_file`.
//!
//! All files together have at most `MOST_BYTES`; the oldest ones are removed first. A user may remove
//! each of them, or the whole directory, at any time.

mod backup_file;
pub(crate) mod codec;
mod kept_list;

pub use backup_file::WorkspacesBackup;
pub(crate) use backup_file::{read_backup, write_backup};
pub(crate) use kept_list::{KeptWorkspace, kept_workspaces};

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

/// The end of the name of a file that is being written.
const UNFINISHED: &str = "tmp";

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
        self.begin()?;
        let unfinished = self.path.join(format!("{name}.{UNFINISHED}"));
        let written = File::create(&unfinished).and_then(|file| codec::write(file, copy));
        let kept = written.and_then(|()| fs::rename(&unfinished, self.path.join(name)));
        if kept.is_err() {
            fs::remove_file(&unfinished).ok();
        }
        kept?;
        self.count(bytes_of(&self.path.join(name))?)
    }

    /// Before the first file of this process: removes what a killed one has not finished, and counts
    /// the bytes of the others.
    fn begin(&self) -> io::Result<()> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.is_none() {
            let (unfinished, files): (Vec<KeptFile>, _) =
                self.files()?.into_iter().partition(|(_, _, path)| is_unfinished(path));
            for (_, _, path) in unfinished {
                remove(&path)?;
            }
            *used = Some(total(&files));
        }
        Ok(())
    }

    /// Counts the bytes of a new file.
    fn count(&self, added: u64) -> io::Result<()> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let total = used.unwrap_or_default().saturating_add(added);
        *used = Some(if total > self.most_bytes { self.shrink()? } else { total });
        Ok(())
    }

    /// Removes the oldest files until a tenth of the room is free. Returns the bytes that are left.
    fn shrink(&self) -> io::Result<u64> {
        let mut files = self.files()?;
        // Those that are being written have no end yet, and are counted when they have one.
        files.retain(|(_, _, path)| !is_unfinished(path));
        files.sort();
        let mut total = total(&files);
        for (_, size, path) in files {
            if total <= self.most_bytes / 10 * 9 {
                break;
            }
            remove(&path)?;
            total -= size;
        }
        Ok(total)
    }

    /// All files that are there. One that somebody removes meanwhile is left out.
    fn files(&self) -> io::Result<Vec<KeptFile>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(facts) => files.push((facts.modified()?, facts.len(), entry.path())),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(files)
    }
}

fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == UNFINISHED)
}

/// The bytes of all files.
fn total(files: &[KeptFile]) -> u64 {
    files.iter().map(|(_, size, _)| size).sum()
}

/// The bytes of a file; none if somebody has removed it.
fn bytes_of(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        facts => Ok(facts?.len()),
    }
}

/// Removes a file. Somebody else may have done so.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
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

    /// A process that was killed in the middle leaves an unfinished file. It counts for nothing, and
    /// the next process removes it.
    #[test]
    fn what_a_killed_process_has_not_finished_goes() {
        let dir = tempdir().unwrap();
        let kept = WorkspaceDirectory::new(dir.path(), 20_000);
        kept.write("a", &workspace(1)).unwrap();
        let left = kept.path.join("killed.zst.tmp");
        fs::write(&left, vec![0; 50_000]).unwrap();
        kept.write("b", &workspace(2)).unwrap();
        assert!(left.exists(), "it may be one of this process");
        let next = WorkspaceDirectory::new(dir.path(), 20_000);
        next.write("c", &workspace(3)).unwrap();
        assert!(!left.exists());
        for name in ["a", "b", "c"] {
            assert!(next.read(name).unwrap().is_some(), "{name}");
        }
    }

    /// A file that is being written is as old as any, and no one but its writer may remove it.
    #[test]
    fn an_unfinished_file_is_not_removed_for_room() {
        let dir = tempdir().unwrap();
        let kept = WorkspaceDirectory::new(dir.path(), 10_000);
        kept.write("a", &workspace(1)).unwrap();
        let unfinished = kept.path.join("0.tmp");
        fs::write(&unfinished, "").unwrap();
        for (path, seconds) in [(&unfinished, 0), (&kept.path.join("a"), 1)] {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let file = File::options().append(true).open(path).unwrap();
            file.set_modified(time).unwrap();
        }
        kept.write("b", &workspace(2)).unwrap();
        kept.write("c", &workspace(3)).unwrap();
        assert!(unfinished.exists());
        assert_eq!(kept.read("a").unwrap(), None, "there was no room");
    }

    #[test]
    fn a_file_that_somebody_removed_is_no_error() {
        let dir = tempdir().unwrap();
        let gone = dir.path().join("gone");
        assert_eq!(bytes_of(&gone).unwrap(), 0);
        remove(&gone).unwrap();
    }
}

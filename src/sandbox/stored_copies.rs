//! Copies of workspaces that wait for their checks: on the disk, so that checks that take long, or hang,
//! keep no memory from other copies. A small copy stays in memory.
//!
//! ```text
//!  received ──store──► a file without a name, compressed ──load──► in memory, as long as it is laid
//! ```
//! A file loses its name as soon as it is open. So it is gone with its last owner, also when the engine
//! is killed. If it cannot be written, the copy stays in the bounded memory.

use super::guest::{memory_of, reserve_copy};
use crate::private_directory::own_directory;
use crate::workspaces::codec;
use async_trait::async_trait;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use synthd_actors::model::{Fault, FaultKind, MemoryReservation, WorkspaceCopy};
use synthd_actors::ports::{CopyInMemory, StoredCopy};
use synthd_actors::supervisor::assert_may_block;

/// Bytes of the largest copy that stays in memory, beside the bound of all copies. There are as many
/// as verifications and measurements at once.
const SMALL: u64 = 256 << 10;

/// Where the files are made.
pub(super) struct CopyDirectory {
    path: PathBuf,
    /// For names that no other file has.
    made: AtomicU64,
}

impl CopyDirectory {
    /// Nothing is made before the first large copy.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), made: AtomicU64::new(0) }
    }

    /// Takes a copy out of the bounded memory.
    pub(super) async fn store(&self, copy: Arc<WorkspaceCopy>) -> Arc<dyn StoredCopy> {
        let size = memory_of(&copy);
        if size <= SMALL {
            let small =
                WorkspaceCopy { room: MemoryReservation::default(), ..Arc::unwrap_or_clone(copy) };
            return Arc::new(CopyInMemory(Arc::new(small)));
        }
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(format!("copy-{}-{number}.tmp", process::id()));
        let written = copy.clone();
        let written = tokio::task::spawn_blocking(move || write(&path, &written)).await;
        match written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(file) => Arc::new(CopyFile { file: Arc::new(file), size }),
            Err(error) => {
                tracing::warn!(%error, "a copy of a workspace stays in memory");
                Arc::new(CopyInMemory(copy))
            }
        }
    }
}

/// Writes a copy into a file that has no name any more.
fn write(path: &Path, copy: &WorkspaceCopy) -> io::Result<File> {
    assert_may_block("store a copy of a workspace");
    if let Some(directory) = path.parent() {
        own_directory(directory)?;
    }
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(path)?;
    fs::remove_file(path)?;
    codec::write(&file, copy)?;
    Ok(file)
}

/// A copy in a file.
struct CopyFile {
    file: Arc<File>,
    /// Bytes that it takes in memory.
    size: u64,
}

#[async_trait]
impl StoredCopy for CopyFile {
    async fn load(&self) -> Result<Arc<WorkspaceCopy>, Fault> {
        let room = reserve_copy(self.size).await;
        let reader = PlacedReader { file: self.file.clone(), at: 0 };
        let read = tokio::task::spawn_blocking(move || codec::read(reader)).await;
        let read = read.unwrap_or_else(|error| Err(io::Error::other(error)));
        let lost = |error: io::Error| {
            let what = format!("a stored copy of a workspace cannot be read: {error}");
            Fault::new(FaultKind::SandboxLost, what)
        };
        Ok(Arc::new(WorkspaceCopy { room, ..read.map_err(lost)? }))
    }
}

/// Reads a file from its own place, whoever else reads the same file.
struct PlacedReader {
    file: Arc<File>,
    at: u64,
}

impl Read for PlacedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::guest::COPY_MEMORY;
    use synthd_actors::model::{FileSegment, TreeEntry, TreeEntryKind};
    use tempfile::tempdir;

    /// A copy of so many bytes, which holds nothing of the memory of all copies.
    fn copy(bytes: usize) -> Arc<WorkspaceCopy> {
        let content = vec![FileSegment::Bytes(vec![7; bytes]), FileSegment::Hole(1 << 40)];
        let kind = TreeEntryKind::File { mode: 0o4755, content };
        let entries = vec![TreeEntry { path: "file".to_owned(), kind }];
        Arc::new(WorkspaceCopy { entries, skipped: 2, ..WorkspaceCopy::default() })
    }

    /// The same copy as it comes from a sandbox.
    async fn received(bytes: usize) -> Arc<WorkspaceCopy> {
        let copy = copy(bytes);
        let room = reserve_copy(memory_of(&copy)).await;
        Arc::new(WorkspaceCopy { room, ..Arc::unwrap_or_clone(copy) })
    }

    /// Copies that wait for checks without end leave the memory to others, whether they are in files
    /// or not. The last one needs all of it.
    #[tokio::test]
    async fn copies_that_wait_hold_no_memory() {
        let place = tempdir().unwrap();
        let copies = CopyDirectory::new(&place.path().join("guest"));
        let mut waiting = Vec::new();
        for bytes in [10, 1 << 10, 1 << 20, 8 << 20] {
            waiting.push((bytes, copies.store(received(bytes).await).await));
        }
        drop(reserve_copy(COPY_MEMORY).await);
        for (bytes, stored) in waiting {
            // Two readers at once do not disturb each other.
            let (first, second) = tokio::join!(stored.load(), stored.load());
            let expected = copy(bytes);
            assert_eq!(first.unwrap(), expected, "{bytes}");
            assert_eq!(second.unwrap(), expected, "{bytes}");
        }
        drop(reserve_copy(COPY_MEMORY).await);
        let left = fs::read_dir(place.path().join("guest")).unwrap().count();
        assert_eq!(left, 0, "no file has a name");
    }

    #[tokio::test]
    async fn a_copy_that_cannot_be_written_stays_in_memory() {
        let place = tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let copies = CopyDirectory::new(&file);
        let stored = copies.store(received(1 << 20).await).await;
        assert_eq!(stored.load().await.unwrap(), copy(1 << 20));
    }
}

//! Lists a directory for the agent: the first entries in the order of their paths.
//!
//! Programs may fill the tree without end, or change it meanwhile. So the number of entries that
//! are looked at, the depth, and the memory for the list have limits. Links are not followed, and
//! what cannot be read is left out. File systems of the kernel are not entered.

use crate::files::MAX_DEPTH;
use crate::operation_refusal::{ENOTDIR, GuestRefusal};
use crate::path_resolver::{self, PathHandle};
use crate::wire::{LISTED_ENTRIES, LISTED_PATHS, PayloadWriter, listed};
use std::collections::BinaryHeap;
use std::fs::{self, DirEntry, FileType};
use std::os::unix::ffi::OsStrExt;

/// Entries that one listing looks at. Further ones are not even counted.
const MAX_SEEN: u64 = 1_000_000;

/// One entry that is kept. They are compared by their paths.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct KeptEntry {
    path: Vec<u8>,
    /// One of the constants of `wire::listed`.
    kind: u8,
    size: u64,
}

/// A listing while it is made.
struct DirectoryLister {
    /// The entries with the smallest paths so far. The largest of them is on top.
    kept: BinaryHeap<KeptEntry>,
    /// Bytes of their paths.
    bytes: usize,
    /// Entries that are kept at most.
    most: usize,
    seen: u64,
}

/// Lists a directory and returns the payload of LISTED. `depth` is 1 for the entries of the
/// directory itself.
pub fn list(path: &[u8], depth: u32, most: u32) -> Result<Vec<u8>, GuestRefusal> {
    let directory = path_resolver::find(path)?;
    if !directory.facts.is_dir() {
        return Err(GuestRefusal::of(ENOTDIR));
    }
    let most = most.min(LISTED_ENTRIES) as usize;
    let mut lister = DirectoryLister { kept: BinaryHeap::new(), bytes: 0, most, seen: 0 };
    let entries = fs::read_dir(directory.path())?;
    let depth = usize::try_from(depth).unwrap_or(MAX_DEPTH).clamp(1, MAX_DEPTH);
    lister.walk(entries, &directory, &mut Vec::new(), depth);
    Ok(lister.payload())
}

impl DirectoryLister {
    /// Looks at all entries of a directory. `prefix` is its path with a slash at the end, or empty
    /// for the first one.
    fn walk(&mut self, entries: fs::ReadDir, directory: &PathHandle, prefix: &mut Vec<u8>, depth: usize) {
        for entry in entries.flatten() {
            if self.seen >= MAX_SEEN {
                return;
            }
            self.seen += 1;
            let length = prefix.len();
            prefix.extend_from_slice(entry.file_name().as_bytes());
            if self.keep(&entry, prefix) && depth > 1 {
                self.enter(&entry, directory, prefix, depth - 1);
            }
            prefix.truncate(length);
        }
    }

    /// Goes into a directory, unless a program has put something else in its place.
    fn enter(&mut self, entry: &DirEntry, parent: &PathHandle, prefix: &mut Vec<u8>, depth: usize) {
        let Ok(child) = parent.child(&entry.file_name()) else { return };
        if !child.facts.is_dir() {
            return;
        }
        if let Ok(entries) = fs::read_dir(child.path()) {
            prefix.push(b'/');
            self.walk(entries, &child, prefix, depth);
        }
    }

    /// Keeps an entry if it is among the first ones. Returns whether it is a directory.
    fn keep(&mut self, entry: &DirEntry, path: &[u8]) -> bool {
        let Ok(facts) = entry.metadata() else { return false };
        let size = if facts.is_file() { facts.len() } else { 0 };
        // Most entries of a large directory cannot be kept, so they are not copied.
        let is_last = self.kept.peek().is_none_or(|last| last.path.as_slice() <= path);
        if self.kept.len() >= self.most && is_last {
            return facts.is_dir();
        }
        self.bytes += path.len();
        self.kept.push(KeptEntry { path: path.to_vec(), kind: kind_of(facts.file_type()), size });
        while self.kept.len() > self.most || self.bytes > LISTED_PATHS {
            self.bytes -= self.kept.pop().map_or(0, |last| last.path.len());
        }
        facts.is_dir()
    }

    /// The fields of LISTED.
    fn payload(self) -> Vec<u8> {
        let mut writer = PayloadWriter::default();
        writer.u64(self.seen - self.kept.len() as u64);
        for entry in self.kept.into_sorted_vec() {
            writer.u8(entry.kind).u64(entry.size).bytes(&entry.path);
        }
        writer.0
    }
}

/// A kind of entry as `wire::listed` numbers it.
fn kind_of(kind: FileType) -> u8 {
    if kind.is_file() {
        listed::FILE
    } else if kind.is_dir() {
        listed::DIRECTORY
    } else if kind.is_symlink() {
        listed::SYMLINK
    } else {
        listed::OTHER
    }
}

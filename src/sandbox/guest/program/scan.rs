//! Scans the workspace: lists its first paths, computes a digest that changes with anything in
//! it, and reports what has changed since the scan before.
//!
//! A scan reads only names and the kernel's data about each entry (inode, size, mode, change
//! time). It reads the content of changed files only, to hash them, and only a bounded number
//! of bytes in one scan.
//!
//! A whole look reads every directory. In a large workspace, the kernel tells the guest what was
//! written, and a scan looks only at that (`workspace_watcher.rs`). Both report the same.

use crate::content_hash::content_hash;
use crate::file_stamp::FileStamp;
use crate::files::MAX_DEPTH;
use crate::path_change::{MAX_LISTED, PathChange, within, write_changes};
use crate::shell_session::workspace_path;
use crate::sys;
use crate::wire::{PayloadWriter, change};
use crate::workspace_watcher::{WorkspaceWatcher, place};
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Entries that one scan looks at. The file system's own limit is far below. This one ends the
/// reading of a directory into which a background process keeps moving files.
const MAX_SEEN: u32 = 1_000_000;
/// Files that are remembered from scan to scan. Changes of further files are not reported. As many
/// other entries are remembered.
const MAX_KNOWN: usize = 100_000;
/// Files with several names that are looked at in every scan.
const MAX_LINKED: usize = 1_024;
/// Bytes that one scan reads to compute hashes.
const MAX_HASHED: u64 = 16 << 20;
/// Entries from which on a workspace is watched. A whole look at fewer takes less than a millisecond.
const WATCHED_FROM: u32 = 512;

/// What is remembered of a file.
struct KnownFile {
    notes: FileStamp,
    /// The hash of its content, if it was ever read in this state.
    hash: Option<[u8; 32]>,
    /// The number of the last whole look that found the file.
    look: u64,
}

/// Scans the workspace and remembers its entries for the next scan.
#[derive(Default)]
pub struct WorkspaceScanner {
    /// The files by path, in order.
    known: BTreeMap<Vec<u8>, KnownFile>,
    /// All other entries by path: directories, links, special files.
    others: HashMap<Vec<u8>, FileStamp>,
    /// The files that had several names at the last whole look. A write under one name changes
    /// them under all.
    linked: BTreeSet<Vec<u8>>,
    watcher: WorkspaceWatcher,
    /// Scans so far.
    looks: u64,
    digest: u64,
    /// Entries that the last whole look has seen.
    entries: u32,
}

impl WorkspaceScanner {
    /// Scans the workspace and appends the result to a payload: the digest, the first paths in
    /// order, and the changes since the last scan. The first scan reports no changes.
    pub fn scan(&mut self, reply: &mut PayloadWriter) {
        self.looks += 1;
        let alone = self.entries >= WATCHED_FROM && sys::is_alone();
        let written = self.watcher.written(alone);
        let (mut listed, changes) = match written.and_then(|paths| self.look_again(paths)) {
            Some(changes) => (self.known.keys().take(MAX_LISTED).cloned().collect(), changes),
            None => self.look_at_all(alone),
        };
        listed.truncate(within(listed.iter().map(Vec::len)));
        reply.u64(self.digest).u32(listed.len() as u32);
        for path in &listed {
            reply.bytes(path);
        }
        write_changes(changes, reply);
    }

    /// Looks at every entry. Returns the first paths and the changes. `alone`: no other process is
    /// alive, so the directories may be watched from now on.
    fn look_at_all(&mut self, alone: bool) -> (Vec<Vec<u8>>, Vec<PathChange>) {
        self.others.clear();
        self.linked.clear();
        let device = fs::metadata(workspace_path()).map_or(0, |facts| facts.dev());
        let mut found =
            ScanProgress { room: MAX_HASHED, whole: true, device, ..ScanProgress::default() };
        // The root of a container has the files of the kernel. It is no workspace that can be scanned.
        if workspace_path() != Path::new("/") {
            found.walk(self, workspace_path(), &mut Vec::new(), 0);
        }
        let remembered = self.known.len().max(self.others.len()) < MAX_KNOWN;
        self.miss(&mut found);
        (self.digest, self.entries) = (found.digest, found.seen);
        let large = found.seen >= WATCHED_FROM && self.linked.len() <= MAX_LINKED;
        if alone && large && remembered && found.whole {
            self.watcher.watch(&found.directories);
        }
        if self.looks == 1 {
            found.changes.clear();
        }
        (found.first.into_sorted_vec(), found.changes)
    }

    /// Looks again at the entries that may have changed, and returns the changes. None: what is
    /// there cannot be told from them alone. Nothing is noted then.
    fn look_again(&mut self, mut paths: BTreeSet<Vec<u8>>) -> Option<Vec<PathChange>> {
        paths.extend(self.linked.iter().cloned());
        let entries = self.read_again(paths)?;
        let mut room = MAX_HASHED;
        let mut changes = Vec::new();
        for (path, facts) in entries {
            changes.extend(self.renew(path, facts.as_ref(), &mut room));
        }
        self.watcher.rearm();
        Some(changes)
    }

    /// Reads the kernel's data about some paths; none for a path at which there is nothing. Returns
    /// None as `look_again` does.
    fn read_again(&self, paths: BTreeSet<Vec<u8>>) -> Option<Vec<(Vec<u8>, Option<Metadata>)>> {
        if paths.len() + self.known.len().max(self.others.len()) >= MAX_KNOWN {
            return None;
        }
        let read = |path: Vec<u8>| {
            let facts = match fs::symlink_metadata(place(&path)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                facts => Some(facts.ok()?),
            };
            self.is_plain(&path, facts.as_ref()).then_some((path, facts))
        };
        paths.into_iter().map(read).collect()
    }

    /// Whether an entry can be compared by itself. It cannot if a directory has come or gone, or if
    /// a file has got a further name: then the other one has changed too.
    fn is_plain(&self, path: &[u8], facts: Option<&Metadata>) -> bool {
        let was_directory = self.others.get(path).is_some_and(FileStamp::is_directory);
        if was_directory != facts.is_some_and(Metadata::is_dir) {
            return false;
        }
        let links = facts.filter(|facts| facts.is_file() && facts.nlink() > 1);
        links.is_none_or(|facts| {
            let known = self.known.get(path).filter(|_| self.linked.contains(path));
            known.is_some_and(|known| known.notes.inode == facts.ino())
        })
    }

    /// Notes what is at a path now, and returns the change if it was or is a file.
    fn renew(&mut self, path: Vec<u8>, facts: Option<&Metadata>, room: &mut u64) -> Option<PathChange> {
        let file = self.known.get(&path).map(|known| known.notes);
        let before = self.others.remove(&path).or(file);
        let now = facts.map(FileStamp::of);
        let share = |notes: Option<FileStamp>| notes.map_or(0, |notes| notes.digest(&path));
        self.digest = self.digest.wrapping_sub(share(before)).wrapping_add(share(now));
        if let Some(notes) = now {
            if facts.is_some_and(Metadata::is_file) {
                return self.compare(&path, &place(&path), notes, room);
            }
            self.others.insert(path.clone(), notes);
        }
        self.known.remove(&path).map(|_| PathChange::removed(path))
    }

    /// Notes an entry that a whole look has found, and returns the change if it is a file.
    fn note(&mut self, entry: &FoundEntry<'_>, room: &mut u64) -> Option<PathChange> {
        if entry.facts.is_file() {
            if entry.facts.nlink() > 1 && self.linked.len() <= MAX_LINKED {
                self.linked.insert(entry.path.to_vec());
            }
            return self.compare(entry.path, entry.at, entry.notes, room);
        }
        if self.others.len() < MAX_KNOWN {
            self.others.insert(entry.path.to_vec(), entry.notes);
        }
        None
    }

    /// Forgets the files that this look has not found and reports them as removed.
    fn miss(&mut self, found: &mut ScanProgress) {
        let look = self.looks;
        self.known.retain(|path, known| {
            let there = known.look == look;
            if !there {
                found.changes.push(PathChange::removed(path.clone()));
            }
            there
        });
    }

    /// Compares a file with what is remembered of it. None: it is unchanged, or was written again
    /// with the same content, or too many files are known already. `room` is how many bytes this
    /// scan may still read.
    fn compare(&mut self, path: &[u8], at: &Path, notes: FileStamp, room: &mut u64) -> Option<PathChange> {
        let (look, first) = (self.looks, self.looks == 1);
        let before = self.known.get_mut(path);
        if let Some(known) = before.filter(|known| known.notes == notes) {
            known.look = look;
            return None;
        }
        let earlier = self.known.remove(path);
        if earlier.is_none() && self.known.len() >= MAX_KNOWN {
            // There is no place to remember another file, so its changes cannot be recognised.
            return None;
        }
        // A file of the first scan is not read before it changes.
        let hash = if first { None } else { content_hash(at, notes.size, room) };
        self.known.insert(path.to_vec(), KnownFile { notes, hash, look });
        let kind = match earlier {
            None => change::ADDED,
            // It was written again with the same content.
            Some(known) if known.hash.is_some() && known.hash == hash && known.notes.mode == notes.mode => {
                return None;
            }
            Some(_) => change::MODIFIED,
        };
        Some(PathChange { path: path.to_vec(), kind, size: notes.size, hash })
    }
}

/// An entry that a whole look has found.
struct FoundEntry<'a> {
    /// The path below the workspace.
    path: &'a [u8],
    /// The absolute path.
    at: &'a Path,
    facts: &'a Metadata,
    notes: FileStamp,
}

/// What a whole look has found so far.
#[derive(Default)]
struct ScanProgress {
    digest: u64,
    /// Entries looked at, compared with [`MAX_SEEN`].
    seen: u32,
    /// The smallest paths so far. The largest of them is on top, to be replaced by a smaller
    /// one.
    first: BinaryHeap<Vec<u8>>,
    changes: Vec<PathChange>,
    /// Bytes that may still be read for hashes.
    room: u64,
    /// The directories that were read: the path below the workspace with a slash at the end.
    directories: Vec<Vec<u8>>,
    /// The device of the workspace.
    device: u64,
    /// Every entry was looked at, and all are of one file system.
    whole: bool,
}

impl ScanProgress {
    /// Walks a directory. `prefix` is its path below the workspace with a slash at the end.
    /// What cannot be read is left out, and links are not followed.
    fn walk(&mut self, scanner: &mut WorkspaceScanner, directory: &Path, prefix: &mut Vec<u8>, depth: usize) {
        self.directories.push(prefix.clone());
        let Ok(entries) = fs::read_dir(directory) else {
            self.whole = false;
            return;
        };
        for entry in entries {
            self.seen += 1;
            if self.seen > MAX_SEEN {
                self.whole = false;
                return;
            }
            let Ok((entry, facts)) = entry.and_then(with_facts) else {
                self.whole = false;
                continue;
            };
            let (length, at) = (prefix.len(), entry.path());
            prefix.extend_from_slice(entry.file_name().as_bytes());
            let notes = FileStamp::of(&facts);
            self.add(scanner, &FoundEntry { path: prefix, at: &at, facts: &facts, notes });
            if facts.is_dir() && depth < MAX_DEPTH {
                prefix.push(b'/');
                self.walk(scanner, &at, prefix, depth + 1);
            } else if facts.is_dir() {
                self.whole = false;
            }
            prefix.truncate(length);
        }
    }

    /// Adds an entry to what was found.
    fn add(&mut self, scanner: &mut WorkspaceScanner, entry: &FoundEntry<'_>) {
        self.digest = self.digest.wrapping_add(entry.notes.digest(entry.path));
        self.whole &= entry.facts.dev() == self.device;
        if entry.facts.is_file() {
            self.list(entry.path);
        }
        let change = scanner.note(entry, &mut self.room);
        self.changes.extend(change);
    }

    /// Keeps a path if it is among the smallest [`MAX_LISTED`] so far.
    fn list(&mut self, path: &[u8]) {
        if self.first.len() < MAX_LISTED {
            self.first.push(path.to_vec());
        } else if self.first.peek().is_some_and(|last| path < last.as_slice()) {
            self.first.pop();
            self.first.push(path.to_vec());
        }
    }
}

/// An entry with the kernel's data about it.
fn with_facts(entry: DirEntry) -> io::Result<(DirEntry, Metadata)> {
    let facts = entry.metadata()?;
    Ok((entry, facts))
}

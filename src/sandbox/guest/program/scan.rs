//! Scans the workspace: lists its first paths, computes a digest that changes with anything in
//! it, and reports what has changed since the scan before.
//!
//! A scan reads only names and the kernel's data about each entry (inode, size, mode, change
//! time). It reads the content of changed files only, to hash them, and only a bounded number
//! of bytes in one scan.

use crate::files::{MAX_DEPTH, O_NOFOLLOW, O_NONBLOCK};
use crate::sha256::Sha256;
use crate::shell_session::workspace_path;
use crate::wire::{LISTED, PayloadWriter, change};
use std::collections::{BinaryHeap, HashMap};
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// The most paths that a scan lists. The digest covers all entries.
const MAX_LISTED: usize = 256;
/// Entries that one scan looks at. The file system's own limit is far below. This one ends the
/// reading of a directory into which a background process keeps moving files.
const MAX_SEEN: u32 = 1_000_000;
/// Files that are remembered from scan to scan. Changes of further files are not reported.
const MAX_KNOWN: usize = 100_000;
/// Bytes that one scan reads to compute hashes.
const MAX_HASHED: u64 = 16 << 20;

/// The kernel's data about an entry. A program cannot set the change time back, so an equal
/// stamp means an unchanged file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    inode: u64,
    size: u64,
    mode: u32,
    /// The change time (`ctime`) as seconds and nanoseconds.
    changed: (i64, i64),
}

impl FileStamp {
    fn of(facts: &Metadata) -> Self {
        let changed = (facts.ctime(), facts.ctime_nsec());
        Self { inode: facts.ino(), size: facts.size(), mode: facts.mode(), changed }
    }
}

/// What is remembered of a file.
struct KnownFile {
    notes: FileStamp,
    /// The hash of its content, if it was ever read in this state.
    hash: Option<[u8; 32]>,
    /// The number of the last scan that found the file.
    look: u64,
}

/// A change of one file, as it is reported.
struct PathChange {
    path: Vec<u8>,
    /// One of the constants of `wire::change`.
    kind: u8,
    size: u64,
    hash: Option<[u8; 32]>,
}

/// Scans the workspace and remembers the files for the next scan.
#[derive(Default)]
pub struct WorkspaceScanner {
    known: HashMap<Vec<u8>, KnownFile>,
    /// Scans so far.
    looks: u64,
}

impl WorkspaceScanner {
    /// Scans the workspace and appends the result to a payload: the digest, the first paths in
    /// order, and the changes since the last scan. The first scan reports no changes.
    pub fn scan(&mut self, reply: &mut PayloadWriter) {
        self.looks += 1;
        let mut found = ScanProgress { room: MAX_HASHED, ..ScanProgress::default() };
        // The root of a container has the files of the kernel. It is no workspace that can be scanned.
        if workspace_path() != Path::new("/") {
            found.walk(self, workspace_path(), &mut Vec::new(), 0);
        }
        self.miss(&mut found);
        let mut listed = found.first.into_sorted_vec();
        listed.truncate(within(listed.iter().map(Vec::len)));
        reply.u64(found.digest).u32(listed.len() as u32);
        for path in &listed {
            reply.bytes(path);
        }
        if self.looks == 1 {
            found.changes.clear();
        }
        write_changes(found.changes, reply);
    }

    /// Forgets the files that this scan has not found and reports them as removed.
    fn miss(&mut self, found: &mut ScanProgress) {
        let look = self.looks;
        self.known.retain(|path, known| {
            let there = known.look == look;
            if !there {
                let (path, kind) = (path.clone(), change::REMOVED);
                found.changes.push(PathChange { path, kind, size: 0, hash: None });
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
        let hash = if first { None } else { hash(at, notes.size, room) };
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

/// Appends the number of all changes and then the first of them in the order of their paths.
fn write_changes(mut changes: Vec<PathChange>, reply: &mut PayloadWriter) {
    reply.u32(changes.len() as u32);
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes.truncate(MAX_LISTED);
    changes.truncate(within(changes.iter().map(|change| change.path.len())));
    reply.u32(changes.len() as u32);
    for change in changes {
        reply.u8(change.kind).bytes(&change.path).u64(change.size);
        reply.bytes(change.hash.as_ref().map_or(&[], |hash| hash.as_slice()));
    }
}

/// How many of the first paths are listed, given the length of each.
fn within(lengths: impl Iterator<Item = usize>) -> usize {
    let sums = lengths.scan(0, |sum, length| {
        *sum += length;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= LISTED).count()
}

/// The hash of a file. None: it is larger than what is left of the bytes to read, or it cannot
/// be read.
fn hash(path: &Path, size: u64, room: &mut u64) -> Option<[u8; 32]> {
    if size > *room {
        return None;
    }
    let mut options = File::options();
    // A program may have replaced the file by a link or a FIFO since it was listed.
    let mut file = options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK).open(path).ok()?;
    let mut hash = Sha256::default();
    let mut buffer = [0; 16 << 10];
    loop {
        let count = file.read(&mut buffer).ok()?;
        if count == 0 {
            return Some(hash.finish());
        }
        // The file may grow while it is read, so what is really read counts.
        *room = room.checked_sub(count as u64)?;
        hash.update(&buffer[..count]);
    }
}

/// What one scan has found so far.
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
}

impl ScanProgress {
    /// Walks a directory. `prefix` is its path below the workspace with a slash at the end.
    /// What cannot be read is left out, and links are not followed.
    fn walk(&mut self, scanner: &mut WorkspaceScanner, directory: &Path, prefix: &mut Vec<u8>, depth: usize) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        for entry in entries.flatten() {
            self.seen += 1;
            if self.seen > MAX_SEEN {
                return;
            }
            let Ok(facts) = entry.metadata() else { continue };
            let length = prefix.len();
            prefix.extend_from_slice(entry.file_name().as_bytes());
            let notes = FileStamp::of(&facts);
            self.add(prefix, notes);
            if facts.is_file() {
                self.list(prefix);
                let change = scanner.compare(prefix, &entry.path(), notes, &mut self.room);
                self.changes.extend(change);
            }
            if facts.is_dir() && depth < MAX_DEPTH {
                prefix.push(b'/');
                self.walk(scanner, &entry.path(), prefix, depth + 1);
            }
            prefix.truncate(length);
        }
    }

    /// Adds an entry to the digest.
    fn add(&mut self, path: &[u8], notes: FileStamp) {
        // The sum does not depend on the order, because a directory lists its entries in no
        // fixed order.
        let mut hash = FnvHasher::default();
        hash.add(path);
        for word in [notes.inode, notes.size, u64::from(notes.mode)] {
            hash.add(&word.to_le_bytes());
        }
        hash.add(&notes.changed.0.to_le_bytes());
        hash.add(&notes.changed.1.to_le_bytes());
        self.digest = self.digest.wrapping_add(hash.0);
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

/// The hash function FNV-1a with 64 bits: fast, and not safe against forged collisions.
struct FnvHasher(u64);

impl Default for FnvHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl FnvHasher {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

//! Listing the workspace: its first paths, and a digest that changes with anything in it.

use crate::files::MAX_DEPTH;
use crate::wire::Writer;
use std::collections::BinaryHeap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Paths a scan lists; the digest covers all of them.
const MAX_LISTED: usize = 256;
/// Entries looked at. The file system's own cap is far below; this one ends the reading of
/// a directory into which a background process keeps moving files.
const MAX_SEEN: u32 = 1_000_000;

/// Appends a digest of the whole workspace and the first paths of it, in order.
pub fn scan(reply: &mut Writer) {
    let mut found = Found::default();
    found.walk(Path::new("/work"), &mut Vec::new(), 0);
    let listed = found.first.into_sorted_vec();
    reply.u64(found.digest).u32(listed.len() as u32);
    for path in &listed {
        reply.bytes(path);
    }
}

#[derive(Default)]
struct Found {
    digest: u64,
    seen: u32,
    /// The smallest paths so far, the largest of them on top.
    first: BinaryHeap<Vec<u8>>,
}

impl Found {
    fn walk(&mut self, directory: &Path, prefix: &mut Vec<u8>, depth: usize) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        for entry in entries.flatten() {
            self.seen += 1;
            if self.seen > MAX_SEEN {
                return;
            }
            let Ok(facts) = entry.metadata() else { continue };
            let length = prefix.len();
            prefix.extend_from_slice(entry.file_name().as_bytes());
            self.note(prefix, &facts);
            if facts.is_dir() && depth < MAX_DEPTH {
                prefix.push(b'/');
                self.walk(&entry.path(), prefix, depth + 1);
            }
            prefix.truncate(length);
        }
    }

    fn note(&mut self, path: &[u8], facts: &fs::Metadata) {
        // Change time cannot be set back by a program, so no change goes unseen. Entries
        // are added up, because directories are read in no particular order.
        let mut hash = Fnv::default();
        hash.add(path);
        for word in [facts.ino(), facts.size(), u64::from(facts.mode())] {
            hash.add(&word.to_le_bytes());
        }
        hash.add(&facts.ctime().to_le_bytes());
        hash.add(&facts.ctime_nsec().to_le_bytes());
        self.digest = self.digest.wrapping_add(hash.0);
        if facts.is_file() {
            self.list(path);
        }
    }

    fn list(&mut self, path: &[u8]) {
        if self.first.len() < MAX_LISTED {
            self.first.push(path.to_vec());
        } else if self.first.peek().is_some_and(|last| path < last.as_slice()) {
            self.first.pop();
            self.first.push(path.to_vec());
        }
    }
}

struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

//! A change of one file of the workspace, and how a scan writes its lists.

use crate::wire::{LISTED, PayloadWriter, change};

/// The most paths that a scan lists. The digest covers all entries.
pub const MAX_LISTED: usize = 256;

/// A change of one file, as it is reported.
pub struct PathChange {
    pub path: Vec<u8>,
    /// One of the constants of `wire::change`.
    pub kind: u8,
    pub size: u64,
    pub hash: Option<[u8; 32]>,
}

impl PathChange {
    pub fn removed(path: Vec<u8>) -> Self {
        Self { path, kind: change::REMOVED, size: 0, hash: None }
    }
}

/// Appends the number of all changes and then the first of them in the order of their paths.
pub fn write_changes(mut changes: Vec<PathChange>, reply: &mut PayloadWriter) {
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
pub fn within(lengths: impl Iterator<Item = usize>) -> usize {
    let sums = lengths.scan(0, |sum, length| {
        *sum += length;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= LISTED).count()
}

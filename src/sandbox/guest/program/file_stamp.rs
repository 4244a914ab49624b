//! The kernel's data about an entry of the workspace, and what the entry adds to the digest.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// The kernel's data about an entry. A program cannot set the change time back, so an equal
/// stamp means an unchanged file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    pub inode: u64,
    pub size: u64,
    pub mode: u32,
    /// The change time (`ctime`) as seconds and nanoseconds.
    changed: (i64, i64),
}

impl FileStamp {
    pub fn of(facts: &Metadata) -> Self {
        let changed = (facts.ctime(), facts.ctime_nsec());
        Self { inode: facts.ino(), size: facts.size(), mode: facts.mode(), changed }
    }

    pub fn is_directory(&self) -> bool {
        const KIND: u32 = 0o170_000;
        const DIRECTORY: u32 = 0o040_000;
        self.mode & KIND == DIRECTORY
    }

    /// What the entry adds to the digest. The digest is a sum, which does not depend on the order,
    /// because a directory lists its entries in no fixed order.
    pub fn digest(&self, path: &[u8]) -> u64 {
        let mut hash = FnvHasher::default();
        hash.add(path);
        for word in [self.inode, self.size, u64::from(self.mode)] {
            hash.add(&word.to_le_bytes());
        }
        hash.add(&self.changed.0.to_le_bytes());
        hash.add(&self.changed.1.to_le_bytes());
        hash.0
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

//! The hash of a file's content, within a bound on the bytes that are read.

use crate::files::{O_NOFOLLOW, O_NONBLOCK};
use crate::sha256::Sha256;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// The hash of a file. None: it is larger than what is left of the bytes to read, or it cannot
/// be read.
pub fn content_hash(path: &Path, size: u64, room: &mut u64) -> Option<[u8; 32]> {
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

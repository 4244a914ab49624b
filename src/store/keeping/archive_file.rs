//! The file of an archived campaign.
//!
//! ```text
//! synthd-campaign-archive-1
//! {"campaign":"old","schema":19,"episodes":40,"bytes":90112,"sha256":"…","archived_at_ms":…,"synthd":"…"}
//! a store that has this campaign only, compressed with zstd
//! ```
//! Size and checksum are those of the store before it was compressed. A file in which a byte has changed, or that
//! ends too early, is refused.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use synthd_actors::supervisor::assert_may_block;
use zstd::stream::{read::Decoder, write::Encoder};

/// The first line.
const MAGIC: &str = "synthd-campaign-archive-1\n";
/// The most bytes of a line of the head.
const LONGEST_LINE: u64 = 64 << 10;
/// The level of zstd: an archive is written once.
const LEVEL: i32 = 9;
/// How many bytes are digested at once.
const PIECE: usize = 64 << 10;

/// What an archive says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveHead {
    pub campaign: String,
    /// The schema version of the store inside.
    pub schema: usize,
    /// The episodes of the plan.
    pub episodes: u64,
    /// Of the store inside.
    pub bytes: u64,
    pub sha256: String,
    /// Milliseconds since 1970, UTC.
    pub archived_at_ms: i64,
    /// The version of synthd that wrote it.
    pub synthd: String,
}

/// Writes an archive of the file `database` to `to`, and syncs it. The size and the checksum of the head are
/// filled in. Returns the head.
pub(super) fn write(head: ArchiveHead, database: &Path, to: &Path) -> io::Result<ArchiveHead> {
    assert_may_block("write an archive");
    let (bytes, sha256) = digest_of(database)?;
    let head = ArchiveHead { bytes, sha256, ..head };
    let mut out = new_file(to)?;
    out.write_all(MAGIC.as_bytes())?;
    out.write_all(format!("{}\n", serde_json::to_string(&head)?).as_bytes())?;
    let mut packed = Encoder::new(out, LEVEL)?;
    io::copy(&mut File::open(database)?, &mut packed)?;
    packed.finish()?.sync_all()?;
    Ok(head)
}

/// Reads the head of an archive. The reader is at the compressed store then.
pub(super) fn open(from: &Path) -> io::Result<(ArchiveHead, BufReader<File>)> {
    assert_may_block("read an archive");
    let mut from = BufReader::new(File::open(from)?);
    if line(&mut from)? != MAGIC {
        return Err(damaged("it is no archive of a campaign"));
    }
    let head = serde_json::from_str(&line(&mut from)?)?;
    Ok((head, from))
}

/// Writes the store inside to the file `to`, and compares it with the head.
pub(super) fn unpack(head: &ArchiveHead, from: BufReader<File>, to: &Path) -> io::Result<()> {
    check_room(head, to)?;
    // One byte more than there should be shows that there are too many.
    let mut unpacked = Decoder::new(from)?.take(head.bytes.saturating_add(1));
    let mut out = new_file(to)?;
    io::copy(&mut unpacked, &mut out)?;
    out.sync_all()?;
    let (bytes, sha256) = digest_of(to)?;
    match (bytes, sha256.as_str()) == (head.bytes, head.sha256.as_str()) {
        true => Ok(()),
        false => Err(damaged("its checksum does not fit")),
    }
}

/// Fails if the store inside would not fit.
fn check_room(head: &ArchiveHead, to: &Path) -> io::Result<()> {
    let dir = to.parent().unwrap_or(Path::new("."));
    let found = nix::sys::statvfs::statvfs(dir)?;
    let free = found.blocks_available().saturating_mul(found.fragment_size());
    match head.bytes <= free {
        true => Ok(()),
        false => {
            let what = format!("the store inside has {} bytes, and {free} are free", head.bytes);
            Err(io::Error::new(ErrorKind::StorageFull, what))
        }
    }
}

/// A line of the head.
fn line(from: &mut BufReader<File>) -> io::Result<String> {
    let mut line = String::new();
    from.by_ref().take(LONGEST_LINE).read_line(&mut line)?;
    Ok(line)
}

/// An empty file that only its owner may read, in place of what a command that was killed has left. No link is
/// followed.
fn new_file(to: &Path) -> io::Result<File> {
    match std::fs::remove_file(to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => File::options().write(true).create_new(true).mode(0o600).open(to),
    }
}

/// The size of a file, and its checksum in hexadecimal.
fn digest_of(path: &Path) -> io::Result<(u64, String)> {
    let (mut from, mut hash) = (File::open(path)?, Sha256::new());
    let (mut piece, mut bytes) = (vec![0; PIECE], 0_u64);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok((bytes, hex::encode(hash.finalize()))),
            read => {
                hash.update(&piece[..read]);
                bytes += read as u64;
            }
        }
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> ArchiveHead {
        ArchiveHead {
            campaign: "c".to_owned(),
            schema: 19,
            episodes: 2,
            bytes: 0,
            sha256: String::new(),
            archived_at_ms: 5,
            synthd: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn what_was_packed_is_unpacked_and_every_changed_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let content: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(at("db"), &content).unwrap();
        let written = write(head(), &at("db"), &at("file")).unwrap();
        let (read, from) = open(&at("file")).unwrap();
        assert_eq!(read, written);
        unpack(&read, from, &at("again")).unwrap();
        assert_eq!(std::fs::read(at("again")).unwrap(), content);
        let whole = std::fs::read(at("file")).unwrap();
        for place in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x20;
            std::fs::write(at("file"), &bytes).unwrap();
            let same = open(&at("file")).and_then(|(head, from)| {
                unpack(&head, from, &at("again"))?;
                Ok(std::fs::read(at("again"))? == content)
            });
            assert!(same.unwrap_or(true), "byte {place}");
        }
        std::fs::write(at("file"), &whole[..whole.len() - 1]).unwrap();
        let (head, from) = open(&at("file")).unwrap();
        unpack(&head, from, &at("again")).unwrap_err();
    }
}

//! A workspace as bytes: `synthd-workspace-2`, the number of entries that were left out, those of them
//! that are named, the number of entries, and each entry; all compressed with zstd. Numbers are
//! little-endian, and a text or a piece of a file follows its length. The first version names nothing
//! that was left out; it is still read.
//!
//! ```text
//! named:   count (kind path)*
//! entry:   0 path mode                          a directory
//!          1 path mode count piece*             a file
//!          2 path target                        a link
//! piece:   0 length bytes   |   1 length        bytes, or a hole
//! ```

use std::io::{self, Read, Write};
use synthd_actors::model::{
    FileSegment, SkippedEntry, SkippedKind, TreeEntry, TreeEntryKind, WorkspaceCopy,
};
use zstd::stream::{read::Decoder, write::Encoder};

/// The first bytes of the content, in this version and in the first one.
const MAGIC: &[u8] = b"synthd-workspace-2";
const FIRST_MAGIC: &[u8] = b"synthd-workspace-1";
/// The compression level of zstd: the fastest of the usual levels.
const LEVEL: i32 = 1;
/// The most bytes that a file is unpacked to. A workspace is copied with fewer.
const MOST_UNPACKED: u64 = 8 << 30;

/// A piece of a file is seldom longer, so its memory need not grow while it is read.
const USUAL_PIECE: u64 = 1 << 20;

const DIRECTORY: u8 = 0;
const FILE: u8 = 1;
const LINK: u8 = 2;
/// The kinds of entries that were left out, by their tags.
const SKIPPED: [SkippedKind; 5] = [
    SkippedKind::Fifo,
    SkippedKind::Socket,
    SkippedKind::Device,
    SkippedKind::OddName,
    SkippedKind::OddLink,
];
const BYTES: u8 = 0;
const HOLE: u8 = 1;

/// Writes a workspace.
pub(crate) fn write(to: impl Write, copy: &WorkspaceCopy) -> io::Result<()> {
    let mut out = Encoder::new(to, LEVEL)?;
    out.write_all(MAGIC)?;
    out.write_all(&copy.skipped.to_le_bytes())?;
    write_number(&mut out, copy.skipped_entries.len() as u64)?;
    for skipped in &copy.skipped_entries {
        write_skipped(&mut out, skipped)?;
    }
    write_number(&mut out, copy.entries.len() as u64)?;
    for entry in &copy.entries {
        write_entry(&mut out, entry)?;
    }
    out.finish()?.flush()
}

fn write_skipped(out: &mut impl Write, skipped: &SkippedEntry) -> io::Result<()> {
    let tag = SKIPPED.iter().position(|kind| *kind == skipped.kind);
    out.write_all(&[tag.and_then(|tag| u8::try_from(tag).ok()).unwrap_or_default()])?;
    write_bytes(out, &skipped.path)
}

fn write_entry(out: &mut impl Write, entry: &TreeEntry) -> io::Result<()> {
    match &entry.kind {
        TreeEntryKind::Directory { mode } => {
            write_head(out, DIRECTORY, &entry.path)?;
            out.write_all(&mode.to_le_bytes())
        }
        TreeEntryKind::File { mode, content } => {
            write_head(out, FILE, &entry.path)?;
            out.write_all(&mode.to_le_bytes())?;
            write_number(out, content.len() as u64)?;
            content.iter().try_for_each(|piece| write_piece(out, piece))
        }
        TreeEntryKind::Symlink { target } => {
            write_head(out, LINK, &entry.path)?;
            write_bytes(out, target.as_bytes())
        }
    }
}

fn write_head(out: &mut impl Write, kind: u8, path: &str) -> io::Result<()> {
    out.write_all(&[kind])?;
    write_bytes(out, path.as_bytes())
}

fn write_piece(out: &mut impl Write, piece: &FileSegment) -> io::Result<()> {
    match piece {
        FileSegment::Bytes(bytes) => {
            out.write_all(&[BYTES])?;
            write_bytes(out, bytes)
        }
        FileSegment::Hole(length) => {
            out.write_all(&[HOLE])?;
            write_number(out, *length)
        }
    }
}

fn write_bytes(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    write_number(out, bytes.len() as u64)?;
    out.write_all(bytes)
}

fn write_number(out: &mut impl Write, number: u64) -> io::Result<()> {
    out.write_all(&number.to_le_bytes())
}

/// Reads a workspace. Err if the bytes are none, or end too early.
pub(crate) fn read(from: impl Read) -> io::Result<WorkspaceCopy> {
    let mut from = Decoder::new(from)?.take(MOST_UNPACKED);
    let magic = read_exactly(&mut from, MAGIC.len() as u64)?;
    if magic != MAGIC && magic != FIRST_MAGIC {
        return Err(damaged("it is no workspace"));
    }
    let skipped = read_small(&mut from)?;
    let named = if magic == MAGIC { read_number(&mut from)? } else { 0 };
    let skipped_entries = (0..named).map(|_| read_skipped(&mut from)).collect::<io::Result<_>>()?;
    let count = read_number(&mut from)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(read_entry(&mut from)?);
    }
    // What was cut off behind the last entry is noticed as well.
    if from.read(&mut [0])? > 0 {
        return Err(damaged("more follows it"));
    }
    Ok(WorkspaceCopy { entries, skipped, skipped_entries, ..WorkspaceCopy::default() })
}

fn read_skipped(from: &mut impl Read) -> io::Result<SkippedEntry> {
    let kind = SKIPPED.get(usize::from(read_tag(from)?)).copied();
    let kind = kind.ok_or_else(|| damaged("a left out entry of an unknown kind"))?;
    Ok(SkippedEntry { path: read_bytes(from)?, kind })
}

fn read_entry(from: &mut impl Read) -> io::Result<TreeEntry> {
    let tag = read_tag(from)?;
    let path = read_text(from)?;
    let kind = match tag {
        DIRECTORY => TreeEntryKind::Directory { mode: read_small(from)? },
        FILE => {
            let mode = read_small(from)?;
            let count = read_number(from)?;
            let content = (0..count).map(|_| read_piece(from)).collect::<io::Result<_>>()?;
            TreeEntryKind::File { mode, content }
        }
        LINK => TreeEntryKind::Symlink { target: read_text(from)? },
        _ => return Err(damaged("an entry of an unknown kind")),
    };
    Ok(TreeEntry { path, kind })
}

fn read_piece(from: &mut impl Read) -> io::Result<FileSegment> {
    match read_tag(from)? {
        BYTES => Ok(FileSegment::Bytes(read_bytes(from)?)),
        HOLE => Ok(FileSegment::Hole(read_number(from)?)),
        _ => Err(damaged("a piece of an unknown kind")),
    }
}

fn read_tag(from: &mut impl Read) -> io::Result<u8> {
    let mut tag = [0];
    from.read_exact(&mut tag)?;
    Ok(tag[0])
}

fn read_small(from: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    from.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn read_text(from: &mut impl Read) -> io::Result<String> {
    String::from_utf8(read_bytes(from)?).map_err(|_| damaged("a name that is no UTF-8"))
}

fn read_bytes(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = read_number(from)?;
    read_exactly(from, length)
}

/// So many bytes. The memory grows with what comes and not with what the length says.
fn read_exactly(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length.min(USUAL_PIECE) as usize);
    from.by_ref().take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(damaged("it ends too early")) }
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the kept workspace is damaged: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> WorkspaceCopy {
        let entry = |path: &str, kind| TreeEntry { path: path.to_owned(), kind };
        let content = vec![FileSegment::Bytes(b"a\0b".to_vec()), FileSegment::Hole(1 << 40)];
        let entries = vec![
            entry("dir", TreeEntryKind::Directory { mode: 0o755 }),
            entry("dir/sparse", TreeEntryKind::File { mode: 0o600, content }),
            entry("empty", TreeEntryKind::File { mode: 0o644, content: Vec::new() }),
            entry("link", TreeEntryKind::Symlink { target: "dir/ü".to_owned() }),
        ];
        let skipped =
            |(kind, path): (&SkippedKind, &[u8])| SkippedEntry { path: path.to_vec(), kind: *kind };
        let paths: [&[u8]; 5] = [b"fifo", b"dir/socket", b"dev", b"a\xff", b""];
        let skipped_entries = SKIPPED.iter().zip(paths).map(skipped).collect();
        WorkspaceCopy { entries, skipped: 9, skipped_entries, ..WorkspaceCopy::default() }
    }

    /// A workspace of an earlier version: a file that is empty, and two entries without names.
    #[test]
    fn a_workspace_of_the_first_version_is_read() {
        let mut plain = FIRST_MAGIC.to_vec();
        plain.extend_from_slice(&2_u32.to_le_bytes());
        plain.extend_from_slice(&1_u64.to_le_bytes());
        plain.push(FILE);
        plain.extend_from_slice(&1_u64.to_le_bytes());
        plain.push(b'f');
        plain.extend_from_slice(&0o644_u32.to_le_bytes());
        plain.extend_from_slice(&0_u64.to_le_bytes());
        let kind = TreeEntryKind::File { mode: 0o644, content: Vec::new() };
        let entries = vec![TreeEntry { path: "f".to_owned(), kind }];
        let expected = WorkspaceCopy { entries, skipped: 2, ..WorkspaceCopy::default() };
        let bytes = zstd::stream::encode_all(plain.as_slice(), 1).unwrap();
        assert_eq!(read(bytes.as_slice()).unwrap(), expected);
    }

    #[test]
    fn a_workspace_comes_back_as_it_was() {
        let mut bytes = Vec::new();
        write(&mut bytes, &workspace()).unwrap();
        assert_eq!(read(bytes.as_slice()).unwrap(), workspace());
    }

    #[test]
    fn bytes_that_are_no_workspace_are_refused() {
        let mut bytes = Vec::new();
        write(&mut bytes, &workspace()).unwrap();
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "{cut}");
        }
        let foreign = zstd::stream::encode_all(&b"something else entirely"[..], 1).unwrap();
        assert!(read(foreign.as_slice()).is_err());
    }
}

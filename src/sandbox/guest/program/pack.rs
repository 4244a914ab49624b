//! Copying the workspace out, as entries in frames. Nothing of it is ever unpacked on the
//! host: the frames go into another sandbox.
//!
//! Programs may run meanwhile and change what is being copied. So each entry is first held
//! by a descriptor that follows no link, and from then on only reached through it: whatever
//! is put in its place, nothing outside of the workspace is ever read.

use crate::files::{MAX_DEPTH, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK};
use crate::sys;
use crate::wire::{CHUNK, LEAST_HOLE, MalformedFrame, PayloadReader, PayloadWriter, entry};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const O_PATH: i32 = 0o10_000_000;

/// What a copy may hold.
pub struct CopyLimits {
    bytes: u64,
    entries: u64,
    /// End every process first, so that nothing changes while it is copied.
    pub quiesce: bool,
}

impl CopyLimits {
    pub fn read(reader: &mut PayloadReader<'_>) -> Result<Self, MalformedFrame> {
        Ok(Self {
            bytes: reader.u64()?,
            entries: reader.u64()?,
            quiesce: reader.u8()? != 0,
        })
    }
}

/// Of all files beyond their first.
const MAX_PIECES: u64 = 65_536;

/// How much a copy will hold.
#[derive(Clone, Copy, Default)]
pub struct CopySize {
    pub bytes: u64,
    pub entries: u64,
}

/// What the copy will hold, found without reading any file.
pub fn measure(limits: &CopyLimits) -> io::Result<CopySize> {
    let mut size = CopySize::default();
    walk(limits, true, &mut |_, entry| {
        size.bytes += entry;
        size.entries += 1;
        Ok(())
    })?;
    Ok(size)
}

/// Sends every directory, regular file and symbolic link of the workspace to `send`, in
/// order of their paths; returns how many others were left behind: special files, and names
/// that are no UTF-8, which a record could not tell apart. No more is sent than was measured.
pub fn pack(
    limits: &CopyLimits,
    mut left: CopySize,
    mut send: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u32> {
    let mut pending = PayloadWriter::default();
    let skipped = walk(limits, false, &mut |bytes, length| {
        let grown = || io::Error::other("the workspace grew while it was copied");
        left.bytes = left.bytes.checked_sub(length).ok_or_else(grown)?;
        left.entries = left.entries.checked_sub(1).ok_or_else(grown)?;
        pending.0.extend_from_slice(bytes);
        if pending.0.len() < CHUNK {
            return Ok(());
        }
        send(&std::mem::take(&mut pending.0))
    })?;
    if !pending.0.is_empty() {
        send(&pending.0)?;
    }
    Ok(skipped)
}

fn walk(limits: &CopyLimits, measures: bool, found: EntryCallback<'_>) -> io::Result<u32> {
    let (bytes_left, entries_left) = (limits.bytes, limits.entries);
    let mut packer =
        WorkspacePacker { bytes_left, entries_left, pieces_left: MAX_PIECES, skipped: 0, measures, found };
    packer.directory(&HeldEntry::open(Path::new("/work"))?, &mut Vec::new(), 0)?;
    Ok(packer.skipped)
}

/// Told of each entry: its bytes, none where they are only counted, and their number.
type EntryCallback<'a> = &'a mut dyn FnMut(&[u8], u64) -> io::Result<()>;

/// An entry of the tree, held whatever becomes of its name. A program may have closed it to
/// itself: it is opened wider while it is read, and put back.
struct HeldEntry {
    handle: File,
    facts: Metadata,
    widened: bool,
}

impl HeldEntry {
    fn open(at: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let handle = options.read(true).custom_flags(O_PATH | O_NOFOLLOW).open(at)?;
        let facts = handle.metadata()?;
        let needed = if facts.is_dir() { 0o500 } else { 0o400 };
        let mut held = Self { handle, facts, widened: false };
        if !held.facts.is_symlink() && held.facts.mode() & needed != needed {
            // Where it fails, reading fails next and says so.
            held.widened = held.set_mode(held.facts.mode() | needed).is_ok();
        }
        Ok(held)
    }

    /// Leads to the entry itself, never to what has its name now.
    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd()))
    }

    fn reopen(&self, flags: i32) -> io::Result<File> {
        OpenOptions::new().read(true).custom_flags(flags).open(self.path())
    }

    fn set_mode(&self, mode: u32) -> io::Result<()> {
        fs::set_permissions(self.path(), Permissions::from_mode(mode & 0o7777))
    }
}

impl Drop for HeldEntry {
    fn drop(&mut self) {
        if self.widened {
            // Its owner may have removed or changed it meanwhile; then that stands.
            let _ = self.set_mode(self.facts.mode());
        }
    }
}

/// The fields of an entry besides its path and content: kind, two lengths, mode.
const OVERHEAD: u64 = 13;

/// What can be written again below a root: `PATH_MAX`, less the root and a little.
const MAX_PATH: usize = 4_000;

struct WorkspacePacker<'a> {
    bytes_left: u64,
    entries_left: u64,
    pieces_left: u64,
    skipped: u32,
    measures: bool,
    found: EntryCallback<'a>,
}

impl WorkspacePacker<'_> {
    fn directory(&mut self, held: &HeldEntry, prefix: &mut Vec<u8>, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::other("the workspace is nested too deeply to copy"));
        }
        for name in self.names(held)? {
            let length = prefix.len();
            prefix.extend_from_slice(name.as_bytes());
            match HeldEntry::open(&held.path().join(&name)) {
                Ok(child) => self.child(held, &child, prefix, depth)?,
                // Removed since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            prefix.truncate(length);
        }
        Ok(())
    }

    fn names(&self, held: &HeldEntry) -> io::Result<Vec<std::ffi::OsString>> {
        let listed = held.reopen(O_DIRECTORY)?;
        // One more than allowed, so that the excess is noticed and a directory that keeps
        // growing comes to an end.
        let most = usize::try_from(self.entries_left).unwrap_or(usize::MAX).saturating_add(1);
        let entries = fs::read_dir(format!("/proc/self/fd/{}", listed.as_raw_fd()))?.take(most);
        let mut names: Vec<_> =
            entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn child(
        &mut self,
        parent: &HeldEntry,
        child: &HeldEntry,
        name: &mut Vec<u8>,
        depth: usize,
    ) -> io::Result<()> {
        if name.len() > MAX_PATH {
            return Err(io::Error::other("the workspace holds a path too long to copy"));
        }
        let kind = child.facts.file_type();
        if std::str::from_utf8(name).is_err() {
            self.skipped += 1;
            return Ok(());
        }
        if kind.is_dir() {
            self.entry(entry::DIRECTORY, name, child.facts.mode(), 0, &[])?;
            name.push(b'/');
            return self.directory(child, name, depth + 1);
        }
        if kind.is_symlink() {
            return self.link(parent, name);
        }
        if kind.is_file() {
            return self.file(child, name);
        }
        self.skipped += 1;
        Ok(())
    }

    fn link(&mut self, parent: &HeldEntry, name: &[u8]) -> io::Result<()> {
        let last = name.rsplit(|b| *b == b'/').next().unwrap_or(name);
        let at = parent.path().join(std::ffi::OsStr::from_bytes(last));
        match fs::read_link(at) {
            Ok(target) if target.to_str().is_some() => {
                let target = target.as_os_str().as_bytes();
                self.entry(entry::SYMLINK, name, 0, target.len() as u64, target)
            }
            // No text, or no link any more.
            _ => {
                self.skipped += 1;
                Ok(())
            }
        }
    }

    /// As long as it was when it was found: one that keeps growing comes to an end.
    fn file(&mut self, held: &HeldEntry, name: &[u8]) -> io::Result<()> {
        let (mode, size) = (held.facts.mode(), held.facts.size());
        let file = held.reopen(O_NONBLOCK)?;
        let (mut at, mut kind) = (0, entry::FILE);
        while at < size {
            let (begin, end) = sys::data_from(&file, at, size).unwrap_or((size, size));
            // A hole that is not worth a piece is data.
            let hole = begin.min(size) - at;
            let begin = if hole < LEAST_HOLE && begin < size { at } else { at + hole };
            if begin > at {
                self.hole(&mut kind, name, mode, begin - at)?;
            }
            at = begin;
            while at < end.min(size) {
                let length = (end.min(size) - at).min(CHUNK as u64);
                self.bytes(&mut kind, &file, name, mode, at, length)?;
                at += length;
            }
        }
        match kind {
            entry::FILE => self.entry(kind, name, mode, 0, &[]),
            _ => Ok(()),
        }
    }

    fn hole(&mut self, kind: &mut u8, name: &[u8], mode: u32, length: u64) -> io::Result<()> {
        if *kind == entry::FILE {
            self.entry(entry::FILE, name, mode, 0, &[])?;
        }
        *kind = entry::MORE;
        self.entry(entry::HOLE, name, mode, 8, &length.to_le_bytes())
    }

    fn bytes(
        &mut self,
        kind: &mut u8,
        file: &File,
        name: &[u8],
        mode: u32,
        at: u64,
        length: u64,
    ) -> io::Result<()> {
        let mut chunk = vec![0; if self.measures { 0 } else { length as usize }];
        // What was cut off meanwhile is zeros.
        let mut filled = 0;
        while filled < chunk.len() {
            match file.read_at(&mut chunk[filled..], at + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        self.entry(std::mem::replace(kind, entry::MORE), name, mode, length, &chunk)
    }

    /// `content` is of that length, or nothing where entries are only counted.
    fn entry(
        &mut self,
        kind: u8,
        name: &[u8],
        mode: u32,
        length: u64,
        content: &[u8],
    ) -> io::Result<()> {
        let over = || io::Error::other("the workspace is larger than a copy may be");
        let piece = matches!(kind, entry::MORE | entry::HOLE);
        let count = if piece { &mut self.pieces_left } else { &mut self.entries_left };
        *count = count.checked_sub(1).ok_or_else(over)?;
        let bytes = length + name.len() as u64;
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(over)?;
        if self.measures {
            return (self.found)(&[], bytes + OVERHEAD);
        }
        let mut writer = PayloadWriter::default();
        writer.u8(kind).bytes(name).u32(mode & 0o777).bytes(content);
        (self.found)(&writer.0, bytes + OVERHEAD)
    }
}

//! Copies the workspace out, as entries in frames (PACK). The host never writes the copy to its
//! own disk: it keeps the frames in memory and sends them to another sandbox.
//!
//! The workspace is walked twice with the same code: first to measure, then to send. The host
//! reserves memory for the measured size, so [`pack`] fails if the workspace has grown since.
//!
//! Programs may change the workspace during the copy. So the guest opens each entry with a
//! descriptor that follows no link, and from then on reaches the entry only through this
//! descriptor. Whatever a program puts in the place of an entry, nothing outside of the
//! workspace is read.

use crate::files::{MAX_DEPTH, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK};
use crate::shell_session::workspace_path;
use crate::sys;
use crate::wire::{
    CHUNK, LEAST_HOLE, MalformedFrame, PayloadReader, PayloadWriter, SKIPPED_NAMED, SKIPPED_PATH,
    entry, skipped,
};
use std::fs::{self, File, FileType, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Opens an entry without access to its content; this works for any mode and any kind.
pub const O_PATH: i32 = 0o10_000_000;

/// The limits of a copy, as the host sends them with PACK.
pub struct CopyLimits {
    /// The most bytes of names and content.
    bytes: u64,
    /// The most directories, files and links. Further pieces of files have the limit
    /// [`MAX_PIECES`].
    entries: u64,
    /// Kill every process before the copy, so that nothing changes meanwhile.
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

/// The most chunks and holes of all files together, beyond the first entry of each file.
const MAX_PIECES: u64 = 65_536;

/// How large a copy is, as the SIZE frame says it.
#[derive(Clone, Copy, Default)]
pub struct CopySize {
    /// Bytes of all entries in the frames, with their fixed fields.
    pub bytes: u64,
    /// Entries in the frames, further chunks and holes included.
    pub entries: u64,
}

/// The entries that a copy leaves out.
#[derive(Default)]
pub struct SkippedEntries {
    count: u32,
    /// The first ones: why, and the path, which may be cut.
    named: Vec<(u8, Vec<u8>)>,
}

impl SkippedEntries {
    fn add(&mut self, why: u8, path: &[u8]) {
        self.count += 1;
        if self.named.len() < SKIPPED_NAMED {
            self.named.push((why, path[..path.len().min(SKIPPED_PATH)].to_vec()));
        }
    }

    /// The fields of the DONE that ends the copy.
    pub fn payload(&self) -> Vec<u8> {
        let mut writer = PayloadWriter::default();
        writer.u32(self.count);
        for (why, path) in &self.named {
            writer.u8(*why).bytes(path);
        }
        writer.0
    }
}

/// Why a special file is left out.
fn special(kind: FileType) -> u8 {
    if kind.is_fifo() {
        skipped::FIFO
    } else if kind.is_socket() {
        skipped::SOCKET
    } else {
        skipped::DEVICE
    }
}

/// The size of the copy, found without reading a file. An error means that the workspace
/// exceeds `limits` or cannot be read.
pub fn measure(limits: &CopyLimits) -> io::Result<CopySize> {
    let mut size = CopySize::default();
    walk(limits, true, &mut |_, entry| {
        size.bytes += entry;
        size.entries += 1;
        Ok(())
    })?;
    Ok(size)
}

/// Sends every directory, regular file and symbolic link of the workspace to `send`, as
/// payloads of entries in the order of their paths. Returns what was left out: special files, and
/// names that are not UTF-8, which a record could not tell apart. `left` is what was measured. Where
/// more is found, the copy fails.
pub fn pack(
    limits: &CopyLimits,
    mut left: CopySize,
    mut send: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<SkippedEntries> {
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

/// Walks the workspace and calls `found` for each entry. Returns what was left out.
fn walk(limits: &CopyLimits, measures: bool, found: EntryCallback<'_>) -> io::Result<SkippedEntries> {
    let (bytes_left, entries_left, pieces_left) = (limits.bytes, limits.entries, MAX_PIECES);
    let skipped = SkippedEntries::default();
    let mut packer =
        WorkspacePacker { bytes_left, entries_left, pieces_left, skipped, measures, found };
    packer.directory(&HeldEntry::open(workspace_path())?, &mut Vec::new(), 0)?;
    Ok(packer.skipped)
}

/// Is called for each entry with its bytes, which are empty while the copy is measured, and
/// with their number.
type EntryCallback<'a> = &'a mut dyn FnMut(&[u8], u64) -> io::Result<()>;

/// An entry of the tree, held by a descriptor whatever becomes of its name. A program may have
/// taken the right to read from the owner, which is the guest's user too. Then the guest adds
/// the right while it reads and takes it back in `drop`.
struct HeldEntry {
    handle: File,
    /// Kind, mode and size at the moment when the entry was opened.
    facts: Metadata,
    /// Whether the mode was changed and must be set back.
    widened: bool,
}

impl HeldEntry {
    /// Opens an entry without following a link, and makes it readable if it is not.
    fn open(at: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let handle = options.read(true).custom_flags(O_PATH | O_NOFOLLOW).open(at)?;
        let facts = handle.metadata()?;
        let needed = if facts.is_dir() { 0o500 } else { 0o400 };
        let mut held = Self { handle, facts, widened: false };
        if !held.facts.is_symlink() && held.facts.mode() & needed != needed {
            // If this fails, the read that follows fails too, and its error is reported.
            held.widened = held.set_mode(held.facts.mode() | needed).is_ok();
        }
        Ok(held)
    }

    /// A path that leads to the entry itself and never to what has its name now.
    fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd()))
    }

    /// Opens the entry for reading.
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
            // A program may have changed or removed the entry meanwhile. Then a failure changes
            // nothing.
            let _ = self.set_mode(self.facts.mode());
        }
    }
}

/// Bytes of an entry besides its path and its content: kind (1), the lengths of path and
/// content (4 each), mode (4).
const OVERHEAD: u64 = 13;

/// Bytes of the longest path that is copied. It is the kernel's `PATH_MAX` less some bytes for
/// the root below which the copy will be written.
const MAX_PATH: usize = 4_000;

/// One walk of the workspace with what is left of the limits.
struct WorkspacePacker<'a> {
    bytes_left: u64,
    entries_left: u64,
    pieces_left: u64,
    skipped: SkippedEntries,
    /// Only count: no file is read, and `found` gets no bytes.
    measures: bool,
    found: EntryCallback<'a>,
}

impl WorkspacePacker<'_> {
    /// Walks a directory in the order of names, parents first. `prefix` is its path with a
    /// slash at the end, or empty for the workspace itself.
    fn directory(&mut self, held: &HeldEntry, prefix: &mut Vec<u8>, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::other("the workspace is nested too deeply to copy"));
        }
        for name in self.names(held)? {
            let length = prefix.len();
            prefix.extend_from_slice(name.as_bytes());
            match HeldEntry::open(&held.path().join(&name)) {
                Ok(child) => self.child(held, &child, prefix, depth)?,
                // A program has removed it since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            prefix.truncate(length);
        }
        Ok(())
    }

    /// The sorted names in a directory.
    fn names(&self, held: &HeldEntry) -> io::Result<Vec<std::ffi::OsString>> {
        let listed = held.reopen(O_DIRECTORY)?;
        // At most one name more than allowed is read. So the excess is noticed (if none of the
        // names is left out), and the reading of a directory that keeps growing comes to an end.
        let most = usize::try_from(self.entries_left).unwrap_or(usize::MAX).saturating_add(1);
        let entries = fs::read_dir(format!("/proc/self/fd/{}", listed.as_raw_fd()))?.take(most);
        let mut names: Vec<_> =
            entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        names.sort_unstable();
        Ok(names)
    }

    /// Copies one entry of a directory, or leaves it out.
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
            self.skipped.add(skipped::ODD_NAME, name);
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
        self.skipped.add(special(kind), name);
        Ok(())
    }

    /// Copies a symbolic link. It is read by its name in the held parent directory, so a link
    /// that was replaced meanwhile is left out or read as the new link, and never followed.
    fn link(&mut self, parent: &HeldEntry, name: &[u8]) -> io::Result<()> {
        let last = name.rsplit(|b| *b == b'/').next().unwrap_or(name);
        let at = parent.path().join(std::ffi::OsStr::from_bytes(last));
        match fs::read_link(at) {
            Ok(target) if target.to_str().is_some() => {
                let target = target.as_os_str().as_bytes();
                self.entry(entry::SYMLINK, name, 0, target.len() as u64, target)
            }
            // The target is not UTF-8, or the entry is not a link any more.
            _ => {
                self.skipped.add(skipped::ODD_LINK, name);
                Ok(())
            }
        }
    }

    /// Copies a file up to the size that it had when it was opened, so the copy of a file that
    /// keeps growing comes to an end. Data becomes chunks, and long runs of zeros that take no
    /// space become holes.
    fn file(&mut self, held: &HeldEntry, name: &[u8]) -> io::Result<()> {
        let (mode, size) = (held.facts.mode(), held.facts.size());
        let file = held.reopen(O_NONBLOCK)?;
        // `kind` is FILE until the first entry of this file was made, and MORE afterwards.
        let (mut at, mut kind) = (0, entry::FILE);
        while at < size {
            let (begin, end) = sys::data_from(&file, at, size).unwrap_or((size, size));
            // A short hole inside the file is sent as data. A hole at the end always stays a
            // hole.
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

    /// Makes a HOLE entry. Before it, an empty FILE entry begins the file, if nothing has begun
    /// it yet.
    fn hole(&mut self, kind: &mut u8, name: &[u8], mode: u32, length: u64) -> io::Result<()> {
        if *kind == entry::FILE {
            self.entry(entry::FILE, name, mode, 0, &[])?;
        }
        *kind = entry::MORE;
        self.entry(entry::HOLE, name, mode, 8, &length.to_le_bytes())
    }

    /// Makes a FILE or MORE entry of one chunk.
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
        // The chunk keeps its length when the file was cut meanwhile: the rest is zeros.
        let mut filled = 0;
        while filled < chunk.len() {
            match file.read_at(&mut chunk[filled..], at + filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        self.entry(std::mem::replace(kind, entry::MORE), name, mode, length, &chunk)
    }

    /// Counts one entry against the limits and passes it to `found`. `content` has `length`
    /// bytes, or none while the copy is measured.
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
        writer.u8(kind).bytes(name).u32(mode & 0o7777).bytes(content);
        (self.found)(&writer.0, bytes + OVERHEAD)
    }
}

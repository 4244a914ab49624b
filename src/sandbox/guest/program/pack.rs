//! Copying the workspace out, as entries in frames. Nothing of it is ever unpacked on the
//! host: the frames go into another sandbox.
//!
//! Programs may run meanwhile and change what is being copied. So each entry is first held
//! by a descriptor that follows no link, and from then on only reached through it: whatever
//! is put in its place, nothing outside of the workspace is ever read.

use crate::files::{MAX_DEPTH, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK};
use crate::wire::{CHUNK, Malformed, Reader, Writer, entry};
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const O_PATH: i32 = 0o10_000_000;

/// What a copy may hold.
pub struct Limits {
    bytes: u64,
    entries: u64,
    /// End every process first, so that nothing changes while it is copied.
    pub quiesce: bool,
}

impl Limits {
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            bytes: reader.u64()?,
            entries: reader.u64()?,
            quiesce: reader.u8()? != 0,
        })
    }
}

/// Sends every directory, regular file and symbolic link of the workspace to `send`, in
/// order of their paths; returns how many others were left behind: special files, and names
/// that are no UTF-8, which a record could not tell apart.
pub fn pack(
    limits: &Limits,
    mut send: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u32> {
    let mut packer = Packer {
        bytes_left: limits.bytes,
        entries_left: limits.entries,
        skipped: 0,
        pending: Writer::default(),
        send: &mut send,
    };
    packer.directory(&Held::open(Path::new("/work"))?, &mut Vec::new(), 0)?;
    packer.flush()?;
    Ok(packer.skipped)
}

/// An entry of the tree, held whatever becomes of its name. A program may have closed it to
/// itself: it is opened wider while it is read, and put back.
struct Held {
    handle: File,
    facts: Metadata,
    widened: bool,
}

impl Held {
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

impl Drop for Held {
    fn drop(&mut self) {
        if self.widened {
            // Its owner may have removed or changed it meanwhile; then that stands.
            let _ = self.set_mode(self.facts.mode());
        }
    }
}

/// What can be written again below a root: `PATH_MAX`, less the root and a little.
const MAX_PATH: usize = 4_000;

struct Packer<'a> {
    bytes_left: u64,
    entries_left: u64,
    skipped: u32,
    pending: Writer,
    send: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
}

impl Packer<'_> {
    fn directory(&mut self, held: &Held, prefix: &mut Vec<u8>, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::other("the workspace is nested too deeply to copy"));
        }
        for name in self.names(held)? {
            let length = prefix.len();
            prefix.extend_from_slice(name.as_bytes());
            match Held::open(&held.path().join(&name)) {
                Ok(child) => self.child(held, &child, prefix, depth)?,
                // Removed since it was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            prefix.truncate(length);
        }
        Ok(())
    }

    fn names(&self, held: &Held) -> io::Result<Vec<std::ffi::OsString>> {
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
        parent: &Held,
        child: &Held,
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
            self.entry(entry::DIRECTORY, name, child.facts.mode(), &[])?;
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

    fn link(&mut self, parent: &Held, name: &[u8]) -> io::Result<()> {
        let last = name.rsplit(|b| *b == b'/').next().unwrap_or(name);
        let at = parent.path().join(std::ffi::OsStr::from_bytes(last));
        match fs::read_link(at) {
            Ok(target) if target.to_str().is_some() => {
                self.entry(entry::SYMLINK, name, 0, target.as_os_str().as_bytes())
            }
            // No text, or no link any more.
            _ => {
                self.skipped += 1;
                Ok(())
            }
        }
    }

    /// As long as it was when it was found: one that keeps growing comes to an end.
    fn file(&mut self, held: &Held, name: &[u8]) -> io::Result<()> {
        let mode = held.facts.mode();
        let mut file = held.reopen(O_NONBLOCK)?.take(held.facts.size());
        let mut kind = entry::FILE;
        loop {
            let mut chunk = Vec::new();
            file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
            if chunk.is_empty() && kind == entry::MORE {
                return Ok(());
            }
            self.entry(kind, name, mode, &chunk)?;
            if chunk.len() < CHUNK {
                return Ok(());
            }
            kind = entry::MORE;
        }
    }

    fn entry(&mut self, kind: u8, name: &[u8], mode: u32, content: &[u8]) -> io::Result<()> {
        let over = || io::Error::other("the workspace is larger than a copy may be");
        self.entries_left = self.entries_left.checked_sub(1).ok_or_else(over)?;
        let bytes = (content.len() + name.len()) as u64;
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or_else(over)?;
        self.pending.u8(kind).bytes(name).u32(mode & 0o777).bytes(content);
        if self.pending.0.len() >= CHUNK {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.pending.0.is_empty() {
            return Ok(());
        }
        let payload = std::mem::take(&mut self.pending.0);
        (self.send)(&payload)
    }
}

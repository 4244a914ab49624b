//! Copying the workspace out, as entries in frames. Nothing of it is ever unpacked on the
//! host: the frames go into another sandbox. Nothing else runs in this one meanwhile.

use crate::files::{MAX_DEPTH, O_NOFOLLOW};
use crate::wire::{CHUNK, Malformed, Reader, Writer, entry};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

const O_NONBLOCK: i32 = 0o4000;

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
    packer.directory(Path::new("/work"), &mut Vec::new(), 0)?;
    packer.flush()?;
    Ok(packer.skipped)
}

/// A program may close its own files to itself; the copy keeps their modes all the same.
fn open_to_owner(at: &Path, facts: &fs::Metadata) {
    let needed = if facts.is_dir() { 0o500 } else { 0o400 };
    if (facts.is_dir() || facts.is_file()) && facts.mode() & needed != needed {
        let wider = fs::Permissions::from_mode(facts.mode() & 0o777 | needed);
        // Where it fails, opening fails next and says so.
        let _ = fs::set_permissions(at, wider);
    }
}

struct Packer<'a> {
    bytes_left: u64,
    entries_left: u64,
    skipped: u32,
    pending: Writer,
    send: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
}

impl Packer<'_> {
    fn directory(&mut self, at: &Path, prefix: &mut Vec<u8>, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH {
            return Err(io::Error::other("the workspace is nested too deeply to copy"));
        }
        let mut children: Vec<_> = fs::read_dir(at)?.collect::<io::Result<_>>()?;
        children.sort_unstable_by_key(fs::DirEntry::file_name);
        for child in children {
            let length = prefix.len();
            prefix.extend_from_slice(child.file_name().as_bytes());
            self.child(&child.path(), prefix, depth)?;
            prefix.truncate(length);
        }
        Ok(())
    }

    fn child(&mut self, at: &Path, name: &mut Vec<u8>, depth: usize) -> io::Result<()> {
        let facts = fs::symlink_metadata(at)?;
        let kind = facts.file_type();
        if at.to_str().is_none() {
            self.skipped += 1;
            return Ok(());
        }
        open_to_owner(at, &facts);
        if kind.is_dir() {
            self.entry(entry::DIRECTORY, name, facts.mode(), &[])?;
            name.push(b'/');
            return self.directory(at, name, depth + 1);
        }
        if kind.is_symlink() {
            let target = fs::read_link(at)?;
            if target.to_str().is_none() {
                self.skipped += 1;
                return Ok(());
            }
            return self.entry(entry::SYMLINK, name, 0, target.as_os_str().as_bytes());
        }
        if kind.is_file() {
            return self.file(at, name, facts.mode());
        }
        self.skipped += 1;
        Ok(())
    }

    fn file(&mut self, at: &Path, name: &[u8], mode: u32) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK);
        let mut file: File = options.open(at)?;
        let mut kind = entry::FILE;
        loop {
            let mut chunk = Vec::new();
            file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
            if chunk.is_empty() && kind == entry::MORE {
                return Ok(());
            }
            let last = chunk.len() < CHUNK;
            self.entry(kind, name, mode, &chunk)?;
            if last {
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

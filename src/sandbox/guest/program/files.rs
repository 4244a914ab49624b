//! Laying files into the two trees and listing the workspace.

use crate::invalid;
use crate::wire::{Malformed, Reader, Writer, entry, tree};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

const O_NOFOLLOW: i32 = 0o400_000;
/// Paths a scan lists; the digest covers all of them.
const MAX_LISTED: usize = 256;
pub const MAX_DEPTH: usize = 64;

fn root_of(which: u8) -> io::Result<&'static Path> {
    match which {
        tree::WORKSPACE => Ok(Path::new("/work")),
        tree::SEALED => Ok(Path::new("/sealed")),
        _ => Err(invalid(Malformed("unknown tree"))),
    }
}

/// Empties a tree.
pub fn clear(which: u8) -> io::Result<()> {
    for child in fs::read_dir(root_of(which)?)? {
        let child = child?;
        if child.file_type()?.is_dir() {
            make_removable(&child.path());
            fs::remove_dir_all(child.path())?;
        } else {
            fs::remove_file(child.path())?;
        }
    }
    Ok(())
}

/// Opens directories their owner has closed to himself, so that they can be removed.
fn make_removable(directory: &Path) {
    let _ = fs::set_permissions(directory, fs::Permissions::from_mode(0o700));
    let Ok(children) = fs::read_dir(directory) else { return };
    for child in children.flatten() {
        if child.file_type().is_ok_and(|t| t.is_dir()) {
            make_removable(&child.path());
        }
    }
}

/// Writes the entries of a frame below a tree; their number is the answer.
pub fn lay(reader: &mut Reader<'_>) -> io::Result<u32> {
    let root = root_of(reader.u8().map_err(invalid)?)?;
    let mut count = 0;
    while !reader.at_end() {
        lay_entry(root, reader)?;
        count += 1;
    }
    Ok(count)
}

fn lay_entry(root: &Path, reader: &mut Reader<'_>) -> io::Result<()> {
    let kind = reader.u8().map_err(invalid)?;
    let path = below(root, reader.bytes().map_err(invalid)?)?;
    let mode = reader.u32().map_err(invalid)?;
    let content = reader.bytes().map_err(invalid)?;
    let outcome = match kind {
        // Open while it is filled; the host sends closed directories again at the end.
        entry::DIRECTORY => fs::create_dir_all(&path).and_then(|()| set_mode(&path, mode)),
        entry::FILE => write_file(&path, content, mode),
        entry::MORE => OpenOptions::new()
            .append(true)
            .custom_flags(O_NOFOLLOW)
            .open(&path)
            .and_then(|mut file| file.write_all(content)),
        entry::SYMLINK => link(&path, content),
        _ => return Err(invalid(Malformed("unknown kind of entry"))),
    };
    outcome.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// `relative` below `root`, refusing what would leave it.
fn below(root: &Path, relative: &[u8]) -> io::Result<PathBuf> {
    let path = Path::new(std::ffi::OsStr::from_bytes(relative));
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || relative.is_empty() || relative.contains(&0) {
        return Err(invalid(Malformed("path outside its tree")));
    }
    Ok(root.join(path))
}

fn write_file(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).custom_flags(O_NOFOLLOW);
    let mut file: File = options.open(path)?;
    file.write_all(content)?;
    file.set_permissions(fs::Permissions::from_mode(mode & 0o777))
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o777))
}

fn link(path: &Path, target: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    std::os::unix::fs::symlink(std::ffi::OsStr::from_bytes(target), path)
}

/// Appends a digest of the whole workspace and the first paths of it, in order.
pub fn scan(reply: &mut Writer) {
    let mut found = Found::default();
    found.walk(Path::new("/work"), &mut Vec::new(), 0);
    found.listed.sort_unstable();
    found.listed.truncate(MAX_LISTED);
    reply.u64(found.digest).u32(found.listed.len() as u32);
    for path in &found.listed {
        reply.bytes(path);
    }
}

#[derive(Default)]
struct Found {
    digest: u64,
    listed: Vec<Vec<u8>>,
}

impl Found {
    fn walk(&mut self, directory: &Path, prefix: &mut Vec<u8>, depth: usize) {
        let Ok(entries) = fs::read_dir(directory) else { return };
        for entry in entries.flatten() {
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
        if facts.is_file() && self.listed.len() < 64 * MAX_LISTED {
            self.listed.push(path.to_vec());
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

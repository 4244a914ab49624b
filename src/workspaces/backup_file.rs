//! A backup of the kept workspaces: one file beside the backup of the store.
//!
//! ```text
//! synthd-workspaces-backup-1
//! for each workspace:  length of its name, name, length, content, SHA-256 of name and content
//! at the end:          zero, how many there are
//! ```
//! Numbers are little-endian. A file that ends too early, or in which a byte has changed, is refused.

use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use synthd_actors::supervisor::assert_may_block;

/// The first bytes.
const MAGIC: &[u8] = b"synthd-workspaces-backup-1";
/// The ending of the name of a kept workspace.
const ENDING: &str = ".zst";
/// The most bytes of a name.
const LONGEST_NAME: u64 = 255;

/// The kept workspaces in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkspacesBackup {
    pub path: PathBuf,
    pub bytes: u64,
    /// How many workspaces it has.
    pub workspaces: u64,
}

/// Writes the kept workspaces of a data directory into the new file `to`, and reads it again. None
/// if nothing is kept; then no file is made. A workspace that is removed meanwhile is left out.
pub(crate) fn write_backup(data_dir: &Path, to: &Path) -> io::Result<Option<WorkspacesBackup>> {
    assert_may_block("back up workspaces");
    let kept = kept_files(&data_dir.join("workspaces"))?;
    if kept.is_empty() {
        return Ok(None);
    }
    let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    let mut out = BufWriter::new(file);
    out.write_all(MAGIC)?;
    let mut workspaces = 0_u64;
    for path in kept {
        workspaces += u64::from(write_workspace(&mut out, &path)?);
    }
    write_number(&mut out, 0)?;
    write_number(&mut out, workspaces)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    read_all(to, |_, _| Ok(Box::new(io::sink())))?;
    Ok(Some(WorkspacesBackup { path: to.to_owned(), bytes: fs::metadata(to)?.len(), workspaces }))
}

/// Writes the workspaces of a backup into the new directory `into`, and syncs them to the disk.
/// Returns how many there are. After an error, the directory may have some of them.
pub(crate) fn read_backup(from: &Path, into: &Path) -> io::Result<u64> {
    assert_may_block("restore workspaces");
    DirBuilder::new().mode(0o700).create(into)?;
    let count = read_all(from, |name, _| Ok(Box::new(File::create_new(into.join(name))?)))?;
    for entry in fs::read_dir(into)? {
        File::open(entry?.path())?.sync_all()?;
    }
    File::open(into)?.sync_all()?;
    Ok(count)
}

/// The finished files of a directory with kept workspaces, by name. None if there is no directory.
fn kept_files(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.file_name().is_some_and(|name| is_name(&name.to_string_lossy())));
    paths.sort();
    Ok(paths)
}

/// Whether a name is that of a kept workspace: nothing in it leads to another directory.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.ends_with(ENDING) && !name.starts_with('.') && name.bytes().all(is_plain)
}

/// Writes one workspace. Returns whether its file was still there.
fn write_workspace(out: &mut impl Write, path: &Path) -> io::Result<bool> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let length = file.metadata()?.len();
    write_number(out, name.len() as u64)?;
    out.write_all(name.as_bytes())?;
    write_number(out, length)?;
    let mut digest = Sha256::new_with_prefix(name.as_bytes());
    copy_exactly(&mut file, length, &mut digest, out)?;
    out.write_all(&sum_of(digest))?;
    Ok(true)
}

/// Reads a whole backup. `place` gives the place for the content of a workspace with this name and
/// length. Returns how many workspaces there are.
fn read_all(
    from: &Path,
    mut place: impl FnMut(&str, u64) -> io::Result<Box<dyn Write>>,
) -> io::Result<u64> {
    let mut from = BufReader::new(File::open(from)?);
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(damaged("it is no backup of workspaces"));
    }
    let mut count = 0;
    loop {
        let length = read_number(&mut from)?;
        if length == 0 {
            break;
        }
        let name = read_name(&mut from, length)?;
        let length = read_number(&mut from)?;
        let mut digest = Sha256::new_with_prefix(name.as_bytes());
        copy_exactly(&mut from, length, &mut digest, &mut place(&name, length)?)?;
        let mut expected = [0_u8; 32];
        from.read_exact(&mut expected)?;
        if sum_of(digest) != expected {
            return Err(damaged(&format!("the digest of {name} differs")));
        }
        count += 1;
    }
    let has_all = read_number(&mut from)? == count && from.read(&mut [0])? == 0;
    if has_all { Ok(count) } else { Err(damaged("it has more or fewer than it says")) }
}

fn read_name(from: &mut impl Read, length: u64) -> io::Result<String> {
    if length > LONGEST_NAME {
        return Err(damaged("a name that is too long"));
    }
    let mut bytes = Vec::new();
    from.by_ref().take(length).read_to_end(&mut bytes)?;
    let name = String::from_utf8(bytes).unwrap_or_default();
    let is_whole = name.len() as u64 == length && is_name(&name);
    if is_whole { Ok(name) } else { Err(damaged("a name that no workspace has")) }
}

fn sum_of(digest: Sha256) -> [u8; 32] {
    digest.finalize().into()
}

/// Copies so many bytes, and adds them to the digest. Fails if there are fewer.
fn copy_exactly(
    from: &mut impl Read,
    length: u64,
    digest: &mut Sha256,
    to: &mut impl Write,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    let mut from = from.by_ref().take(length);
    let mut copied = 0;
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        copied += read as u64;
    }
    to.flush()?;
    if copied == length { Ok(()) } else { Err(damaged("it ends too early")) }
}

fn write_number(out: &mut impl Write, number: u64) -> io::Result<()> {
    out.write_all(&number.to_le_bytes())
}

fn read_number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn damaged(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the kept workspaces are damaged: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::{TempDir, tempdir};

    /// A data directory with two kept workspaces and an unfinished one.
    fn data() -> TempDir {
        let dir = tempdir().unwrap();
        let kept = dir.path().join("workspaces");
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("ep-1-1.zst"), b"first").unwrap();
        fs::write(kept.join("ep-2-1.zst"), vec![7; 200_000]).unwrap();
        fs::write(kept.join("ep-3-1.zst.tmp"), b"unfinished").unwrap();
        dir
    }

    #[test]
    fn workspaces_come_back_as_they_were() {
        let (data, to) = (data(), tempdir().unwrap());
        let file = to.path().join("backup");
        let written = write_backup(data.path(), &file).unwrap().unwrap();
        assert_eq!((written.workspaces, written.bytes > 200_000), (2, true));
        let into = to.path().join("restored");
        assert_eq!(read_backup(&file, &into).unwrap(), 2);
        assert_eq!(fs::read(into.join("ep-1-1.zst")).unwrap(), b"first");
        assert_eq!(fs::read(into.join("ep-2-1.zst")).unwrap(), vec![7; 200_000]);
        assert_eq!(fs::read_dir(&into).unwrap().count(), 2);
    }

    #[test]
    fn nothing_kept_is_no_file() {
        let dir = tempdir().unwrap();
        let file = dir.path().join("backup");
        assert_eq!(write_backup(dir.path(), &file).unwrap(), None);
        assert!(!file.exists());
    }

    #[test]
    fn every_damage_is_refused() {
        let (data, to) = (data(), tempdir().unwrap());
        fs::remove_file(data.path().join("workspaces/ep-2-1.zst")).unwrap();
        let file = to.path().join("backup");
        write_backup(data.path(), &file).unwrap();
        let whole = fs::read(&file).unwrap();
        let refused = |bytes: &[u8], what: &str| {
            fs::write(&file, bytes).unwrap();
            assert!(read_all(&file, |_, _| Ok(Box::new(io::sink()))).is_err(), "{what}");
        };
        for at in 0..whole.len() {
            refused(&whole[..at], &format!("cut at {at}"));
            let mut changed = whole.clone();
            changed[at] ^= 1;
            refused(&changed, &format!("changed at {at}"));
        }
        refused(&[whole.as_slice(), &[0]].concat(), "more at the end");
    }

    #[test]
    fn a_name_leads_nowhere_else() {
        for name in ["../up.zst", "a/b.zst", ".hidden.zst", "other.txt", "ep-1.zst\n", ""] {
            assert!(!is_name(name), "{name:?}");
        }
        assert!(is_name("ep-0123456789abcdef-1.zst"));
    }
}

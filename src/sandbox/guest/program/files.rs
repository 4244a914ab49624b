//! Emptying and filling the two trees.

use crate::invalid;
use crate::shell_session;
use crate::wire::{MalformedFrame, PayloadReader, entry, tree};
use std::collections::BTreeSet;
use std::fs::{self, DirEntry, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

#[cfg(target_arch = "x86_64")]
pub const O_NOFOLLOW: i32 = 0o400_000;
#[cfg(target_arch = "x86_64")]
pub const O_DIRECTORY: i32 = 0o200_000;
#[cfg(target_arch = "aarch64")]
pub const O_NOFOLLOW: i32 = 0o100_000;
#[cfg(target_arch = "aarch64")]
pub const O_DIRECTORY: i32 = 0o40_000;
pub const O_NONBLOCK: i32 = 0o4_000;
pub const MAX_DEPTH: usize = 64;
const NAME_IN_USE: [io::ErrorKind; 3] = [
    io::ErrorKind::DirectoryNotEmpty,
    io::ErrorKind::AlreadyExists,
    io::ErrorKind::NotADirectory,
];

fn root_of(which: u8) -> io::Result<&'static Path> {
    match which {
        tree::WORKSPACE => Ok(Path::new("/work")),
        tree::SEALED => Ok(Path::new("/sealed")),
        _ => Err(invalid(MalformedFrame("unknown tree"))),
    }
}

/// Where programs may write beside the two trees.
const SCRATCH: [&str; 4] = ["/tmp", "/home/agent", "/run", "/dev/shm"];

/// Empties a tree. Nothing may run meanwhile. With the sealed one goes all that programs
/// left outside of the workspace: what the next check reads there must not be theirs.
pub fn clear(which: u8) -> io::Result<()> {
    let root = root_of(which)?;
    if which == tree::SEALED {
        let more = std::env::var(shell_session::SCRATCH).unwrap_or_default();
        let more = more.split(':').filter(|area| !area.is_empty());
        for area in SCRATCH.into_iter().chain(more).map(Path::new).filter(|area| area.is_dir()) {
            empty(area)?;
        }
    }
    empty(root)
}

/// Directories are dissolved into the root one by one, so that no nesting is too deep for a
/// path or for the stack.
fn empty(root: &Path) -> io::Result<()> {
    let mut moved = 0_u64;
    let mode = fs::metadata(root)?.permissions().mode();
    if mode & 0o700 != 0o700 {
        // It is the programs' own to close; they do not keep it closed.
        fs::set_permissions(root, Permissions::from_mode(0o755))?;
    }
    loop {
        let children = children(root)?;
        if children.is_empty() {
            return Ok(());
        }
        for child in children {
            dissolve(root, &child, &mut moved)?;
        }
    }
}

fn dissolve(root: &Path, child: &DirEntry, moved: &mut u64) -> io::Result<()> {
    if !open_to_owner(child)? {
        return fs::remove_file(child.path());
    }
    for grandchild in children(&child.path())? {
        if !open_to_owner(&grandchild)? {
            fs::remove_file(grandchild.path())?;
            continue;
        }
        move_up(&grandchild.path(), root, moved)?;
    }
    fs::remove_dir(child.path())
}

fn move_up(directory: &Path, root: &Path, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        match fs::rename(directory, root.join(format!(".cleared-{moved}"))) {
            // The name is in use by something of the program's own: the next one, then.
            Err(error) if NAME_IN_USE.contains(&error.kind()) => {}
            other => return other,
        }
    }
}

fn children(directory: &Path) -> io::Result<Vec<DirEntry>> {
    fs::read_dir(directory)?.collect()
}

/// Whether it is a directory, which from now on its owner may read and write.
fn open_to_owner(entry: &DirEntry) -> io::Result<bool> {
    let directory = entry.file_type()?.is_dir();
    if directory {
        fs::set_permissions(entry.path(), Permissions::from_mode(0o700))?;
    }
    Ok(directory)
}

/// Writes entries below a tree. The file last begun stays open for more of it to come,
/// whatever its mode.
#[derive(Default)]
pub struct TreeWriter {
    open: Option<(PathBuf, File)>,
    /// Directories that have changed since they were last stamped.
    touched: BTreeSet<PathBuf>,
}

/// What is laid carries one time, whenever it is laid: an agent that lists its workspace
/// sees the same in a replay. 2024-01-01 00:00 UTC.
const LAID_AT: Duration = Duration::from_secs(1_704_067_200);

fn stamp(file: &File) {
    // A time that can not be set only makes a listing differ.
    let _ = file.set_modified(SystemTime::UNIX_EPOCH + LAID_AT);
}

impl TreeWriter {
    /// Closes what is open and stamps it. Must come before anything else runs: a program
    /// that is open for writing can not be executed.
    pub fn finish(&mut self) {
        if let Some((_, file)) = self.open.take() {
            stamp(&file);
        }
        for directory in std::mem::take(&mut self.touched) {
            // It may be something else by now.
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
            if let Ok(file) = options.open(directory) {
                stamp(&file);
            }
        }
    }

    fn touch(&mut self, root: &Path, path: &Path) {
        let above = path.ancestors().take_while(|at| at.starts_with(root));
        self.touched.extend(above.filter(|at| at.is_dir()).map(Path::to_owned));
    }

    /// Writes the entries of a frame; their number is the answer.
    pub fn lay(&mut self, reader: &mut PayloadReader<'_>) -> io::Result<u32> {
        let root = root_of(reader.u8().map_err(invalid)?)?;
        let mut count = 0;
        while !reader.at_end() {
            self.entry(root, reader)?;
            count += 1;
        }
        Ok(count)
    }

    fn entry(&mut self, root: &Path, reader: &mut PayloadReader<'_>) -> io::Result<()> {
        let kind = reader.u8().map_err(invalid)?;
        let path = below(root, reader.bytes().map_err(invalid)?)?;
        let mode = reader.u32().map_err(invalid)?;
        let content = reader.bytes().map_err(invalid)?;
        let outcome = match kind {
            // Open while it is filled; the host sends closed directories again at the end.
            entry::DIRECTORY => fs::create_dir_all(&path).and_then(|()| set_mode(&path, mode)),
            entry::FILE => self.begin(&path, content, mode),
            entry::MORE => self.more(&path, |file| file.write_all(content))?,
            entry::HOLE => {
                let length = content.try_into().map(u64::from_le_bytes);
                let length = length.map_err(|_| invalid(MalformedFrame("a hole of no length")))?;
                self.more(&path, |file| leave_hole(file, length))?
            }
            entry::SYMLINK => link(&path, content),
            _ => return Err(invalid(MalformedFrame("unknown kind of entry"))),
        };
        self.touch(root, &path);
        outcome
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// Whatever has the name goes first: what a program left there may be a FIFO, a link
    /// out of the tree, or a second name of another file.
    fn begin(&mut self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        make_way(path)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).custom_flags(O_NOFOLLOW);
        let mut file = options.open(path)?;
        file.write_all(content)?;
        file.set_permissions(Permissions::from_mode(mode & 0o777))?;
        if let Some((_, before)) = self.open.replace((path.to_owned(), file)) {
            stamp(&before);
        }
        Ok(())
    }

    fn more(
        &mut self,
        path: &Path,
        add: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<io::Result<()>> {
        match &mut self.open {
            Some((begun, file)) if begun == path => Ok(add(file)),
            _ => Err(invalid(MalformedFrame("more of a file that was not begun"))),
        }
    }
}

fn leave_hole(file: &mut File, length: u64) -> io::Result<()> {
    let end = file.stream_position()?.checked_add(length);
    let end = end.ok_or_else(|| io::Error::other("a file longer than any can be"))?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end)).map(|_| ())
}

/// `relative` below `root`, refusing what would leave it.
fn below(root: &Path, relative: &[u8]) -> io::Result<PathBuf> {
    let path = Path::new(std::ffi::OsStr::from_bytes(relative));
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || relative.is_empty() || relative.contains(&0) {
        return Err(invalid(MalformedFrame("path outside its tree")));
    }
    Ok(root.join(path))
}

fn make_way(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode & 0o777))
}

fn link(path: &Path, target: &[u8]) -> io::Result<()> {
    make_way(path)?;
    symlink(std::ffi::OsStr::from_bytes(target), path)
}

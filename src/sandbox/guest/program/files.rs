//! Fills and empties the two trees that the host writes to: `/work`, the workspace, and
//! `/sealed`, the files of checks.
//!
//! Untrusted programs can write to both trees. So a link or a FIFO that has the name of a file is
//! removed and never written to, directories may have any depth and any mode when a tree is
//! emptied, and a path that would leave its tree ends the guest. Links in the directories above a
//! file are followed.

use crate::invalid;
use crate::shell_session;
use crate::sys;
use crate::wire::{MalformedFrame, PayloadReader, entry, tree};
use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs::{self, DirEntry, File, OpenOptions, Permissions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

// The numbers of these flags differ between machines.
#[cfg(target_arch = "x86_64")]
pub const O_NOFOLLOW: i32 = 0o400_000;
#[cfg(target_arch = "x86_64")]
pub const O_DIRECTORY: i32 = 0o200_000;
#[cfg(target_arch = "aarch64")]
pub const O_NOFOLLOW: i32 = 0o100_000;
#[cfg(target_arch = "aarch64")]
pub const O_DIRECTORY: i32 = 0o40_000;
pub const O_NONBLOCK: i32 = 0o4_000;
pub const O_NOCTTY: i32 = 0o400;
/// The deepest directory that a scan or a copy enters.
pub const MAX_DEPTH: usize = 64;
/// The errors of a rename whose new name is taken.
const NAME_IN_USE: [io::ErrorKind; 3] = [
    io::ErrorKind::DirectoryNotEmpty,
    io::ErrorKind::AlreadyExists,
    io::ErrorKind::NotADirectory,
];

/// The guest's own program, opened before the guest becomes unable to. None: it cannot be read.
pub fn own_program() -> Option<File> {
    File::open("/proc/self/exe").ok()
}

/// The directory of a tree by its number on the wire.
fn root_of(which: u8) -> io::Result<&'static Path> {
    match which {
        tree::WORKSPACE => Ok(shell_session::workspace_path()),
        tree::SEALED => Ok(Path::new("/sealed")),
        _ => Err(invalid(MalformedFrame("unknown tree"))),
    }
}

/// Where programs may write beside the two trees, in every sandbox.
const SCRATCH: [&str; 4] = ["/tmp", "/home/agent", "/run", "/dev/shm"];

/// Empties a tree. No program may run meanwhile. Together with the sealed tree it empties the
/// scratch areas, so that a check finds nothing there that earlier programs left.
pub fn clear(which: u8) -> io::Result<()> {
    if which == tree::ALL {
        return clear(tree::SEALED).and_then(|()| clear(tree::WORKSPACE));
    }
    let root = root_of(which)?;
    if which == tree::SEALED {
        let more = std::env::var(shell_session::SCRATCH).unwrap_or_default();
        let more = more.split(':').filter(|area| !area.is_empty());
        for area in SCRATCH.into_iter().chain(more).map(Path::new).filter(|area| area.is_dir()) {
            empty(area)?;
        }
        if !root.is_dir() {
            // An agent's sandbox has no place for sealed files.
            return Ok(());
        }
    }
    empty(root)
}

/// Removes everything below a directory. Each round moves the directories of the second level
/// up to the root, so paths stay short and no recursion is needed, however deep a program has
/// nested them.
fn empty(root: &Path) -> io::Result<()> {
    let mut moved = 0_u64;
    let mode = fs::metadata(root)?.permissions().mode();
    if mode & 0o700 != 0o700 {
        // Programs may have taken the rights on it from the owner.
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

/// Removes one entry of the root. The directories in it move up to the root, where a later
/// round removes them.
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

/// Moves a directory into the root under a new name, such as `.cleared-7`.
fn move_up(directory: &Path, root: &Path, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        match fs::rename(directory, root.join(format!(".cleared-{moved}"))) {
            // A program has left something under this name; the next one is tried.
            Err(error) if NAME_IN_USE.contains(&error.kind()) => {}
            other => return other,
        }
    }
}

fn children(directory: &Path) -> io::Result<Vec<DirEntry>> {
    fs::read_dir(directory)?.collect()
}

/// Whether the entry is a directory. If so, its owner gets all rights on it, so that it can be
/// read and emptied.
fn open_to_owner(entry: &DirEntry) -> io::Result<bool> {
    let directory = entry.file_type()?.is_dir();
    if directory {
        fs::set_permissions(entry.path(), Permissions::from_mode(0o700))?;
    }
    Ok(directory)
}

/// Writes the entries of LAY frames below a tree. The file that was begun last stays open
/// between frames, because its next chunk may come with the next frame and its mode may forbid
/// opening it again.
pub struct TreeWriter {
    /// The guest's own program. None: it cannot be read.
    program: Option<File>,
    /// The file that was begun last.
    open: Option<LaidFile>,
    /// Directories that have changed since [`TreeWriter::finish`] last set their times.
    touched: BTreeSet<PathBuf>,
}

/// A file that is being laid.
struct LaidFile {
    path: PathBuf,
    file: File,
    mode: u32,
}

impl LaidFile {
    /// Sets what writing to the file would change: its set-id bits and its time.
    fn finish(self) {
        if self.mode & 0o7000 != 0 {
            // A failure only makes a listing differ. No sandbox obeys these bits.
            let _ = self.file.set_permissions(Permissions::from_mode(self.mode));
        }
        stamp(&self.file);
    }
}

/// The modification time of everything that is laid: 2024-01-01 00:00 UTC. It is always the
/// same, so that an agent that lists its workspace sees the same in a replay.
const LAID_AT: u32 = 1_704_067_200;

fn stamp(file: &File) {
    // A failure only makes a listing differ.
    let _ = file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(LAID_AT.into()));
}

/// Sets the time of a directory or a link, which is not followed.
fn stamp_at(path: &Path) {
    if let Ok(path) = CString::new(path.as_os_str().as_bytes()) {
        // A failure only makes a listing differ.
        let _ = sys::set_modified(&path, LAID_AT.into());
    }
}

impl TreeWriter {
    /// `program` is the guest's own, see [`own_program`].
    pub fn new(program: Option<File>) -> Self {
        Self { program, open: None, touched: BTreeSet::new() }
    }

    /// Closes the open file and sets the times of what was laid. It must be called before
    /// anything else runs, because a program that is open for writing cannot be executed.
    pub fn finish(&mut self) {
        if let Some(file) = self.open.take() {
            file.finish();
        }
        self.stamp_directories();
    }

    /// Sets the times of the directories that have changed.
    fn stamp_directories(&mut self) {
        for directory in std::mem::take(&mut self.touched) {
            stamp_at(&directory);
        }
    }

    /// Notes that the directories above a path, up to the root, have changed.
    fn touch(&mut self, root: &Path, path: &Path) {
        let above = path.ancestors().take_while(|at| at.starts_with(root));
        self.touched.extend(above.filter(|at| at.is_dir()).map(Path::to_owned));
    }

    /// Writes the entries of one frame and returns their number. An error that is no breach of
    /// the protocol is answered with FAILED; the entries before it stay.
    pub fn lay(&mut self, reader: &mut PayloadReader<'_>) -> io::Result<u32> {
        let root = root_of(reader.u8().map_err(invalid)?)?;
        let mut count = 0;
        while !reader.at_end() {
            self.entry(root, reader)?;
            count += 1;
        }
        Ok(count)
    }

    /// Writes one entry.
    fn entry(&mut self, root: &Path, reader: &mut PayloadReader<'_>) -> io::Result<()> {
        let kind = reader.u8().map_err(invalid)?;
        let path = below(root, reader.bytes().map_err(invalid)?)?;
        let mode = reader.u32().map_err(invalid)? & 0o7777;
        let content = reader.bytes().map_err(invalid)?;
        let outcome = match kind {
            // The host sends a directory first with all rights of its owner, so that it can be
            // filled, and once more with its own mode at the end.
            entry::DIRECTORY => self.directory(&path, mode),
            entry::FILE => self.begin(&path, content, mode),
            entry::MORE => self.more(&path, |file| file.write_all(content))?,
            entry::HOLE => {
                let length = content.try_into().map(u64::from_le_bytes);
                let length = length.map_err(|_| invalid(MalformedFrame("a hole of no length")))?;
                self.more(&path, |file| leave_hole(file, length))?
            }
            entry::SYMLINK => link(&path, content),
            entry::PROGRAM if content.is_empty() => self.own_program(&path, mode),
            _ => return Err(invalid(MalformedFrame("unknown kind of entry"))),
        };
        self.touch(root, &path);
        outcome
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// Makes a directory, or changes the mode of one. If the mode closes it, what is in it gets its
    /// time before, because it cannot be reached later.
    fn directory(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        if mode & 0o700 != 0o700 {
            self.stamp_directories();
        }
        fs::create_dir_all(path).and_then(|()| set_mode(path, mode))
    }

    /// Begins a file with its first chunk. Whatever has its name is removed first: it may be a
    /// FIFO, a link out of the tree, or a second name of another file.
    fn begin(&mut self, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
        make_way(path)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).custom_flags(O_NOFOLLOW);
        let mut file = options.open(path)?;
        file.write_all(content)?;
        file.set_permissions(Permissions::from_mode(mode & 0o777))?;
        if let Some(before) = self.open.replace(LaidFile { path: path.to_owned(), file, mode }) {
            before.finish();
        }
        Ok(())
    }

    /// Writes the guest's own program as a file.
    fn own_program(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let missing = || io::Error::other("the program of the sandbox cannot be read");
        let mut program = self.program.as_ref().ok_or_else(missing)?.try_clone()?;
        self.begin(path, &[], mode)?;
        program.seek(SeekFrom::Start(0))?;
        self.more(path, |file| io::copy(&mut program, file).map(|_| ()))?
    }

    /// Adds to the open file. The outer error is a breach of the protocol: `path` is not the
    /// file that was begun last. The inner one is a failure to write.
    fn more(
        &mut self,
        path: &Path,
        add: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<io::Result<()>> {
        match &mut self.open {
            Some(LaidFile { path: begun, file, .. }) if begun == path => Ok(add(file)),
            _ => Err(invalid(MalformedFrame("more of a file that was not begun"))),
        }
    }
}

/// Lengthens a file by zeros that take no space on the disk.
fn leave_hole(file: &mut File, length: u64) -> io::Result<()> {
    let end = file.stream_position()?.checked_add(length);
    let end = end.ok_or_else(|| io::Error::other("a file longer than any can be"))?;
    file.set_len(end)?;
    file.seek(SeekFrom::Start(end)).map(|_| ())
}

/// The path `relative` below `root`. Any component but a plain name is a breach of the
/// protocol.
fn below(root: &Path, relative: &[u8]) -> io::Result<PathBuf> {
    let path = Path::new(std::ffi::OsStr::from_bytes(relative));
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || relative.is_empty() || relative.contains(&0) {
        return Err(invalid(MalformedFrame("path outside its tree")));
    }
    Ok(root.join(path))
}

/// Makes the missing parents of a path and removes a file or link that has its name.
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
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Makes a symbolic link. Its target may be any text and is not followed.
fn link(path: &Path, target: &[u8]) -> io::Result<()> {
    make_way(path)?;
    symlink(std::ffi::OsStr::from_bytes(target), path)?;
    stamp_at(path);
    Ok(())
}

//! Finds what a path of the agent's leads to, as the kernel does for the agent's programs: with
//! the same user and the same rights, along links.
//!
//! Programs may change the tree meanwhile. So the path is walked entry by entry. Each entry is
//! opened without following a link and without access to its content, which opens no device and
//! waits for no FIFO. From then on it is reached only through its descriptor.
//!
//! One thing the guest may do and programs may not: look into its own entries below `/proc`. So a
//! path that leads into a file system of the kernel is refused at the entry where it gets there.
//! No link, such as `/dev/fd` or `/proc/1/root`, leads around this.

use crate::files::{O_NOCTTY, O_NOFOLLOW, O_NONBLOCK};
use crate::operation_refusal::{EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, GuestRefusal};
use crate::pack::O_PATH;
use crate::sys;
use crate::wire::{MAX_PATH, refusal};
use std::ffi::{OsStr, OsString, c_long};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Links that are followed at most, as by the kernel.
const MAX_LINKS: u32 = 40;
/// The file systems in which files are made up by the kernel: `proc`, `sysfs`, and both versions
/// of `cgroup`.
const KERNELS: [c_long; 4] = [0x9fa0, 0x6265_6572, 0x27_e0eb, 0x6367_7270];

/// An entry, held by a descriptor that gives no access to its content.
pub struct PathHandle {
    handle: File,
    /// Kind, mode and size at the moment when it was opened.
    pub facts: Metadata,
}

impl PathHandle {
    /// Opens an entry without following a link. An entry of the kernel's is refused.
    fn open(at: &Path) -> Result<Self, GuestRefusal> {
        let mut options = OpenOptions::new();
        let handle = options.read(true).custom_flags(O_PATH | O_NOFOLLOW).open(at)?;
        if KERNELS.contains(&sys::file_system(&handle)?) {
            let why = "A file of the kernel, which only commands may use";
            return Err(GuestRefusal::new(refusal::FAILED, why));
        }
        let facts = handle.metadata()?;
        Ok(Self { handle, facts })
    }

    /// A path that leads to the entry itself and never to what has its name now.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.handle.as_raw_fd()))
    }

    /// An entry of this directory. A link is not followed.
    pub fn child(&self, name: &OsStr) -> Result<Self, GuestRefusal> {
        Self::open(&self.path().join(name))
    }

    /// Opens the entry, which must be a regular file. Links, FIFOs and devices are never opened.
    pub fn open_file(&self, options: &mut OpenOptions) -> Result<File, GuestRefusal> {
        if self.facts.is_dir() {
            return Err(GuestRefusal::of(EISDIR));
        }
        if !self.facts.is_file() {
            return Err(GuestRefusal::new(refusal::NOT_REGULAR, "Not a regular file"));
        }
        // A program may hold a lease on the file, which a waiting open would wait for.
        options.custom_flags(O_NONBLOCK | O_NOCTTY);
        Ok(options.open(self.path())?)
    }
}

/// What a path leads to.
pub enum ResolvedPath {
    /// An entry that is there, and no link.
    Found(PathHandle),
    /// A name that is free, in a directory that is there.
    Free { parent: PathHandle, name: OsString },
}

/// A walk along a path.
struct PathWalk {
    at: PathHandle,
    /// The names that are left, the next one last.
    rest: Vec<OsString>,
    links: u32,
    /// Missing directories that may still be made. A program may remove them as fast.
    makes_left: usize,
}

/// Finds what an absolute path leads to. With `makes`, missing directories above the last name
/// are made, with the mode that a program's `mkdir` gives them.
pub fn resolve(path: &[u8], makes: bool) -> Result<ResolvedPath, GuestRefusal> {
    check_path(path)?;
    let at = PathHandle::open(Path::new("/"))?;
    let makes_left = if makes { MAX_PATH } else { 0 };
    let mut walk = PathWalk { at, rest: Vec::new(), links: 0, makes_left };
    walk.push(path);
    let end = walk.walk()?;
    let wants_directory = path.ends_with(b"/") || path.ends_with(b"/.");
    match &end {
        ResolvedPath::Found(found) if wants_directory && !found.facts.is_dir() => {
            Err(GuestRefusal::of(ENOTDIR))
        }
        ResolvedPath::Free { .. } if wants_directory && makes => Err(GuestRefusal::of(EISDIR)),
        _ => Ok(end),
    }
}

/// Finds an entry that must be there.
pub fn find(path: &[u8]) -> Result<PathHandle, GuestRefusal> {
    match resolve(path, false)? {
        ResolvedPath::Found(found) => Ok(found),
        ResolvedPath::Free { .. } => Err(GuestRefusal::of(ENOENT)),
    }
}

/// Refuses what no path can be. A relative path is refused too, because the guest has no
/// directory of the agent's.
fn check_path(path: &[u8]) -> Result<(), GuestRefusal> {
    if path.len() > MAX_PATH {
        return Err(GuestRefusal::of(ENAMETOOLONG));
    }
    if path.contains(&0) {
        return Err(GuestRefusal::new(refusal::FAILED, "The path has a NUL byte"));
    }
    if !path.starts_with(b"/") {
        return Err(GuestRefusal::new(refusal::FAILED, "The path is not absolute"));
    }
    Ok(())
}

impl PathWalk {
    /// Puts the names of a path before those that are left.
    fn push(&mut self, path: &[u8]) {
        let names = path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
        self.rest.extend(names.rev().map(|name| OsStr::from_bytes(name).to_owned()));
    }

    fn walk(mut self) -> Result<ResolvedPath, GuestRefusal> {
        while let Some(name) = self.rest.pop() {
            match self.step(&name) {
                Err(refusal) if !refusal.is_missing() => return Err(refusal),
                Err(_) if self.rest.is_empty() => {
                    return Ok(ResolvedPath::Free { parent: self.at, name });
                }
                Err(refusal) if self.makes_left == 0 => return Err(refusal),
                Err(_) => self.make(name)?,
                Ok(()) => {}
            }
        }
        Ok(ResolvedPath::Found(self.at))
    }

    /// Goes to the next entry. Of a link, the names of its target come next.
    fn step(&mut self, name: &OsStr) -> Result<(), GuestRefusal> {
        let child = self.at.child(name)?;
        if !child.facts.is_symlink() {
            self.at = child;
            return Ok(());
        }
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(GuestRefusal::of(ELOOP));
        }
        let target = fs::read_link(self.at.path().join(name))?;
        let target = target.as_os_str().as_bytes();
        if target.starts_with(b"/") {
            self.at = PathHandle::open(Path::new("/"))?;
        }
        self.push(target);
        Ok(())
    }

    /// Makes a missing directory. The next step goes there, or to what a program has put in its
    /// place.
    fn make(&mut self, name: OsString) -> Result<(), GuestRefusal> {
        self.makes_left -= 1;
        match fs::create_dir(self.at.path().join(&name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            other => other?,
        }
        self.rest.push(name);
        Ok(())
    }
}

//! Watches the directories of a large workspace, so that a scan looks only at what was written.
//!
//! ```text
//!               a whole look while nobody runs
//!   unarmed ──────────────────────────────────► armed
//!      ▲      somebody runs at the next scan,     │ │
//!      └────── or the events miss something ──────┘ └─► the events name what was written
//! ```
//!
//! The events are believed only if no process but the guest is alive at a scan, and none was at the
//! scan before. So no file was open or mapped at that time: whoever writes has to open a file
//! first, or to name it, and both are events. Nothing happens between a look at a directory and the
//! beginning of its watch.
//!
//! A user has few queues and watches, and shares them with the host. So a small workspace takes
//! none, and a large one no more than its part.

use crate::inotify;
use crate::shell_session::workspace_path;
use crate::sys;
use crate::written_paths::WrittenPaths;
use std::collections::{BTreeSet, HashMap};
use std::ffi::{CString, OsStr, c_long};
use std::fs::{self, File};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The most directories that are watched. The kernel keeps about 1 KiB for each.
const MAX_WATCHED: usize = 16_384;
/// Queues that must be left to the user's other programs.
const SPARE: usize = 16;
/// Whole looks before the next try, after one that has failed.
const PAUSE: u32 = 64;
/// The first version of Linux that is trusted. gVisor names itself 4.4.
const FIRST_KERNEL: u32 = 5;
/// The kind of the file system `tmpfs`.
const TMPFS: c_long = 0x0102_1994;

/// The watches of the workspace's directories.
#[derive(Default)]
pub struct WorkspaceWatcher {
    /// The queue of events. None: nothing is watched.
    queue: Option<File>,
    /// The directories by the numbers of their watches: the path below the workspace with a slash
    /// at the end.
    directories: HashMap<i32, Vec<u8>>,
    /// All directories are watched, and the queue has every event since the last scan.
    armed: bool,
    /// Whole looks before the next try.
    pause: u32,
}

impl WorkspaceWatcher {
    /// The paths that may have changed since the last scan. None: everything has to be looked at.
    /// `alone`: no process but the guest is alive. Whoever has looked at the paths calls
    /// [`WorkspaceWatcher::rearm`].
    pub fn written(&mut self, alone: bool) -> Option<BTreeSet<Vec<u8>>> {
        let armed = std::mem::take(&mut self.armed);
        let queue = self.queue.as_ref().filter(|_| armed && alone)?;
        let mut written = WrittenPaths::default();
        inotify::take_all(queue, |event| written.note(self.directories.get(&event.watch)?, event))?;
        written.finish()
    }

    /// Goes on after the paths were looked at. The events meanwhile are the guest's own.
    pub fn rearm(&mut self) {
        self.armed = self.queue.as_ref().and_then(count_events).is_some();
    }

    /// Watches the directories of a whole look, while no other process is alive.
    pub fn watch(&mut self, directories: &[Vec<u8>]) {
        if self.pause > 0 {
            self.pause -= 1;
        } else if self.try_watch(directories).is_none() {
            *self = Self { pause: PAUSE, ..Self::default() };
        }
    }

    /// None: the directories cannot be watched, or not all of them.
    fn try_watch(&mut self, directories: &[Vec<u8>]) -> Option<()> {
        if directories.len() > most_directories()? {
            return None;
        }
        if self.queue.is_none() {
            self.queue = Some(new_queue()?);
        }
        let queue = self.queue.as_ref()?;
        self.directories.clear();
        for prefix in directories {
            let path = place(prefix.strip_suffix(b"/").unwrap_or(prefix));
            let path = CString::new(path.into_os_string().into_vec()).ok()?;
            self.directories.insert(inotify::watch(queue, &path).ok()?, prefix.clone());
        }
        // A kernel that says nothing of this one would say nothing of others.
        drop(File::open(workspace_path()).ok()?);
        self.armed = count_events(queue)? > 0;
        self.armed.then_some(())
    }
}

/// The absolute path of an entry, given its path below the workspace.
pub fn place(path: &[u8]) -> PathBuf {
    workspace_path().join(OsStr::from_bytes(path))
}

/// Takes all events and counts them. None: they cannot be read.
fn count_events(queue: &File) -> Option<u64> {
    let mut count = 0;
    inotify::take_all(queue, |_| {
        count += 1;
        Some(())
    })?;
    Some(count)
}

/// A queue, if the kernel would tell of every write, and if enough queues are left to others.
fn new_queue() -> Option<File> {
    if !tells_of_writes()? {
        return None;
    }
    let queue = inotify::queue().ok()?;
    let spare: Vec<File> = (0..SPARE).map_while(|_| inotify::queue().ok()).collect();
    (spare.len() == SPARE).then_some(queue)
}

/// Whether the workspace is a tmpfs of its own, and the kernel Linux. A file of another mount
/// cannot get a name in the workspace, and a file of the workspace none elsewhere.
fn tells_of_writes() -> Option<bool> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let version: u32 = kernel.split('.').next()?.parse().ok()?;
    let workspace = File::open(workspace_path()).ok()?;
    let apart = workspace.metadata().ok()?.dev() != fs::metadata("/").ok()?.dev();
    Some(version >= FIRST_KERNEL && apart && sys::file_system(&workspace).ok()? == TMPFS)
}

/// How many directories one workspace may watch: all watches of the user, shared among all of the
/// user's queues.
fn most_directories() -> Option<usize> {
    let limit = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).ok()?;
        text.trim().parse::<usize>().ok()
    };
    let share = limit("max_user_watches")? / limit("max_user_instances")?.max(1);
    Some(share.min(MAX_WATCHED))
}

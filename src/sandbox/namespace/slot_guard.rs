//! What the namespace backend keeps of one sandbox.

use super::backend::LauncherConnection;
use crate::sandbox::guest::SandboxGuard;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The sandbox's slot at the launcher. When the guard is dropped, the launcher kills the
/// sandbox.
pub(super) struct SlotGuard {
    link: Arc<LauncherConnection>,
    slot: u64,
    /// None: no cgroup limits the memory of this sandbox.
    out_of_memory: Option<OomCounter>,
}

impl SlotGuard {
    /// A guard of the sandbox in `slot`. `oom_events` is the path from
    /// [`super::protocol::LauncherEvent`].
    pub(super) fn new(link: Arc<LauncherConnection>, slot: u64, oom_events: Option<&str>) -> Self {
        Self { link, slot, out_of_memory: oom_events.and_then(OomCounter::open) }
    }
}

impl SandboxGuard for SlotGuard {
    fn memory_kills(&self) -> Option<u64> {
        self.out_of_memory.as_ref().and_then(OomCounter::read)
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        self.link.kill(self.slot);
    }
}

/// The kernel's count of processes of this sandbox that it killed because memory was exhausted.
/// The file stays open because it is read before and after every command, and such a read takes
/// two microseconds.
struct OomCounter(File);

impl OomCounter {
    /// None: the file cannot be opened, for example because the sandbox has already ended.
    fn open(path: &str) -> Option<Self> {
        File::open(path).ok().map(Self)
    }

    /// The kills so far. None: the sandbox and its cgroup are gone.
    fn read(&self) -> Option<u64> {
        let mut text = [0; 512];
        let length = self.0.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
    }
}

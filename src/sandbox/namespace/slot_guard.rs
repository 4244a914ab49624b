//! What the backend keeps of one namespace sandbox.

use super::backend::LauncherConnection;
use crate::sandbox::guest::SandboxGuard;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// The slot of a sandbox with the launcher; dropped, it is killed there.
pub(super) struct SlotGuard {
    link: Arc<LauncherConnection>,
    slot: u64,
    out_of_memory: Option<OomCounter>,
}

impl SlotGuard {
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

/// The kernel's count of kills for want of memory in this sandbox. Kept open: a read is two
/// microseconds then, and it is read around every command.
struct OomCounter(File);

impl OomCounter {
    fn open(path: &str) -> Option<Self> {
        File::open(path).ok().map(Self)
    }

    /// None once the sandbox and its group are gone.
    fn read(&self) -> Option<u64> {
        let mut text = [0; 512];
        let length = self.0.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(text.get(..length)?).ok()?;
        text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
    }
}

//! The kernel's count of processes that it killed because memory was exhausted, where the
//! sandbox can see its own cgroup. A container can. A namespace sandbox cannot, and there the
//! host reads the count.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The files with the count, for cgroup v2 and v1. Both have a line such as `oom_kill 2`.
const FILES: [&str; 2] =
    ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/// The open file with the count; none where there is no such file. It stays open because it is
/// read before and after every command.
pub struct OomKillCounter(Option<File>);

impl OomKillCounter {
    pub fn open() -> Self {
        Self(FILES.iter().find_map(|path| File::open(path).ok()))
    }

    /// The kills so far. Zero where there is no count.
    pub fn count(&self) -> u64 {
        let Some(file) = &self.0 else { return 0 };
        let mut text = [0; 512];
        let length = file.read_at(&mut text, 0).unwrap_or(0);
        let text = String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

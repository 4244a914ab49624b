//! The kernel's count of kills for want of memory, where the sandbox shows its own cgroup. A
//! namespace sandbox shows none; there the host looks.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// cgroup v2, then v1.
const FILES: [&str; 2] =
    ["/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"];

/// Kept open: it is read around every command.
pub struct OomKillCounter(Option<File>);

impl OomKillCounter {
    pub fn open() -> Self {
        Self(FILES.iter().find_map(|path| File::open(path).ok()))
    }

    pub fn count(&self) -> u64 {
        let Some(file) = &self.0 else { return 0 };
        let mut text = [0; 512];
        let length = file.read_at(&mut text, 0).unwrap_or(0);
        let text = String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

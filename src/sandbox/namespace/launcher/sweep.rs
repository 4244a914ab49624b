//! Removes the cgroups that dead engines left behind.
//!
//! A directory of cgroups is named after its owner: `synthd-<pid namespace>-<pid>-<start
//! time>`, for example `synthd-4026531836-1234-987654`. No later process with the same number
//! has the same start time, and a process number means something only in its own PID namespace.
//! Cgroups of an owner that is known to be dead are removed. If the owner cannot be seen from
//! here, they are kept.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The beginning of the name of every owner's directory.
const PREFIX: &str = "synthd-";

/// The owner of a directory of cgroups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CgroupOwner {
    /// The inode number of the owner's PID namespace.
    namespace: u64,
    /// The process number of the owner in that namespace.
    pid: u32,
    /// When the owner started, in clock ticks since boot.
    started: u64,
}

impl CgroupOwner {
    /// This launcher. It lives as long as its engine, so it stands for the engine.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        Self { namespace: pid_namespace(), pid, started: birth(pid).unwrap_or(0) }
    }

    /// The name of the owner's directory.
    pub(super) fn group_name(self) -> String {
        format!("{PREFIX}{}-{}-{}", self.namespace, self.pid, self.started)
    }

    /// The owner from the name of its directory. None: the directory is not synthd's.
    fn of_group(name: &str) -> Option<Self> {
        let mut numbers = name.strip_prefix(PREFIX)?.splitn(3, '-');
        let namespace = numbers.next()?.parse().ok()?;
        let (pid, started) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        Some(Self { namespace, pid, started })
    }

    /// Whether the owner is known to be dead. False for another PID namespace, where nothing is
    /// known.
    fn is_dead(self) -> bool {
        self.namespace == pid_namespace() && birth(self.pid) != Some(self.started)
    }
}

/// The inode number of this process's PID namespace. Zero: `/proc` cannot be read.
fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |facts| facts.ino())
}

/// When a process started, in clock ticks since boot. None: there is no such process, or it is
/// dead and its parent has not reaped it yet.
fn birth(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace();
    let dead = matches!(fields.next()?, "Z" | "X");
    fields.nth(18)?.parse().ok().filter(|_| !dead)
}

/// Removes the cgroups of dead owners below `parent` and kills what still runs in them. Returns
/// the sandboxes whose cgroups were removed, as `owner/sb-slot`.
pub(super) fn remove_dead_groups(parent: &Path) -> Vec<String> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if CgroupOwner::of_group(&name).is_some_and(CgroupOwner::is_dead) {
            remove(&entry.path(), &name, &mut removed);
        }
    }
    removed
}

/// Removes the directory of one dead owner with its sandboxes.
fn remove(owner: &Path, name: &str, removed: &mut Vec<String>) {
    for group in fs::read_dir(owner).into_iter().flatten().flatten() {
        if group.path().is_dir() && remove_patiently(&group.path()) {
            removed.push(format!("{name}/{}", group.file_name().to_string_lossy()));
        }
    }
    remove_patiently(owner);
}

/// Kills every process in a cgroup: in one step where the kernel can (v2), otherwise one by
/// one.
fn end_processes(group: &Path) {
    if fs::write(group.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let pids = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    // A process of a PID namespace that cannot be seen from here is listed as zero. A signal to
    // zero would reach this launcher's own process group.
    for pid in pids.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0) {
        super::sys::kill(pid);
    }
}

/// Removes a cgroup and waits up to a second, because the kernel releases it a moment after its
/// last process has died. False: it is still there.
fn remove_patiently(group: &Path) -> bool {
    (0..500).any(|_| {
        let gone = fs::remove_dir(group).is_ok() || !group.exists();
        if !gone {
            // This is repeated, because a process may have forked while the others were killed.
            end_processes(group);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        gone
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_known_by_its_name() {
        let owner = CgroupOwner::this();
        assert!(!owner.is_dead());
        assert_eq!(CgroupOwner::of_group(&owner.group_name()), Some(owner));
        // The same pid with another start time is another process.
        let another = CgroupOwner { started: owner.started + 1, ..owner };
        assert!(another.is_dead());
        // In another pid namespace the number tells nothing.
        assert!(!CgroupOwner { namespace: owner.namespace + 1, ..another }.is_dead());
        assert_eq!(CgroupOwner::of_group("user.slice"), None);
    }
}

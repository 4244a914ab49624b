//! Whose cgroups are these? An owner is a pid with its start time, which no later process
//! of that number shares, and the pid namespace where that number means something. What
//! belongs to an owner that no longer lives is removed; what cannot be known is kept.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const PREFIX: &str = "synthd-";

/// The engine that owns a launcher's groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CgroupOwner {
    namespace: u64,
    pid: u32,
    started: u64,
}

impl CgroupOwner {
    /// This launcher, which lives exactly as long as its engine.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        Self { namespace: pid_namespace(), pid, started: birth(pid).unwrap_or(0) }
    }

    pub(super) fn group_name(self) -> String {
        format!("{PREFIX}{}-{}-{}", self.namespace, self.pid, self.started)
    }

    fn of_group(name: &str) -> Option<Self> {
        let mut numbers = name.strip_prefix(PREFIX)?.splitn(3, '-');
        let namespace = numbers.next()?.parse().ok()?;
        let (pid, started) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        Some(Self { namespace, pid, started })
    }

    /// Whether it is known to live no more.
    fn is_dead(self) -> bool {
        self.namespace == pid_namespace() && birth(self.pid) != Some(self.started)
    }
}

fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |facts| facts.ino())
}

/// When a process started, in clock ticks since boot; none if there is no such process, or
/// only what is left of one that its parent has not looked after yet.
fn birth(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_whitespace();
    let dead = matches!(fields.next()?, "Z" | "X");
    fields.nth(18)?.parse().ok().filter(|_| !dead)
}

/// Removes the groups of dead owners below `parent`; returns the sandboxes they were for.
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

fn remove(owner: &Path, name: &str, removed: &mut Vec<String>) {
    for group in fs::read_dir(owner).into_iter().flatten().flatten() {
        if group.path().is_dir() && remove_patiently(&group.path()) {
            removed.push(format!("{name}/{}", group.file_name().to_string_lossy()));
        }
    }
    remove_patiently(owner);
}

fn end_processes(group: &Path) {
    if fs::write(group.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let pids = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    // Processes of a namespace we cannot see into are listed as zero, which would be us.
    for pid in pids.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0) {
        super::sys::kill(pid);
    }
}

/// The kernel lets go of a group a moment after its last process has died.
fn remove_patiently(group: &Path) -> bool {
    (0..500).any(|_| {
        let gone = fs::remove_dir(group).is_ok() || !group.exists();
        if !gone {
            // Again each time: a process may have been forked while the others were ended.
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

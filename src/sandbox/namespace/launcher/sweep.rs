//! Whose cgroups are these? An owner is a pid with its start time, which no later process
//! of that number shares. What belongs to an owner that no longer lives is removed.

use std::fs;
use std::path::Path;

const PREFIX: &str = "synthd-";

/// The engine that owns a launcher's groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pid: u32,
    started: u64,
}

impl Owner {
    /// This launcher, which lives exactly as long as its engine.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        Self { pid, started: process_start_time(pid).unwrap_or(0) }
    }

    pub(super) fn group_name(self) -> String {
        format!("{PREFIX}{}-{}", self.pid, self.started)
    }

    fn of_group(name: &str) -> Option<Self> {
        let (pid, started) = name.strip_prefix(PREFIX)?.split_once('-')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    fn lives(self) -> bool {
        process_start_time(self.pid) == Some(self.started)
    }
}

/// When a process started, in clock ticks since boot; none if there is no such process.
fn process_start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(19)?.parse().ok()
}

/// Removes the groups of dead owners below `parent`; returns how many sandboxes they had.
pub(super) fn groups(parent: &Path) -> u32 {
    let Ok(entries) = fs::read_dir(parent) else { return 0 };
    entries
        .flatten()
        .filter(|entry| {
            let owner = entry.file_name().to_str().and_then(Owner::of_group);
            owner.is_some_and(|owner| !owner.lives())
        })
        .map(|entry| remove(&entry.path()))
        .sum()
}

fn remove(owner: &Path) -> u32 {
    let mut removed = 0;
    for group in fs::read_dir(owner).into_iter().flatten().flatten() {
        if group.path().is_dir() {
            end_processes(&group.path());
            removed += u32::from(remove_patiently(&group.path()));
        }
    }
    remove_patiently(owner);
    removed
}

fn end_processes(group: &Path) {
    if fs::write(group.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let pids = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    for pid in pids.lines().filter_map(|line| line.parse().ok()) {
        super::sys::kill(pid);
    }
}

/// The kernel lets go of a group a moment after its last process has died.
fn remove_patiently(group: &Path) -> bool {
    (0..500).any(|_| {
        let gone = fs::remove_dir(group).is_ok() || !group.exists();
        if !gone {
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
        let owner = Owner::this();
        assert!(owner.lives());
        assert_eq!(Owner::of_group(&owner.group_name()), Some(owner));
        // The same pid with another start time is another process.
        assert!(!Owner { started: owner.started + 1, ..owner }.lives());
        assert_eq!(Owner::of_group("user.slice"), None);
    }
}

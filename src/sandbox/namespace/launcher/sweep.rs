//! Removes the cgroups that dead engines left behind.
//!
//! A directory of cgroups is named after its owner ([`ProcessOwner`]), for example
//! `synthd-4026531836-1234-987654`. The launcher is the owner: it lives as long as its engine, so it
//! stands for the engine. Cgroups of an owner that is known to be dead are removed. If the owner
//! cannot be seen from here, they are kept.

use crate::sandbox::process_owner::ProcessOwner;
use std::fs;
use std::path::Path;

/// The beginning of the name of every owner's directory.
const PREFIX: &str = "synthd-";

/// The name of this launcher's directory.
pub(super) fn own_group() -> String {
    format!("{PREFIX}{}", ProcessOwner::this())
}

/// The owner from the name of its directory. None: the directory is not synthd's.
fn owner_of(name: &str) -> Option<ProcessOwner> {
    ProcessOwner::parse(name.strip_prefix(PREFIX)?)
}

/// Removes the cgroups of dead owners below `parent` and kills what still runs in them. Returns
/// the sandboxes whose cgroups were removed, as `owner/sb-slot`.
pub(super) fn remove_dead_groups(parent: &Path) -> Vec<String> {
    let mut removed = Vec::new();
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if owner_of(&name).is_some_and(ProcessOwner::is_dead) {
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
        assert_eq!(owner_of(&own_group()), Some(ProcessOwner::this()));
        assert_eq!(owner_of("user.slice"), None);
    }
}

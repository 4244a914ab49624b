//! The owner of a container: the synthd process that made it, written into the container's
//! labels.
//!
//! A later synthd reads the labels to find containers whose owner is dead (sweep). A process id
//! alone is not enough, because the system gives ids again. Therefore the label holds the host,
//! the process id and the start time of the process. A container is only removed if its owner is
//! certainly dead.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs;

/// The label with the owner: `HOST:PID:START`, such as `3f0a...-b1c2.4026531836:4711:8675309`.
/// Containers without it are never touched.
pub(super) const OWNER: &str = "synthd.owner";
/// The label with the deadline: Unix seconds after which nobody can still need the container. It
/// is for owners on other hosts, which cannot be checked.
pub(super) const DEADLINE: &str = "synthd.deadline";

/// The label that says which creation the container came from, as `CONNECTION-NUMBER`. With it, a
/// container is recognized that the engine made although its id never arrived.
pub(super) const CREATION: &str = "synthd.creation";

/// A process that differs from every other one, past or present, on any host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContainerOwner {
    /// Boot id and PID namespace of the process's host; see [`this_host`].
    host: String,
    pid: i32,
    /// When the process started, in clock ticks since the boot of its host.
    started: u64,
}

impl ContainerOwner {
    /// The current process.
    pub(super) fn this() -> Self {
        let pid = Pid::this().as_raw();
        Self { host: this_host(), pid, started: started_at(pid).unwrap_or(0) }
    }

    /// The value of the label [`OWNER`].
    pub(super) fn label(&self) -> String {
        format!("{}:{}:{}", self.host, self.pid, self.started)
    }

    /// The owner that the labels name. `None` if there is no such label or if it is malformed.
    /// The fields are read from the right.
    pub(super) fn of(labels: &HashMap<String, String>) -> Option<Self> {
        let mut parts = labels.get(OWNER)?.rsplitn(3, ':');
        let started = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        Some(Self { host: parts.next()?.to_owned(), pid, started })
    }

    /// Whether the owner can be checked: it is on this boot of this host and in this PID
    /// namespace.
    pub(super) fn is_here(&self) -> bool {
        self.host == this_host()
    }

    /// Whether the owner is certainly dead. An owner that cannot be checked counts as alive.
    pub(super) fn is_gone(&self) -> bool {
        if !self.is_here() {
            return false;
        }
        // Signal 0 only asks whether the process exists. If it does, another start time means
        // that the id belongs to another process now.
        match kill(Pid::from_raw(self.pid), None) {
            Err(Errno::ESRCH) => true,
            _ => started_at(self.pid).is_some_and(|started| started != self.started),
        }
    }
}

/// The boot id of the kernel and the number of the PID namespace, joined by a dot. Both are
/// needed: a process id means nothing after a reboot or in another namespace.
fn this_host() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let pids = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let pids: String = pids.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("{}.{pids}", boot.trim())
}

/// The start time of a process in clock ticks since boot. `None` if the process does not exist or
/// cannot be read.
fn started_at(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // This is field 22 of the file. The second field is the program's name in parentheses, which
    // may contain spaces and parentheses. So fields are counted after the last closing one.
    stat.get(stat.rfind(')')? + 2..)?.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(owner: &ContainerOwner) -> HashMap<String, String> {
        HashMap::from([(OWNER.to_owned(), owner.label())])
    }

    #[test]
    fn a_label_names_its_owner() {
        let this = ContainerOwner::this();
        assert_eq!(ContainerOwner::of(&labelled(&this)), Some(this.clone()));
        assert!(this.started > 0 && !this.is_gone());
        for strange in ["", "x", "a:b:c", ":1", "host:1:x"] {
            let labels = HashMap::from([(OWNER.to_owned(), strange.to_owned())]);
            assert_eq!(ContainerOwner::of(&labels), None, "{strange}");
        }
    }

    #[test]
    fn only_who_is_certainly_dead_is_gone() {
        let this = ContainerOwner::this();
        // The same number, given again.
        assert!(ContainerOwner { started: this.started + 1, ..this.clone() }.is_gone());
        // No process has the highest number there can be.
        assert!(ContainerOwner { pid: i32::MAX, ..this.clone() }.is_gone());
        assert!(
            !ContainerOwner { host: "another".to_owned(), pid: i32::MAX, started: 1 }.is_gone()
        );
    }
}

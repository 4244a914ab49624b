//! Whose a container is. Labels carry host, pid and start time of the process that made it:
//! a pid alone may be another process by now.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs;

pub(super) const OWNER: &str = "synthd.owner";
/// When nobody can still want it, in seconds since 1970.
pub(super) const DEADLINE: &str = "synthd.deadline";

/// Which creation of its owner's a container came of.
pub(super) const CREATION: &str = "synthd.creation";

/// A process, told apart from every other one that ever was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContainerOwner {
    host: String,
    pid: i32,
    started: u64,
}

impl ContainerOwner {
    pub(super) fn this() -> Self {
        let pid = Pid::this().as_raw();
        Self { host: this_host(), pid, started: started_at(pid).unwrap_or(0) }
    }

    pub(super) fn label(&self) -> String {
        format!("{}:{}:{}", self.host, self.pid, self.started)
    }

    pub(super) fn of(labels: &HashMap<String, String>) -> Option<Self> {
        let mut parts = labels.get(OWNER)?.rsplitn(3, ':');
        let started = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        Some(Self { host: parts.next()?.to_owned(), pid, started })
    }

    /// Whether it can be looked at: not one on another host, or in another PID namespace.
    pub(super) fn is_here(&self) -> bool {
        self.host == this_host()
    }

    /// Whether it certainly lives no more.
    pub(super) fn is_gone(&self) -> bool {
        if !self.is_here() {
            return false;
        }
        match kill(Pid::from_raw(self.pid), None) {
            Err(Errno::ESRCH) => true,
            _ => started_at(self.pid).is_some_and(|started| started != self.started),
        }
    }
}

/// The machine since its last start, and the PID namespace: pids mean nothing elsewhere.
fn this_host() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let pids = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let pids: String = pids.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    format!("{}.{pids}", boot.trim())
}

/// In clock ticks since the machine's start.
fn started_at(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything: the fields begin after its last parenthesis.
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

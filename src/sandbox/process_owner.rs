//! The owner of what a process leaves behind when it is killed: cgroups, sockets, directories.
//!
//! What is left behind has the owner in its name: `<pid namespace>-<pid>-<start time>`, for example
//! `4026531836-1234-987654`. No later process with the same number has the same start time, and a
//! process number means something only in its own PID namespace. An owner that cannot be seen from
//! here counts as alive.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

/// A process that differs from every other one of this host, past or present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProcessOwner {
    /// The inode number of the process's PID namespace.
    namespace: u64,
    /// The process number in that namespace.
    pid: u32,
    /// When the process started, in clock ticks since boot. Zero: nobody knows.
    started: u64,
}

impl ProcessOwner {
    /// This process.
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        Self {
            namespace: pid_namespace(),
            pid,
            started: start_time(pid).ok().flatten().unwrap_or(0),
        }
    }

    /// Reads an owner as it is displayed. None: the text is no owner.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '-');
        let namespace = numbers.next()?.parse().ok()?;
        let (pid, started) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        Some(Self { namespace, pid, started })
    }

    /// Whether the owner is known to be dead. False for another PID namespace, where nothing is
    /// known.
    pub(super) fn is_dead(self) -> bool {
        self.namespace == pid_namespace()
            && self.started != 0
            && start_time(self.pid).is_ok_and(|started| started != Some(self.started))
    }

    /// Owners for tests: an earlier process with this process's number, and a process with the same
    /// number in another PID namespace.
    #[cfg(test)]
    pub(super) fn dead_and_unseen() -> (Self, Self) {
        let this = Self::this();
        let dead = Self { started: this.started + 1, ..this };
        (dead, Self { namespace: this.namespace + 1, ..dead })
    }
}

impl fmt::Display for ProcessOwner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}-{}", self.namespace, self.pid, self.started)
    }
}

/// The inode number of this process's PID namespace. Zero: `/proc` cannot be read.
fn pid_namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |facts| facts.ino())
}

/// When a process started, in clock ticks since boot. None: there is no such process, or it is
/// dead and its parent has not reaped it yet. Err: nobody knows, for example because this process
/// may open no more files. Then nobody may take the other one for dead.
fn start_time(pid: u32) -> io::Result<Option<u64>> {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(error) if is_gone(&error) => return Ok(None),
        read => read?,
    };
    let unreadable = || io::Error::from(io::ErrorKind::InvalidData);
    let (_, after) = stat.rsplit_once(')').ok_or_else(unreadable)?;
    let mut fields = after.split_whitespace();
    if matches!(fields.next(), Some("Z" | "X")) {
        return Ok(None);
    }
    let started = fields.nth(18).and_then(|text| text.parse().ok());
    started.map(Some).ok_or_else(unreadable)
}

/// Whether the error says that there is no such process.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ESRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_owner_that_is_known_to_be_dead_is_dead() {
        let this = ProcessOwner::this();
        let (dead, unseen) = ProcessOwner::dead_and_unseen();
        assert!(this.started > 0 && !this.is_dead() && dead.is_dead() && !unseen.is_dead());
        assert!(!ProcessOwner { started: 0, ..this }.is_dead(), "nobody knows");
        assert_eq!(ProcessOwner::parse(&this.to_string()), Some(this));
        for strange in ["", "4711", "1-2", "1-2-", "1-2-3-4", "a-2-3", "-1-2-3"] {
            assert_eq!(ProcessOwner::parse(strange), None, "{strange}");
        }
    }
}

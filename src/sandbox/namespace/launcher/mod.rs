//! The launcher: a single-threaded process, re-executed from the engine's own binary, that
//! forks sandboxes. It may fork and then run any code, which the threaded engine must not.
//!
//! ```text
//!  engine ──Spawn──► launcher ──fork──► builder ──clone(namespaces)──► guest (PID 1 inside)
//!                        │                 │ joins cgroups, maps uids       │ mounts, drops
//!                        │◄── pid or error ┘ and ends                       │ all, executes
//!                        └── adopts and reaps the guest ◄───────────────────┘
//! ```
//!
//! It dies with the engine: when the socket closes it kills every sandbox, removes their
//! cgroups and ends. Sandboxes own nothing else outside their namespaces: every mount is
//! in a mount namespace and every file in a tmpfs.

mod builder;
mod cgroup;
#[cfg(test)]
mod cgroup_tests;
mod hardening;
mod hierarchy;
mod mounts;
mod seccomp_filter;
mod sweep;
mod sys;

pub(super) use sys::send_with_fd;

use super::protocol::{HostReport, LaunchPlan, LauncherEvent, LauncherRequest};
use builder::SandboxBuilder;
use cgroup::CgroupTree;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::os::fd::OwnedFd;

/// Where the engine's socket is: the launcher's standard input.
const SOCKET: i32 = 0;

struct LauncherSlot {
    /// The guest's pid on the host, once the builder has told it.
    pid: Option<i32>,
    /// Killed before its pid was known: kill it as soon as it is.
    doomed: bool,
}

struct SandboxLauncher {
    socket: OwnedFd,
    builder: SandboxBuilder,
    cgroups: CgroupTree,
    slots: HashMap<u64, LauncherSlot>,
    /// Builders at work, by the descriptor they report on.
    building: HashMap<i32, (u64, OwnedFd)>,
    /// Dead children whose slot is not known yet: guests that ended before their builder was
    /// heard. Only while builders are at work, so no number in it can have been given twice.
    early: HashSet<i32>,
    /// Cgroups of dead sandboxes that the kernel still holds.
    leaving: Vec<u64>,
    settling: Vec<u64>,
}

/// Runs until the engine is gone.
pub(crate) fn run(guest: &[u8]) -> io::Result<()> {
    sys::become_launcher()?;
    let socket = sys::take_fd(SOCKET)?;
    let cgroups = CgroupTree::discover();
    let builder = SandboxBuilder::new(guest)?;
    let report = host_report(&cgroups, &builder);
    sys::send_packet(&socket, &encode(&LauncherEvent::Ready(report))?)?;
    let mut launcher = SandboxLauncher {
        socket,
        builder,
        cgroups,
        slots: HashMap::new(),
        building: HashMap::new(),
        early: HashSet::new(),
        leaving: Vec::new(),
        settling: Vec::new(),
    };
    let outcome = launcher.serve();
    launcher.end_everything();
    outcome
}

fn host_report(cgroups: &CgroupTree, builder: &SandboxBuilder) -> HostReport {
    HostReport {
        kernel: sys::kernel_release(),
        root: sys::effective_uid() == 0,
        cgroup_version: cgroups.version().to_owned(),
        controllers: cgroups.report(),
        landlock_abi: builder.landlock_abi(),
        seccomp: true,
        hidden: builder.hidden(),
        swept: cgroups.swept(),
    }
}

fn encode(news: &LauncherEvent) -> io::Result<Vec<u8>> {
    serde_json::to_vec(news).map_err(io::Error::other)
}

impl SandboxLauncher {
    fn serve(&mut self) -> io::Result<()> {
        let deaths = sys::child_signals()?;
        loop {
            let mut fds: Vec<i32> = vec![sys::raw(&self.socket), sys::raw(&deaths)];
            fds.extend(self.building.keys());
            // The kernel lets go of a dead cgroup a moment after its last process.
            let timeout = if self.leaving.is_empty() { -1 } else { 5 };
            let ready = sys::wait_readable(&fds, timeout)?;
            if ready.contains(&sys::raw(&deaths)) {
                sys::clear_signals(&deaths);
            }
            for fd in &ready {
                self.builder_reported(*fd)?;
            }
            self.reap();
            self.leave();
            if ready.contains(&sys::raw(&self.socket)) {
                match sys::receive_packet(&self.socket)? {
                    Some((bytes, fd)) => self.obey(&bytes, fd)?,
                    None => return Ok(()),
                }
            }
        }
    }

    fn obey(&mut self, bytes: &[u8], fd: Option<OwnedFd>) -> io::Result<()> {
        match serde_json::from_slice(bytes).map_err(io::Error::other)? {
            LauncherRequest::Spawn { slot, plan } => match fd {
                Some(stream) => self.spawn(slot, &plan, stream),
                None => self.failed(slot, "receive the stream", libc::EBADF),
            },
            LauncherRequest::Kill { slot } => {
                self.kill(slot);
                Ok(())
            }
            LauncherRequest::Settle { token } => {
                self.settling.push(token);
                self.leave();
                Ok(())
            }
        }
    }

    fn spawn(&mut self, slot: u64, plan: &LaunchPlan, stream: OwnedFd) -> io::Result<()> {
        let group = match self.cgroups.create(slot, plan) {
            Ok(group) => group,
            Err((step, error)) => {
                self.leaving.push(slot);
                return self.failed(slot, step, errno(&error));
            }
        };
        match self.builder.start(slot, plan, &stream, &group) {
            Ok(report) => {
                self.building.insert(sys::raw(&report), (slot, report));
                self.slots.insert(slot, LauncherSlot { pid: None, doomed: false });
                Ok(())
            }
            Err(error) => {
                self.leaving.push(slot);
                self.failed(slot, "fork", errno(&error))
            }
        }
    }

    /// The builder has written the guest's pid, or which step failed.
    fn builder_reported(&mut self, fd: i32) -> io::Result<()> {
        let Some((slot, report)) = self.building.remove(&fd) else { return Ok(()) };
        match builder::read_report(&report) {
            Ok(pid) => {
                self.know(slot, pid);
                let (enforced, oom_events) = self.cgroups.facts(slot);
                self.tell(&LauncherEvent::Spawned { slot, pid, enforced, oom_events })
            }
            Err((step, errno)) => {
                self.slots.remove(&slot);
                self.leaving.push(slot);
                self.failed(slot, &step, errno)
            }
        }
    }

    /// The guest of a slot has a number, if it still lives.
    fn know(&mut self, slot: u64, pid: i32) {
        if self.early.remove(&pid) {
            self.slots.remove(&slot);
            self.leaving.push(slot);
        } else if let Some(entry) = self.slots.get_mut(&slot) {
            entry.pid = Some(pid);
            if entry.doomed {
                sys::kill(pid);
            }
        }
    }

    fn kill(&mut self, slot: u64) {
        if let Some(entry) = self.slots.get_mut(&slot) {
            entry.doomed = true;
            if let Some(pid) = entry.pid {
                sys::kill(pid);
            }
        }
    }

    /// A dead guest has taken its namespace with it; its cgroups are next.
    fn reap(&mut self) {
        while let Some(dead) = sys::reap() {
            let slot = self.slots.iter().find(|(_, s)| s.pid == Some(dead)).map(|(slot, _)| *slot);
            if let Some(slot) = slot {
                self.slots.remove(&slot);
                self.leaving.push(slot);
            } else if !self.building.is_empty() {
                self.early.insert(dead);
            }
        }
        if self.building.is_empty() {
            self.early.clear();
        }
    }

    fn leave(&mut self) {
        let cgroups = &mut self.cgroups;
        self.leaving.retain(|slot| !cgroups.remove(*slot));
        let dying = self.slots.values().any(|s| s.doomed);
        if !dying && self.leaving.is_empty() {
            for token in std::mem::take(&mut self.settling) {
                // An engine that is gone needs no answer; its end is seen on the socket.
                self.tell(&LauncherEvent::Settled { token }).ok();
            }
        }
    }

    fn failed(&mut self, slot: u64, step: &str, errno: i32) -> io::Result<()> {
        self.tell(&LauncherEvent::SpawnFailed { slot, step: step.to_owned(), errno })
    }

    fn tell(&self, news: &LauncherEvent) -> io::Result<()> {
        match sys::send_packet(&self.socket, &encode(news)?) {
            // The engine died while we worked; the next read on the socket ends us.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)) => {
                Ok(())
            }
            other => other,
        }
    }

    fn end_everything(&mut self) {
        // Builders still at work would report to nobody: wait for their guests' pids.
        let building: Vec<i32> = self.building.keys().copied().collect();
        for fd in building {
            // Reading blocks only until the builder has finished its few milliseconds.
            self.builder_reported(fd).ok();
        }
        for slot in self.slots.values() {
            if let Some(pid) = slot.pid {
                sys::kill(pid);
            }
        }
        sys::reap_all_children();
        let slots: Vec<u64> = self.slots.drain().map(|(slot, _)| slot).collect();
        self.leaving.extend(slots);
        self.cgroups.remove_all(&self.leaving);
    }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// What enforces each limit where no cgroup does.
fn fallback_facts() -> BTreeMap<String, String> {
    [("memory", "rlimit per process"), ("processes", "rlimit"), ("cpu", "rlimit per command")]
        .map(|(limit, how)| (limit.to_owned(), how.to_owned()))
        .into()
}

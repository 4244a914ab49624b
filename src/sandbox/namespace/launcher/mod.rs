//! The launcher: a process with a single thread, started from the engine's own binary, that
//! forks sandboxes. After a fork it may run any code. The engine has several threads and must
//! not do that: another thread could hold a lock, for example the allocator's, at the moment of
//! the fork.
//!
//! ```text
//!  engine ──Spawn──► launcher ──fork──► builder ──clone(namespaces)──► guest (PID 1 inside)
//!                        │                 │ joins cgroups, maps uids       │ mounts, drops
//!                        │◄── pid or error ┘ and ends                       │ all, executes
//!                        └── adopts and reaps the guest ◄───────────────────┘
//! ```
//!
//! The launcher never waits for one sandbox: a builder reports over a pipe, and one loop
//! (`serve`) watches the engine's socket, dead children and all these pipes.
//!
//! The launcher ends with the engine. When the socket closes, it kills every sandbox, removes
//! their cgroups and exits. Sandboxes own nothing else outside of their namespaces: every mount
//! is in a mount namespace, and every file is in a tmpfs.

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

/// The descriptor of the engine's socket: the launcher's standard input.
const SOCKET: i32 = 0;

/// A sandbox from its request until its guest is reaped.
struct LauncherSlot {
    /// The guest's process number on the host. None until its builder has reported it.
    pid: Option<i32>,
    /// The engine wants it killed. If the process number is not known yet, it is killed as soon
    /// as it is.
    is_killed: bool,
}

/// The state of the launcher between two events.
struct SandboxLauncher {
    socket: OwnedFd,
    builder: SandboxBuilder,
    cgroups: CgroupTree,
    /// The sandboxes that are being built or live, by slot.
    slots: HashMap<u64, LauncherSlot>,
    /// Builders at work, by the descriptor of the pipe on which they report: the slot and the
    /// pipe.
    building: HashMap<i32, (u64, OwnedFd)>,
    /// Dead children whose slot is not known: guests that ended before their builder's report
    /// was read. Dead builders are in it, too. It is cleared when no builder is at work, before
    /// the kernel is likely to give one of these numbers to another guest.
    early: HashSet<i32>,
    /// Slots of dead sandboxes whose cgroups the kernel has not released yet.
    unremoved: Vec<u64>,
    /// The tokens of Settle requests that wait for their answer.
    settling: Vec<u64>,
}

/// Runs the launcher until the engine is gone. `guest` is the guest program.
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
        unremoved: Vec::new(),
        settling: Vec::new(),
    };
    let outcome = launcher.serve();
    launcher.end_everything();
    outcome
}

/// What this host offers, for the first message.
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
    /// Handles events until the engine closes the socket.
    fn serve(&mut self) -> io::Result<()> {
        let deaths = sys::child_signals()?;
        loop {
            let mut fds: Vec<i32> = vec![sys::raw(&self.socket), sys::raw(&deaths)];
            fds.extend(self.building.keys());
            // The kernel releases a cgroup a moment after its last process has died, and no
            // event tells when. So the removal is tried again every five milliseconds.
            let timeout = if self.unremoved.is_empty() { -1 } else { 5 };
            let ready = sys::wait_readable(&fds, timeout)?;
            if ready.contains(&sys::raw(&deaths)) {
                sys::clear_signals(&deaths);
            }
            // Reports come before reaping, so that a dead guest is usually known by its slot
            // already.
            for fd in &ready {
                self.builder_reported(*fd)?;
            }
            self.reap();
            self.settle();
            if ready.contains(&sys::raw(&self.socket)) {
                match sys::receive_packet(&self.socket)? {
                    Some((bytes, fd)) => self.obey(&bytes, fd)?,
                    None => return Ok(()),
                }
            }
        }
    }

    /// Carries one request of the engine out.
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
                self.settle();
                Ok(())
            }
        }
    }

    /// Makes the cgroups of a sandbox and forks its builder. A failure is reported to the
    /// engine; the cgroups that were made so far are removed.
    fn spawn(&mut self, slot: u64, plan: &LaunchPlan, stream: OwnedFd) -> io::Result<()> {
        let group = match self.cgroups.create(slot, plan) {
            Ok(group) => group,
            Err((step, error)) => {
                self.unremoved.push(slot);
                return self.failed(slot, step, errno(&error));
            }
        };
        match self.builder.start(slot, plan, &stream, &group) {
            Ok(report) => {
                self.building.insert(sys::raw(&report), (slot, report));
                self.slots.insert(slot, LauncherSlot { pid: None, is_killed: false });
                Ok(())
            }
            Err(error) => {
                self.unremoved.push(slot);
                self.failed(slot, "fork", errno(&error))
            }
        }
    }

    /// Reads a builder's report, if `fd` is a builder's pipe: the guest's process number, or
    /// the step that failed. It passes the result on to the engine.
    fn builder_reported(&mut self, fd: i32) -> io::Result<()> {
        let Some((slot, report)) = self.building.remove(&fd) else { return Ok(()) };
        match builder::read_report(&report) {
            Ok(pid) => {
                self.note_pid(slot, pid);
                let (enforced, oom_events) = self.cgroups.facts(slot);
                self.tell(&LauncherEvent::Spawned { slot, pid, enforced, oom_events })
            }
            Err((step, errno)) => {
                self.slots.remove(&slot);
                self.unremoved.push(slot);
                self.failed(slot, &step, errno)
            }
        }
    }

    /// Notes the process number of a guest. The guest may have died already, or it may be
    /// wanted dead.
    fn note_pid(&mut self, slot: u64, pid: i32) {
        if self.early.remove(&pid) {
            self.slots.remove(&slot);
            self.unremoved.push(slot);
        } else if let Some(entry) = self.slots.get_mut(&slot) {
            entry.pid = Some(pid);
            if entry.is_killed {
                sys::kill(pid);
            }
        }
    }

    /// Kills a sandbox. The rest follows when its guest is reaped.
    fn kill(&mut self, slot: u64) {
        if let Some(entry) = self.slots.get_mut(&slot) {
            entry.is_killed = true;
            if let Some(pid) = entry.pid {
                sys::kill(pid);
            }
        }
    }

    /// Reaps dead children. With a guest, the kernel has ended every process of its namespace,
    /// so only its cgroups are left to remove. Dead builders need nothing more.
    fn reap(&mut self) {
        while let Some(dead) = sys::reap() {
            let slot = self.slots.iter().find(|(_, s)| s.pid == Some(dead)).map(|(slot, _)| *slot);
            if let Some(slot) = slot {
                self.slots.remove(&slot);
                self.unremoved.push(slot);
            } else if !self.building.is_empty() {
                self.early.insert(dead);
            }
        }
        if self.building.is_empty() {
            self.early.clear();
        }
    }

    /// Tries to remove the cgroups of dead sandboxes, and answers Settle requests when no
    /// killed sandbox and no such cgroup is left.
    fn settle(&mut self) {
        let cgroups = &mut self.cgroups;
        self.unremoved.retain(|slot| !cgroups.remove(*slot));
        let killing = self.slots.values().any(|s| s.is_killed);
        if !killing && self.unremoved.is_empty() {
            for token in std::mem::take(&mut self.settling) {
                // An engine that is gone needs no answer; the end of its socket is handled in
                // `serve`.
                self.tell(&LauncherEvent::Settled { token }).ok();
            }
        }
    }

    /// Tells the engine that a sandbox could not be started.
    fn failed(&mut self, slot: u64, step: &str, errno: i32) -> io::Result<()> {
        self.tell(&LauncherEvent::SpawnFailed { slot, step: step.to_owned(), errno })
    }

    /// Sends an event to the engine. An engine that is gone is no error here.
    fn tell(&self, news: &LauncherEvent) -> io::Result<()> {
        match sys::send_packet(&self.socket, &encode(news)?) {
            // The engine has died; the next read of the socket ends the launcher.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EPIPE | libc::ECONNRESET)) => {
                Ok(())
            }
            other => other,
        }
    }

    /// Kills and reaps every sandbox and removes all cgroups, at the launcher's end.
    fn end_everything(&mut self) {
        // The guests of builders that are still at work must be killed too, so their reports
        // are read first.
        let building: Vec<i32> = self.building.keys().copied().collect();
        for fd in building {
            // This waits for the builder, which needs a few milliseconds.
            self.builder_reported(fd).ok();
        }
        for slot in self.slots.values() {
            if let Some(pid) = slot.pid {
                sys::kill(pid);
            }
        }
        sys::reap_all_children();
        let slots: Vec<u64> = self.slots.drain().map(|(slot, _)| slot).collect();
        self.unremoved.extend(slots);
        self.cgroups.remove_all(&self.unremoved);
    }
}

/// The errno of an error, or EIO for one that has none.
fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// What enforces each limit where no cgroup does.
fn fallback_facts() -> BTreeMap<String, String> {
    [("memory", "rlimit per process"), ("processes", "rlimit"), ("cpu", "rlimit per command")]
        .map(|(limit, how)| (limit.to_owned(), how.to_owned()))
        .into()
}

//! The messages between the engine and its launcher: JSON packets over a private socket of the
//! type `SOCK_SEQPACKET`, one message in each packet.
//!
//! The launcher speaks first, with [`LauncherEvent::Ready`]. After that the engine sends
//! requests, and the launcher answers each Spawn and each Settle with one event, in any order.
//! The end of the socket ends the launcher and all its sandboxes. Example of a request:
//!
//! ```text
//! {"Kill":{"slot":7}}
//! ```

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of the longest packet.
pub(crate) const MAX_PACKET: usize = 64 << 10;

/// A request of the engine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LauncherRequest {
    /// Start a sandbox. The packet carries the guest's end of its stream as a descriptor.
    /// Answer: [`LauncherEvent::Spawned`] or [`LauncherEvent::SpawnFailed`]. `slot` is the
    /// engine's number for the sandbox, which it never uses twice.
    Spawn { slot: u64, plan: Box<LaunchPlan> },
    /// Kill a sandbox now. It has no answer. A sandbox that is already gone is no error.
    Kill { slot: u64 },
    /// Answer with [`LauncherEvent::Settled`] when every killed sandbox is gone, with its
    /// cgroups.
    Settle { token: u64 },
}

/// What the launcher needs to know of a sandbox's specification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LaunchPlan {
    /// Bytes of memory that processes may use, without the work areas.
    pub(crate) memory_bytes: u64,
    /// Processes and threads alive at once.
    pub(crate) processes: u32,
    /// Bytes of the workspace, and as many of all scratch areas together.
    pub(crate) disk_bytes: u64,
    /// Files and directories of the workspace, and as many of the scratch areas.
    pub(crate) inodes: u64,
    /// The processor share in thousandths of one core.
    pub(crate) cpu_millis: u32,
    /// A directory that serves as the root. None: sandboxes show the host's own programs.
    pub(crate) root: Option<String>,
    /// Whether there is a directory for sealed files.
    pub(crate) sealed: bool,
}

impl LaunchPlan {
    /// Bytes of memory for the whole sandbox. The two work areas are in memory and count in the
    /// same cgroup as the processes. They have limits of their own and must not take from what
    /// processes may use, or a program that fills its disk would get the guest killed.
    pub(crate) fn memory_with_areas(&self) -> u64 {
        self.memory_bytes.saturating_add(self.disk_bytes.saturating_mul(2))
    }
}

/// A message of the launcher.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LauncherEvent {
    /// What this host offers. It is the first message and is sent once.
    Ready(HostReport),
    /// The guest of the sandbox has been executed.
    Spawned {
        slot: u64,
        /// The guest's process number on the host.
        pid: i32,
        /// What enforces each limit of this sandbox, by name, such as `memory` by `cgroup v2`.
        enforced: BTreeMap<String, String>,
        /// The file with the count of processes that the kernel killed because memory was
        /// exhausted. None: no cgroup limits memory.
        oom_events: Option<String>,
    },
    /// The sandbox could not be started. Nothing of it is left but cgroups, which the launcher
    /// removes.
    SpawnFailed {
        slot: u64,
        /// The step that failed, such as `create the namespaces`.
        step: String,
        errno: i32,
    },
    /// Every sandbox that was killed before the request is gone.
    Settled {
        /// The token of the [`LauncherRequest::Settle`] that this event answers.
        token: u64,
    },
}

/// What the launcher found on this host when it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostReport {
    pub(crate) kernel: String,
    /// Whether the launcher runs as root.
    pub(crate) root: bool,
    /// `v2`, `v1`, `v1+v2` or `none`.
    pub(crate) cgroup_version: String,
    /// The cgroup controllers `memory`, `pids` and `cpu`: the directory in which each is
    /// enforced, or the reason why it is not.
    pub(crate) controllers: BTreeMap<String, Result<String, String>>,
    /// The version of Landlock that the kernel has. Zero: none.
    pub(crate) landlock_abi: i32,
    pub(crate) seccomp: bool,
    /// Files of the host that are hidden from every sandbox.
    #[serde(default)]
    pub(crate) hidden: Vec<String>,
    /// Sandboxes of dead owners whose cgroups were removed at the start.
    pub(crate) swept: u32,
}

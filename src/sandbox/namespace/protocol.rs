//! What the engine and its launcher say to each other: JSON packets over a private
//! socket, one packet a message.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most a packet may hold.
pub(crate) const MAX_PACKET: usize = 64 << 10;

/// From the engine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LauncherRequest {
    /// Start a sandbox; the packet carries the guest's end of its stream.
    Spawn { slot: u64, plan: Box<LaunchPlan> },
    /// End a sandbox now.
    Kill { slot: u64 },
    /// Answer with [`News::Settled`] once everything killed is gone.
    Settle { token: u64 },
}

/// What the launcher needs of a sandbox's specification.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LaunchPlan {
    pub(crate) memory_bytes: u64,
    pub(crate) processes: u32,
    pub(crate) disk_bytes: u64,
    pub(crate) inodes: u64,
    pub(crate) cpu_millis: u32,
    /// A directory that serves as the root instead of the host's own `/usr`.
    pub(crate) root: Option<String>,
}

impl LaunchPlan {
    /// The work areas are memory too; they have caps of their own and must not eat into what
    /// processes may use, or filling a disk would kill the guest.
    pub(crate) fn memory_with_areas(&self) -> u64 {
        self.memory_bytes.saturating_add(self.disk_bytes.saturating_mul(2))
    }
}

/// From the launcher.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LauncherEvent {
    /// What this host offers, said once at the start.
    Ready(HostReport),
    Spawned {
        slot: u64,
        pid: i32,
        /// What enforces each limit of this sandbox, by name.
        enforced: BTreeMap<String, String>,
        /// The file that counts out-of-memory kills.
        oom_events: Option<String>,
    },
    SpawnFailed {
        slot: u64,
        step: String,
        errno: i32,
    },
    Settled {
        token: u64,
    },
}

/// What the launcher found when it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostReport {
    pub(crate) kernel: String,
    pub(crate) root: bool,
    /// `v2`, `v1`, `v1+v2` or `none`.
    pub(crate) cgroup_version: String,
    /// Controller to where it is enforced, or why it is not.
    pub(crate) controllers: BTreeMap<String, Result<String, String>>,
    pub(crate) landlock_abi: i32,
    pub(crate) seccomp: bool,
    /// Files of the host that no sandbox is shown.
    #[serde(default)]
    pub(crate) hidden: Vec<String>,
    /// Sandboxes of dead owners that were removed at the start.
    pub(crate) swept: u32,
}

//! What a sandbox is asked for and what it reports.

use super::NetworkPolicy;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The image of templates that name none: whatever the sandboxes offer by themselves.
pub const BASE_IMAGE: &str = "base";

/// Where commands start and what is copied for verification.
pub const WORKSPACE: &str = "/work";
/// Where sealed files are laid, in verifying sandboxes only.
pub const SEALED: &str = "/sealed";

/// A protection a campaign can insist on. `doctor` says which ones this host offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxProtection {
    /// Own user, mount, pid, network, ipc, uts and cgroup namespaces.
    Namespaces,
    /// A bound on the memory of the whole sandbox, with out-of-memory kills told apart.
    MemoryCgroup,
    /// A bound on the processes of the whole sandbox.
    Processes,
    /// A share of the processors for the whole sandbox.
    CpuCgroup,
    /// Workspace size and inode caps.
    Disk,
    /// A system-call filter.
    Seccomp,
    /// Landlock rules over the mount namespace.
    Landlock,
}

impl SandboxProtection {
    pub const ALL: [Self; 7] = [
        Self::Namespaces,
        Self::MemoryCgroup,
        Self::Processes,
        Self::CpuCgroup,
        Self::Disk,
        Self::Seccomp,
        Self::Landlock,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::MemoryCgroup => "memory-cgroup",
            Self::Processes => "processes",
            Self::CpuCgroup => "cpu-cgroup",
            Self::Disk => "disk",
            Self::Seccomp => "seccomp",
            Self::Landlock => "landlock",
        }
    }
}

/// Bounds on one sandbox and on each command in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SandboxLimits {
    /// Memory of the sandbox's processes; the work areas have caps of their own.
    pub memory_bytes: u64,
    /// Processes and threads alive at once.
    pub processes: u32,
    /// Bytes in the workspace and in each scratch area.
    pub disk_bytes: u64,
    /// Files and directories in the workspace and in each scratch area.
    pub inodes: u64,
    /// Processor share in thousandths of one core.
    pub cpu_millis: u32,
    /// Processor seconds one command may burn.
    pub command_cpu: Duration,
    /// Wall time of one command.
    pub command_timeout: Duration,
    /// Bytes of each output stream kept, half from its head and half from its tail.
    pub output_kept: u32,
    /// Bytes of output after which a command is killed.
    pub output_killed: u64,
    /// Bytes a copy of the workspace may have.
    pub copy_bytes: u64,
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            memory_bytes: 512 << 20,
            processes: 128,
            disk_bytes: 128 << 20,
            inodes: 20_000,
            cpu_millis: 1_000,
            command_cpu: Duration::from_secs(60),
            command_timeout: Duration::from_secs(30),
            output_kept: 32 << 10,
            output_killed: 1 << 30,
            copy_bytes: 64 << 20,
        }
    }
}

/// Which shell runs commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShellChoice {
    /// bash where the image has it, else sh.
    #[default]
    Auto,
    Sh,
    Bash,
}

/// What isolates a sandbox.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    #[default]
    Namespace,
    Docker,
}

impl BackendKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Docker => "docker",
        }
    }

    fn is_namespace(&self) -> bool {
        *self == Self::Namespace
    }
}

/// Everything that tells two sandboxes apart. The pool keys on the whole of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Logical image name; for the namespace backend `base` is the host's `/usr`.
    pub image: String,
    /// What the name stood for when the campaign began, where the backend knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    pub shell: ShellChoice,
    pub limits: SandboxLimits,
    /// The least the host must enforce.
    pub require: BTreeSet<SandboxProtection>,
    // Left out where they say nothing: campaigns are known by these fields.
    #[serde(default, skip_serializing_if = "BackendKind::is_namespace")]
    pub backend: BackendKind,
    /// The container engine's runtime, where it is not its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The system-call filter of containers.
    #[serde(default, skip_serializing_if = "SeccompProfile::is_strict")]
    pub filter: SeccompProfile,
    /// Hosts that programs may reach; without, there is no network at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkPolicy>,
}

impl SandboxSpec {
    /// The same without a network: what is verified must not depend on one.
    #[must_use]
    pub fn offline(&self) -> Self {
        Self { network: None, ..self.clone() }
    }
}

/// Which system-call filter containers get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeccompProfile {
    /// Ours, which is the stricter one.
    #[default]
    Strict,
    /// The engine's own.
    Engine,
}

impl SeccompProfile {
    fn is_strict(&self) -> bool {
        *self == Self::Strict
    }
}

/// Where the sandbox of a record ran, so that a surprise can be traced to its host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxFingerprint {
    pub backend: String,
    pub root: String,
    pub kernel: String,
    pub shell: String,
    /// What enforces each limit, by name.
    pub enforced: BTreeMap<String, String>,
}

impl SandboxFingerprint {
    /// The root of a container: its image by the name it was asked for, its digest, and the
    /// runtime, where it is not the engine's own.
    pub fn container_root(image: &str, digest: &str, runtime: Option<&str>) -> String {
        let runtime = runtime.map(|name| format!(" under {name}")).unwrap_or_default();
        format!("{image} {digest}{runtime}")
    }

    /// An image's name and digest, where this is of a container.
    pub fn image(&self) -> Option<(&str, &str)> {
        let mut words = self.root.split(' ');
        let image = words.next()?;
        let digest = words.next().filter(|_| self.backend == BackendKind::Docker.as_str())?;
        Some((image, digest))
    }
}

/// A file to lay into a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    pub path: String,
    pub content: String,
    pub mode: u32,
}

impl FileSpec {
    /// Whether it is a program in which a line that starts with `#` says nothing.
    pub fn is_program(&self) -> bool {
        let known = [".sh", ".py", ".awk", ".bash"];
        known.iter().any(|end| self.path.ends_with(end)) || self.content.starts_with("#!")
    }
}

/// Where a tunnel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Which tree files are laid below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxTree {
    Workspace,
    /// Emptied first, so that nothing an earlier check left there is believed.
    Sealed,
}

/// One entry of a copied tree. Hard links become copies; devices, sockets and FIFOs are
/// left behind and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    pub path: String,
    pub kind: TreeEntryKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeEntryKind {
    Directory { mode: u32 },
    File { mode: u32, content: Vec<FileSegment> },
    Symlink { target: String },
}

/// A piece of a file, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSegment {
    Bytes(Vec<u8>),
    /// So many zeros that take no room, here or in the workspace.
    Hole(u64),
}

/// A copy of a workspace, in memory, never unpacked on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceCopy {
    pub entries: Vec<TreeEntry>,
    /// Special files that were not copied.
    pub skipped: u32,
    pub room: MemoryReservation,
}

/// What a copy holds of the memory that all copies share, until the last owner drops it.
#[derive(Clone, Default)]
pub struct MemoryReservation(Option<Arc<dyn Send + Sync>>);

impl MemoryReservation {
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(held)))
    }
}

impl fmt::Debug for MemoryReservation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() { "Room(held)" } else { "Room(none)" })
    }
}

/// Copies of the same tree are equal, even if different holders have the memory.
impl PartialEq for MemoryReservation {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for MemoryReservation {}

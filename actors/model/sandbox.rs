//! Sandboxes as data: what a sandbox is asked for ([`SandboxSpec`]), what it reports about itself
//! ([`SandboxFingerprint`]), and the files that are laid into it or copied out of it. The trait
//! `Sandbox` in `actors/ports.rs` uses these types; the backends in `src/sandbox/` implement it.
//!
//! [`SandboxSpec`] is the key of the pool: two requests with equal specifications may get the same
//! warm sandbox.

use super::column::row_columns;
use super::{ContainerSite, InternalService, NetworkPolicy};
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
/// The directory of the sealed files. It exists only in sandboxes for verification and for
/// milestones, see [`SandboxSpec::sealed`].
pub const SEALED: &str = "/sealed";
/// The files of an agent as data, in a judge's sandbox: regular files and directories only, without
/// what git would obey (`WorkspaceCopy::submission`).
pub const SUBMISSION: &str = "submission";
/// The list of what is not among them, beside [`SUBMISSION`].
pub const SUBMISSION_LEFT_OUT: &str = "submission.left-out";
/// The library with which a check in Python reaches the judged sandbox, below [`SEALED`].
pub const JUDGED_LIBRARY: &str = "lib/judged.py";
/// The library of checks in the shell, below [`SEALED`].
pub const SHELL_LIBRARY: &str = "lib/checks.sh";
/// The program with which a check reaches the judged sandbox, below [`SEALED`].
pub const JUDGED_PROGRAM: &str = "lib/judged";
/// The variable that tells checks the port of the judged sandbox on the loopback.
pub const JUDGED_PORT_VARIABLE: &str = "SYNTHD_JUDGED_PORT";

/// A protection that a campaign can require. `synthd doctor` prints which protections this host
/// has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxProtection {
    /// Own user, mount, PID, network, IPC, UTS and cgroup namespaces.
    Namespaces,
    /// A memory limit for the whole sandbox, with which an out-of-memory kill can be recognized.
    MemoryCgroup,
    /// A limit of the number of processes in the whole sandbox.
    Processes,
    /// A limit of the processor share of the whole sandbox.
    CpuCgroup,
    /// Limits of the size and of the number of files of the workspace.
    Disk,
    /// A system-call filter.
    Seccomp,
    /// Landlock rules over the mount namespace.
    Landlock,
}

impl SandboxProtection {
    /// Every protection, for tables and messages.
    pub const ALL: [Self; 7] = [
        Self::Namespaces,
        Self::MemoryCgroup,
        Self::Processes,
        Self::CpuCgroup,
        Self::Disk,
        Self::Seccomp,
        Self::Landlock,
    ];

    /// The word in campaign files and reports.
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

/// Limits of one sandbox and of each command in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SandboxLimits {
    /// Memory of the processes in the sandbox. The workspace and the scratch areas have their own
    /// limits.
    pub memory_bytes: u64,
    /// Processes and threads alive at the same time.
    pub processes: u32,
    /// Bytes in the workspace and in each scratch area.
    pub disk_bytes: u64,
    /// Files and directories in the workspace and in each scratch area.
    pub inodes: u64,
    /// Processor share in thousandths of one core.
    pub cpu_millis: u32,
    /// Processor time of one command.
    pub command_cpu: Duration,
    /// Wall time of one command.
    pub command_timeout: Duration,
    /// Bytes of each output stream that are kept: half from its head and half from its tail.
    pub output_kept: u32,
    /// Bytes of output after which a command is killed.
    pub output_killed: u64,
    /// The most bytes of a copy of the workspace.
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

/// The shell that runs the commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShellChoice {
    /// `bash` if the image has it, otherwise `sh`.
    #[default]
    Auto,
    Sh,
    Bash,
}

/// The kind of the sandbox backend.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    /// Linux namespaces on this host, see `src/sandbox/namespace/`.
    #[default]
    Namespace,
    /// Containers of Docker or Podman, see `src/sandbox/docker/`.
    Docker,
}

impl BackendKind {
    /// The word in campaign files and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Docker => "docker",
        }
    }

    /// Whether it is the default, which is left out of the serialized specification.
    fn is_namespace(&self) -> bool {
        *self == Self::Namespace
    }
}

/// Everything in which two sandboxes can differ. The pool uses the whole specification as its key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// The name of the image. For the namespace backend, `base` is the host's `/usr`.
    pub image: String,
    /// The digest of the image when the campaign began, if the backend knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The shell that runs the commands.
    pub shell: ShellChoice,
    pub limits: SandboxLimits,
    /// The protections that the host must have. If one is missing, no sandbox is made.
    pub require: BTreeSet<SandboxProtection>,
    // Fields with their defaults are left out, because the identity of a campaign is computed from
    // the serialized fields.
    #[serde(default, skip_serializing_if = "BackendKind::is_namespace")]
    pub backend: BackendKind,
    /// The runtime of the container engine, if it is not the engine's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The system-call filter of containers.
    #[serde(default, skip_serializing_if = "SeccompProfile::is_strict")]
    pub filter: SeccompProfile,
    /// The hosts that programs may reach. None means no network at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkPolicy>,
    /// Whether the sandbox has the directory [`SEALED`]. An agent's sandbox has none, so that
    /// programs find no trace of checks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// How programs begin, if the sandbox is a container whose root can be written. None: an ordinary
    /// sandbox with its workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Box<ContainerSite>>,
}

impl SandboxSpec {
    /// The same specification without a network. Verification uses it, because a verdict must not
    /// depend on the network.
    #[must_use]
    pub fn offline(&self) -> Self {
        Self { network: None, ..self.clone() }
    }

    /// The specification of the sandboxes in which sealed files are laid. They have no network. They
    /// have twice the room: whatever a workspace fills, as much is left for the checks. A check in the
    /// shell whose files cannot be written could otherwise pass.
    #[must_use]
    pub fn judging(&self) -> Self {
        let mut spec = Self { sealed: true, ..self.offline() };
        spec.limits.disk_bytes = spec.limits.disk_bytes.saturating_mul(2);
        spec.limits.inodes = spec.limits.inodes.saturating_mul(2);
        spec
    }
}

/// The system-call filter of containers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeccompProfile {
    /// The filter of synthd. It is stricter than that of container engines.
    #[default]
    Strict,
    /// The default filter of the container engine.
    Engine,
}

impl SeccompProfile {
    /// Whether it is the default, which is left out of the serialized specification.
    fn is_strict(&self) -> bool {
        *self == Self::Strict
    }
}

row_columns! {
    /// Where and how a sandbox ran. It is recorded with the outcome, so that a surprising result can
    /// be traced to its host.
    #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub struct SandboxFingerprint {
        /// `namespace` or `docker`.
        pub backend: String,
        /// What the root file system is made of. For a container: the image and its digest.
        pub root: String,
        /// The version of the kernel.
        pub kernel: String,
        /// The shell that runs the commands; empty until the guest has reported it.
        pub shell: String,
        /// How each limit is enforced: a JSON object from the limit's name to what enforces it.
        pub enforced: BTreeMap<String, String>,
    }
}

impl SandboxFingerprint {
    /// The text for `root` of a container: the requested image, its digest and, if it is not the
    /// default, the runtime. Example: `python:3.12 sha256:0123 under runsc`.
    pub fn container_root(image: &str, digest: &str, runtime: Option<&str>) -> String {
        let runtime = runtime.map(|name| format!(" under {name}")).unwrap_or_default();
        format!("{image} {digest}{runtime}")
    }

    /// The image and its digest as read from `root`. None if the sandbox was not a container.
    pub fn image(&self) -> Option<(&str, &str)> {
        let mut words = self.root.split(' ');
        let image = words.next()?;
        let digest = words.next().filter(|_| self.backend == BackendKind::Docker.as_str())?;
        Some((image, digest))
    }
}

/// A file that is laid into a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSpec {
    /// A path relative to the tree into which the file is laid.
    pub path: String,
    /// The whole content, as text.
    pub content: String,
    /// The permission bits, such as `0o755`.
    pub mode: u32,
}

impl FileSpec {
    /// Whether the file is a script in which a line that begins with `#` is a comment. It is
    /// recognized by its name or by `#!`.
    pub fn is_program(&self) -> bool {
        let known = [".sh", ".py", ".awk", ".bash"];
        known.iter().any(|end| self.path.ends_with(end)) || self.content.starts_with("#!")
    }
}

/// The address on the host to which a tunnel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostAddress {
    Tcp(SocketAddr),
    Unix(PathBuf),
    /// A service inside the engine.
    Service(InternalService),
}

/// The directory into which files are laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxTree {
    /// See [`WORKSPACE`].
    Workspace,
    /// See [`SEALED`]. It is emptied first, so that files of an earlier check cannot influence the
    /// next one.
    Sealed,
}

/// One entry of a copied tree. A hard link becomes a copy of the file. Devices, sockets and FIFOs
/// are not copied, nor are names that are not UTF-8: [`WorkspaceCopy::skipped`] counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// A path relative to the workspace.
    pub path: String,
    pub kind: TreeEntryKind,
}

/// What an entry of a tree is. Modes are permission bits with the set-id bits and the sticky bit. No
/// sandbox obeys set-id bits, so there they are only what a program sees of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeEntryKind {
    /// A directory; its entries are entries of their own.
    Directory { mode: u32 },
    /// A regular file. Its segments, one after the other, are its content.
    File { mode: u32, content: Vec<FileSegment> },
    /// A symbolic link. The target is not followed.
    Symlink { target: String },
}

/// A part of a file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileSegment {
    /// These bytes.
    Bytes(Vec<u8>),
    /// This many zero bytes that use no memory and no disk space.
    Hole(u64),
}

/// An entry of a workspace that is not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedEntry {
    /// A path relative to the workspace, as bytes that a program has chosen. A long one is cut.
    pub path: Vec<u8>,
    pub kind: SkippedKind,
}

/// Why an entry is not copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkippedKind {
    Fifo,
    Socket,
    Device,
    /// Its path is not UTF-8.
    OddName,
    /// A link whose target is not UTF-8.
    OddLink,
}

impl SkippedEntry {
    /// The path in printable characters. A byte that is not UTF-8 is shown as `\xff`.
    pub fn shown_path(&self) -> String {
        let shown = |chunk: std::str::Utf8Chunk<'_>| {
            format!("{}{}", chunk.valid().escape_debug(), chunk.invalid().escape_ascii())
        };
        self.path.utf8_chunks().map(shown).collect()
    }
}

impl SkippedKind {
    /// What it is, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::OddName => "a name that is not UTF-8",
            Self::OddLink => "a link whose target is not UTF-8",
        }
    }
}

/// A copy of a workspace in memory. It is never unpacked on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkspaceCopy {
    /// All entries.
    pub entries: Vec<TreeEntry>,
    /// The number of entries that were not copied: special files and names that are not UTF-8.
    pub skipped: u32,
    /// The first of these, at most 32.
    pub skipped_entries: Vec<SkippedEntry>,
    /// The part of the shared copy memory that this copy uses.
    pub room: MemoryReservation,
}

/// A reservation in the memory that all workspace copies share. The memory is released when the
/// last clone is dropped.
#[derive(Clone, Default)]
pub struct MemoryReservation(Option<Arc<dyn Send + Sync>>);

impl MemoryReservation {
    /// A reservation that `held` represents. Dropping `held` must release the memory.
    pub fn new(held: impl Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(held)))
    }
}

impl fmt::Debug for MemoryReservation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() {
            "MemoryReservation(held)"
        } else {
            "MemoryReservation(none)"
        })
    }
}

/// Copies of the same tree are equal, even if different holders have the memory.
impl PartialEq for MemoryReservation {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for MemoryReservation {}

//! One command in a sandbox: the request, and the report of how it ended and what it wrote. The
//! guest client sends the request to the guest program in the sandbox and builds the report from
//! its frames. Native agents, setup commands, checks and external agent programs all run through
//! these types.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One command to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    /// A line for the sandbox's shell.
    pub command: String,
    /// Run in the shell session: the working directory and the exported variables stay for the next
    /// command of the session.
    pub session: bool,
    /// Wall time after which the command and all its child processes are killed.
    pub timeout: Duration,
    /// List the files of the workspace after the command.
    pub scan: bool,
    /// Bytes of each output stream that are kept. None: the limit of the sandbox.
    pub output_kept: Option<u32>,
    /// Both streams are one pipe, so that the output stays in the order in which it was written.
    /// The report then has everything in `stdout`, and `stderr` is empty.
    pub joined: bool,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "end", content = "value")]
pub enum ExecEnd {
    /// It exited with this code.
    Exited(i32),
    /// A signal with this number killed it.
    Signaled(i32),
    /// The wall time was over. The whole process tree was killed.
    TimedOut,
    /// The limit of processor time was reached.
    CpuLimit,
    /// The kernel killed a process in the sandbox because the memory limit was reached.
    OutOfMemory,
    /// The command wrote more than `SandboxLimits::output_killed`, and was killed.
    OutputLimit,
    /// The shell itself could not be started, for example because no process could be created. The
    /// text says why.
    NotStarted(String),
}

impl ExecEnd {
    /// Whether the command exited with code 0.
    pub fn success(&self) -> bool {
        matches!(self, Self::Exited(0))
    }

    /// What went wrong. None for a command that exited by itself, whatever its exit code.
    pub fn failure(&self) -> Option<String> {
        (!matches!(self, Self::Exited(_))).then(|| self.describe())
    }

    /// The end in words, for example `killed by signal 9`.
    pub fn describe(&self) -> String {
        match self {
            Self::Exited(code) => format!("exit code {code}"),
            Self::Signaled(signal) => format!("killed by signal {signal}"),
            Self::TimedOut => "timeout".to_owned(),
            Self::CpuLimit => "processor time limit".to_owned(),
            Self::OutOfMemory => "out of memory".to_owned(),
            Self::OutputLimit => "output limit".to_owned(),
            Self::NotStarted(why) => format!("not started: {why}"),
        }
    }

    /// The end as one exit code, as shells write it: 128 plus the signal, 124 for a timeout, 152
    /// (SIGXCPU) for the processor time, 137 (SIGKILL) for memory, 141 (SIGPIPE) for too much
    /// output, 126 if it did not start.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Exited(code) => *code,
            Self::Signaled(signal) => 128 + signal,
            Self::TimedOut => 124,
            Self::CpuLimit => 128 + 24,
            Self::OutOfMemory => 137,
            Self::OutputLimit => 141,
            Self::NotStarted(_) => 126,
        }
    }
}

/// The output of one stream: its head and its tail, and how much was really written. What was
/// between head and tail is lost if the stream was longer than `SandboxLimits::output_kept`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedOutput {
    /// The first bytes that the command wrote.
    pub head: Vec<u8>,
    /// The last bytes. Empty if `head` has everything.
    pub tail: Vec<u8>,
    /// The number of bytes that the command wrote, including those that were not kept.
    pub total: u64,
}

impl CapturedOutput {
    /// Whether bytes are missing between head and tail.
    pub fn truncated(&self) -> bool {
        self.total > (self.head.len() + self.tail.len()) as u64
    }

    /// The output as text. Invalid UTF-8 is replaced. Where bytes are missing, a line says how
    /// many.
    pub fn text(&self) -> String {
        if !self.truncated() {
            let whole = [self.head.as_slice(), self.tail.as_slice()].concat();
            return String::from_utf8_lossy(&whole).into_owned();
        }
        let dropped = self.total - (self.head.len() + self.tail.len()) as u64;
        format!(
            "{}\n[... {dropped} bytes left out ...]\n{}",
            String::from_utf8_lossy(&self.head),
            String::from_utf8_lossy(&self.tail)
        )
    }
}

/// The regular files of the workspace after a command. It becomes the state of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceScan {
    /// Relative paths, sorted, at most [`WorkspaceScan::MAX_FILES`].
    pub files: Vec<String>,
    /// A checksum over all files, also those that are not listed. It changes if the identity, the
    /// size or the change time of any file changes.
    pub digest: u64,
    /// The files that changed since the last scan, sorted by path, at most
    /// [`WorkspaceScan::MAX_FILES`]. The first scan lists no changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<WorkspaceChange>,
    /// The number of all changed files, including those that are not listed.
    #[serde(default)]
    pub changed: u32,
}

/// What has become of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceChange {
    /// A path relative to the workspace.
    pub path: String,
    /// Whether the file was added, modified or removed.
    pub kind: FileChangeKind,
    /// Bytes.
    pub size: u64,
    /// The checksum of the content, in hex. None if the file was removed, or is too large to be
    /// read after every command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

/// How a file differs from the last scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChangeKind {
    Added,
    Modified,
    Removed,
}

impl WorkspaceScan {
    /// The most paths in each list of a scan.
    pub const MAX_FILES: usize = 256;
}

/// How a command ended, and what it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecReport {
    pub end: ExecEnd,
    pub stdout: CapturedOutput,
    pub stderr: CapturedOutput,
    /// The working directory of the session after the command.
    pub cwd: String,
    /// The workspace after the command, if the request asked for a scan.
    pub scan: Option<WorkspaceScan>,
    /// Wall time of the command.
    pub duration: Duration,
}

/// The state of a command in the background, such as an agent program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandStatus {
    Ended(ExecReport),
    /// It still runs. The scan, if there is one, is of this moment.
    Running(Option<WorkspaceScan>),
}

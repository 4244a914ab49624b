//! One command in a sandbox: what is asked, and what is reported of it.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecRequest {
    pub command: String,
    /// Keep working directory and exported variables for the next session command.
    pub session: bool,
    pub timeout: Duration,
    /// List the workspace afterwards.
    pub scan: bool,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "end", content = "value")]
pub enum ExecEnd {
    Exited(i32),
    Signaled(i32),
    /// Wall time was up; the whole tree was killed.
    TimedOut,
    /// Processor time was up.
    CpuLimit,
    /// The kernel killed inside the sandbox for want of memory.
    OutOfMemory,
    /// More was written than the campaign allows.
    OutputLimit,
    /// The shell itself could not be started (for example: no process slot left).
    NotStarted(String),
}

impl ExecEnd {
    pub fn success(&self) -> bool {
        matches!(self, Self::Exited(0))
    }

    /// The shell's way to write it: 128 + signal, 124 for a timeout.
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

/// A stream's head and tail with the count of what was really written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapturedOutput {
    pub head: Vec<u8>,
    pub tail: Vec<u8>,
    pub total: u64,
}

impl CapturedOutput {
    pub fn truncated(&self) -> bool {
        self.total > (self.head.len() + self.tail.len()) as u64
    }

    /// Readable text; the cut is marked where it is.
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

/// The regular files of the workspace, for the state of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceScan {
    /// Relative paths in order, at most [`Scan::MAX_FILES`].
    pub files: Vec<String>,
    /// Changes whenever any file's identity, size or change time does.
    pub digest: u64,
    /// What has become of files since the last scan, in order of their paths, at most
    /// [`Scan::MAX_FILES`]; nothing has at the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<WorkspaceChange>,
    /// How many changed in all.
    #[serde(default)]
    pub changed: u32,
}

/// What has become of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceChange {
    pub path: String,
    pub kind: FileChangeKind,
    pub size: u64,
    /// Of its content; none where it is gone, or too large to be read every time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileChangeKind {
    Added,
    Modified,
    Removed,
}

impl WorkspaceScan {
    pub const MAX_FILES: usize = 256;
}

/// What a command did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecReport {
    pub end: ExecEnd,
    pub stdout: CapturedOutput,
    pub stderr: CapturedOutput,
    /// The session's working directory afterwards.
    pub cwd: String,
    pub scan: Option<WorkspaceScan>,
    pub duration: Duration,
}

/// What has become of a command that goes on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandStatus {
    Ended(ExecReport),
    /// It runs; the workspace as it is now.
    Running(Option<WorkspaceScan>),
}

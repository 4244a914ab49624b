//! Operations: what a tool of an agent may ask a sandbox for. A tool is pure; the engine performs
//! each operation in the sandbox and gives the tool the result.
//!
//! A result is always about the agent's own work: a file that is not there is a refusal, which the
//! tool shows to the model. A sandbox that fails is a [`Fault`](super::Fault) and never a result.

use super::{ExecReport, ExecRequest, WorkspaceScan};
use std::time::Duration;

/// One operation. Paths are absolute paths inside the sandbox; they are resolved there, with the
/// rights of its programs, and never on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SandboxOperation {
    /// Run a command to its end, in the shell session or outside of it.
    Run(ExecRequest),
    /// Type into a terminal and wait for what it shows.
    SendKeys(TerminalInput),
    /// Read a regular file.
    ReadFile(FileRead),
    /// Write a whole file. Missing parent directories are made.
    WriteFile(FileWrite),
    /// List a directory.
    ListDirectory(DirectoryRead),
}

/// Input for a terminal: a shell on a pseudo-terminal that stays from operation to operation. The
/// first input of a name starts the terminal, in the working directory of the shell session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminalInput {
    /// The name of the terminal, such as `main`: at most [`TerminalInput::MAX_NAME`] bytes.
    pub terminal: String,
    /// The bytes to type, control characters included, at most [`TerminalInput::MAX_KEYS`]. Empty:
    /// only wait.
    pub keys: Vec<u8>,
    /// Columns and rows. They are set before the input.
    pub size: (u16, u16),
    /// Return when the terminal has written nothing for so long.
    pub quiet: Duration,
    /// Return after so long in any case. What runs goes on.
    pub timeout: Duration,
}

impl TerminalInput {
    /// Bytes of the longest name of a terminal.
    pub const MAX_NAME: usize = 64;
    /// Bytes that may be typed at once. More is refused as [`RefusalKind::TooLarge`].
    pub const MAX_KEYS: usize = 64 << 10;
}

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileRead {
    pub path: String,
    /// Bytes to read at most, and never more than [`FileRead::MAX_BYTES`]. A longer file is refused
    /// as [`RefusalKind::TooLarge`].
    pub max_bytes: u64,
}

impl FileRead {
    /// Bytes of the largest file that is read or written in one operation.
    pub const MAX_BYTES: u64 = 16 << 20;
}

/// A file to write. An existing regular file keeps its permission bits and its identity; a link is
/// followed inside the sandbox. A write that is refused leaves the file as it was. Content over
/// [`FileRead::MAX_BYTES`] is refused as [`RefusalKind::TooLarge`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWrite {
    pub path: String,
    pub content: Vec<u8>,
}

/// A directory to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryRead {
    pub path: String,
    /// 1 lists the entries of the directory itself, 2 also those of its directories, and so on.
    pub depth: u32,
    /// Entries at most, and never more than [`DirectoryRead::MAX_ENTRIES`]. Further ones are counted
    /// only.
    pub max_entries: u32,
}

impl DirectoryRead {
    /// The most entries of one list.
    pub const MAX_ENTRIES: u32 = 16_384;
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationReport {
    pub result: OperationResult,
    /// The workspace afterwards, for operations that may change it: of commands that asked for it,
    /// of input and of writes. A refused operation has none.
    pub scan: Option<WorkspaceScan>,
    /// Wall time.
    pub duration: Duration,
}

impl OperationReport {
    /// The report of a command that ran.
    pub fn ran(report: ExecReport) -> Self {
        let (scan, duration) = (report.scan.clone(), report.duration);
        Self { result: OperationResult::Ran(report), scan, duration }
    }

    /// The report of an operation that was refused.
    pub fn refused(kind: RefusalKind, message: impl Into<String>) -> Self {
        let refusal = OperationRefusal { kind, message: message.into() };
        let result = OperationResult::Refused(refusal);
        Self { result, scan: None, duration: Duration::ZERO }
    }
}

/// The result of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationResult {
    Ran(ExecReport),
    Shown(TerminalOutput),
    File(Vec<u8>),
    Written,
    Listed(DirectoryEntries),
    Refused(OperationRefusal),
}

/// What a terminal wrote since the last operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminalOutput {
    /// The newest bytes, escape sequences included.
    pub bytes: Vec<u8>,
    /// Older bytes that were not kept.
    pub dropped: u64,
    /// Whether the shell of the terminal still runs. The next input starts a new one otherwise.
    pub alive: bool,
}

/// The entries of a directory, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectoryEntries {
    pub entries: Vec<DirectoryEntry>,
    /// Entries beyond the limit.
    pub left_out: u64,
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryEntry {
    /// The path relative to the directory.
    pub path: String,
    pub kind: DirectoryEntryKind,
    /// Bytes of a regular file, else 0.
    pub size: u64,
}

/// What an entry is. Links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryEntryKind {
    File,
    Directory,
    Symlink,
    Other,
}

/// Why an operation was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationRefusal {
    pub kind: RefusalKind,
    /// In words, such as `No such file or directory`.
    pub message: String,
}

/// The kind of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    NotFound,
    /// Where a file is due there is a directory.
    IsDirectory,
    /// Where a directory is due there is something else.
    NotDirectory,
    /// A device, a FIFO or a socket.
    NotRegular,
    TooLarge,
    /// No right, no space, a name that cannot be, and the like.
    Failed,
}

//! From a request to a started shell: the command line, the descriptors, and where a session
//! command starts.
//!
//! A session is state, not a process. Each command gets its own shell, which starts with the
//! directory and the environment that the last session command left. So a command may `exit`,
//! `exec` or kill its shell without harm to the session.

use crate::files::O_DIRECTORY;
use crate::stateless_commands::is_stateless;
use crate::spawn::{SpawnSpec, CommandSpawner};
use crate::shell_session::{ShellSession, workspace};
use crate::sys;
use crate::terminal_input::KeysRequest;
use crate::wire::{MalformedFrame, PayloadReader};
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// The descriptor at which a session's shell reports its state.
const STATE_FD: RawFd = 9;
/// The descriptor from which the shell reads a command that is too long for an argument.
const SCRIPT_FD: RawFd = 8;
/// Bytes of the longest command that is passed as an argument. The kernel allows 128 KiB for
/// one argument; this stays well below.
const MAX_ARGUMENT: usize = 96 << 10;
/// The longest timeout, one week. It keeps sums of times in range.
pub const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// What programs of a terminal are told of it. The host may show its output on such a terminal.
const TERMINAL_KIND: &CStr = c"TERM=xterm-256color";
const O_TMPFILE: i32 = 0o20_000_000 | O_DIRECTORY;

// The trap runs however the command ends, except by `exec` or SIGKILL; then the session stays
// as it was. It stands on the first line of the command itself, so that line numbers in
// messages of the shell are right.
const REPORT: &[u8] =
    br#"trap '{ pwd -P; printf "\0"; export -p; } 2>/dev/null >&9' EXIT; "#;
/// What the shell runs in place of a long command: the script at [`SCRIPT_FD`].
const SOURCE: &[u8] = b". /proc/self/fd/8";

/// An EXEC or START request.
pub struct CommandRequest {
    command: Vec<u8>,
    /// Run in the shell session, and keep what the command changes of it.
    pub session: bool,
    /// Scan the workspace after the command.
    pub scan: bool,
    /// Both output streams are one pipe.
    joined: bool,
    /// The path of the shell, such as `/bin/sh`.
    shell: Vec<u8>,
    pub timeout: Duration,
    /// Processor seconds for each process of the command; at least one.
    pub cpu_seconds: u64,
    /// Bytes of each output stream that are reported.
    pub kept: usize,
    /// Bytes of both output streams together after which the command is killed.
    pub killed: u64,
}

impl CommandRequest {
    /// Reads the request's payload. Values out of range are moved into it.
    pub fn read(reader: &mut PayloadReader<'_>) -> Result<Self, MalformedFrame> {
        let flags = reader.u8()?;
        Ok(Self {
            session: flags & 1 != 0,
            scan: flags & 2 != 0,
            joined: flags & 4 != 0,
            timeout: Duration::from_millis(reader.u64()?).min(LONGEST),
            cpu_seconds: u64::from(reader.u32()?).max(1),
            kept: reader.u32()? as usize,
            killed: reader.u64()?,
            shell: reader.bytes()?.to_vec(),
            command: reader.bytes()?.to_vec(),
        })
    }
}

/// The guest's ends of a command's pipes. They do not block.
pub struct CommandPipes {
    pub out: File,
    /// None: errors go into `out`.
    pub err: Option<File>,
    /// The shell's report of the session's state. None: no report was asked for.
    pub state: Option<File>,
}

/// Starts the shell of a request and returns its process number. It fails if the command has a
/// NUL byte, if there is no such shell, or if a process or descriptor cannot be had. The write
/// ends of the pipes are closed here when the child has them, so that a pipe ends with its last
/// writer.
pub fn start(
    request: &CommandRequest,
    session: &ShellSession,
    null: &File,
    spawner: &mut CommandSpawner,
) -> io::Result<(i32, CommandPipes)> {
    if request.command.contains(&0) {
        return Err(io::Error::other("the command holds a NUL byte"));
    }
    let (out, out_end) = sys::pipe()?;
    let err = if request.joined { None } else { Some(sys::pipe()?) };
    let report = if reports(request) { Some(sys::pipe()?) } else { None };
    let script = script(request)?;
    let mut extra = Vec::new();
    extra.extend(report.as_ref().map(|(_, end)| (end.as_raw_fd(), STATE_FD)));
    extra.extend(script.as_ref().map(|file| (file.as_raw_fd(), SCRIPT_FD)));
    let err_end = err.as_ref().map_or(&out_end, |(_, end)| end);
    let stdio = [null.as_raw_fd(), out_end.as_raw_fd(), err_end.as_raw_fd()];
    let pid = execute(request, session, stdio, &extra, spawner)?;
    let [err, state] =
        [err, report].map(|pipe| pipe.map(|(read, _)| nonblocking(read)).transpose());
    Ok((pid, CommandPipes { out: nonblocking(out)?, err: err?, state: state? }))
}

/// Starts the shell with `-c`. A command outside of the session starts in the workspace with
/// the base environment.
fn execute(
    request: &CommandRequest,
    session: &ShellSession,
    stdio: [RawFd; 3],
    extra: &[(RawFd, RawFd)],
    spawner: &mut CommandSpawner,
) -> io::Result<i32> {
    let shell = c_string(request.shell.clone())?;
    let (cwd, envp) = if request.session {
        (session.cwd.as_c_str(), session.environment.as_slice())
    } else {
        (workspace(), session.base.as_slice())
    };
    spawner.spawn(&SpawnSpec {
        program: &shell,
        argv: &[shell.clone(), c"-c".to_owned(), c_string(text(request))?],
        envp,
        cwd,
        fallback_cwd: workspace(),
        cpu_seconds: request.cpu_seconds,
        stdio,
        extra,
        terminal: false,
    })
}

/// Starts the shell of a terminal and returns its process number.
pub fn start_terminal(
    request: &KeysRequest,
    session: &ShellSession,
    slave: &File,
    spawner: &mut CommandSpawner,
) -> io::Result<i32> {
    let shell = c_string(request.shell.clone())?;
    let mut envp = session.environment.clone();
    envp.retain(|variable| !variable.as_bytes().starts_with(b"TERM="));
    envp.push(TERMINAL_KIND.to_owned());
    spawner.spawn(&SpawnSpec {
        program: &shell,
        argv: std::slice::from_ref(&shell),
        envp: &envp,
        cwd: session.cwd.as_c_str(),
        fallback_cwd: workspace(),
        cpu_seconds: request.cpu_seconds,
        stdio: [slave.as_raw_fd(); 3],
        extra: &[],
        terminal: true,
    })
}

/// Starts a line outside of the session, without a limit of its time, and returns its process
/// number.
pub fn start_line(
    shell: &[u8],
    line: &[u8],
    session: &ShellSession,
    stdio: [RawFd; 3],
    spawner: &mut CommandSpawner,
) -> io::Result<i32> {
    let shell = c_string(shell.to_vec())?;
    spawner.spawn(&SpawnSpec {
        program: &shell,
        argv: &[shell.clone(), c"-c".to_owned(), c_string(line.to_vec())?],
        envp: &session.base,
        cwd: workspace(),
        fallback_cwd: workspace(),
        cpu_seconds: LONGEST.as_secs(),
        stdio,
        extra: &[],
        terminal: false,
    })
}

/// Whether the shell must report the session's state at its end.
fn reports(request: &CommandRequest) -> bool {
    request.session && !is_stateless(&request.command)
}

/// What the shell gets after `-c`: perhaps the trap, then the command or the line that reads
/// the script.
fn text(request: &CommandRequest) -> Vec<u8> {
    let report = if reports(request) { REPORT } else { b"" };
    let long = request.command.len() > MAX_ARGUMENT;
    [report, if long { SOURCE } else { &request.command }].concat()
}

/// A command that is too long for an argument, as a file without a name. None: it is short
/// enough. The descriptor has a high number, so that moving the child's other descriptors does
/// not overwrite it.
fn script(request: &CommandRequest) -> io::Result<Option<File>> {
    if request.command.len() <= MAX_ARGUMENT {
        return Ok(None);
    }
    let mut options = File::options();
    let mut file = options.read(true).write(true).custom_flags(O_TMPFILE).open("/tmp")?;
    file.write_all(&request.command)?;
    file.seek(SeekFrom::Start(0))?;
    sys::move_fd_high(file).map(Some)
}

fn nonblocking(fd: OwnedFd) -> io::Result<File> {
    sys::set_nonblocking(&fd)?;
    Ok(File::from(fd))
}

/// A string for a system call. A NUL byte cannot be in one.
fn c_string(bytes: Vec<u8>) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::other("a NUL byte where there may be none"))
}

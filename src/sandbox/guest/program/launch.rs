//! From a request to a started shell.
//!
//! A session is state, not a process: each command gets a shell of its own, which starts
//! where the last one ended. So a command may `exit`, `exec` or kill its shell without
//! hurting the session.

use crate::files::O_DIRECTORY;
use crate::stateless_commands::is_stateless;
use crate::spawn::{SpawnSpec, CommandSpawner};
use crate::shell_session::{ShellSession, WORKSPACE};
use crate::sys;
use crate::wire::{MalformedFrame, PayloadReader};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// Where a session's shell reports its state.
const STATE_FD: RawFd = 9;
/// Where a command too long for an argument is read from.
const SCRIPT_FD: RawFd = 8;
/// The kernel allows 128 KiB per argument; stay clear of it.
const MAX_ARGUMENT: usize = 96 << 10;
/// Longer than any command runs; keeps sums of times in range.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const O_TMPFILE: i32 = 0o20_000_000 | O_DIRECTORY;

// The trap runs however the command ends, short of exec or SIGKILL; then the session simply
// stays as it was. It stands on the command's own first line, so that line numbers in
// messages are right.
const REPORT: &[u8] =
    br#"trap '{ pwd -P; printf "\0"; export -p; } 2>/dev/null >&9' EXIT; "#;
const SOURCE: &[u8] = b". /proc/self/fd/8";

/// An `EXEC` request.
pub struct CommandRequest {
    command: Vec<u8>,
    pub session: bool,
    pub scan: bool,
    shell: Vec<u8>,
    pub timeout: Duration,
    pub cpu_seconds: u64,
    pub kept: usize,
    pub killed: u64,
}

impl CommandRequest {
    pub fn read(reader: &mut PayloadReader<'_>) -> Result<Self, MalformedFrame> {
        let flags = reader.u8()?;
        Ok(Self {
            session: flags & 1 != 0,
            scan: flags & 2 != 0,
            timeout: Duration::from_millis(reader.u64()?).min(LONGEST),
            cpu_seconds: u64::from(reader.u32()?).max(1),
            kept: reader.u32()? as usize,
            killed: reader.u64()?,
            shell: reader.bytes()?.to_vec(),
            command: reader.bytes()?.to_vec(),
        })
    }
}

/// Our ends of a command's pipes. The third carries the session's state.
pub struct CommandPipes {
    pub out: File,
    pub err: File,
    pub state: Option<File>,
}

/// Starts the shell of a request; returns its pid.
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
    let (err, err_end) = sys::pipe()?;
    let report = if reports(request) { Some(sys::pipe()?) } else { None };
    let script = script(request)?;
    let mut extra = Vec::new();
    extra.extend(report.as_ref().map(|(_, end)| (end.as_raw_fd(), STATE_FD)));
    extra.extend(script.as_ref().map(|file| (file.as_raw_fd(), SCRIPT_FD)));
    let stdio = [null.as_raw_fd(), out_end.as_raw_fd(), err_end.as_raw_fd()];
    let pid = execute(request, session, stdio, &extra, spawner)?;
    let state = report.map(|(read, _)| nonblocking(read)).transpose()?;
    Ok((pid, CommandPipes { out: nonblocking(out)?, err: nonblocking(err)?, state }))
}

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
        (WORKSPACE, session.base.as_slice())
    };
    spawner.spawn(&SpawnSpec {
        program: &shell,
        argv: &[shell.clone(), c"-c".to_owned(), c_string(text(request))?],
        envp,
        cwd,
        fallback_cwd: WORKSPACE,
        cpu_seconds: request.cpu_seconds,
        stdio,
        extra,
    })
}

/// Whether the shell has to say what it leaves to the session.
fn reports(request: &CommandRequest) -> bool {
    request.session && !is_stateless(&request.command)
}

/// What the shell is given after `-c`.
fn text(request: &CommandRequest) -> Vec<u8> {
    let report = if reports(request) { REPORT } else { b"" };
    let long = request.command.len() > MAX_ARGUMENT;
    [report, if long { SOURCE } else { &request.command }].concat()
}

/// A command too long for an argument, as a file without a name; and never at a number that
/// a child's other descriptors are moved to.
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

fn c_string(bytes: Vec<u8>) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::other("a NUL byte where there may be none"))
}

//! Running commands. A session is state, not a process: each command gets a shell of its
//! own, which starts with the working directory and exports the last one left. So a
//! command may `exit`, `exec` or kill its shell without hurting the session.
//!
//! ```text
//!            child reaped                      pipes empty
//!  running ───────────────► draining what is buffered ───► done
//!     │ deadline, output or client gone
//!     └──► killing the tree ──► child reaped ──► done
//! ```

use crate::sys::{self, PollFd, SharedWord};
use crate::tree;
use crate::wire::{Malformed, Reader, Writer, end};
use crate::files;
use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

const WORKSPACE: &str = "/work";
/// Where the wrapper writes the session's state.
const STATE_FD: RawFd = 9;
/// Where a command too long for an argument is read from.
const SCRIPT_FD: RawFd = 8;
/// The kernel allows 128 KiB per argument; stay clear of it.
const MAX_ARGUMENT: usize = 96 << 10;
/// Pipes that background processes still hold; the oldest are closed beyond this.
const MAX_HELD_PIPES: usize = 64;
const READ_CHUNK: usize = 64 << 10;

// `$1` is the command, `$2` the exports of the command before. The trap runs however the
// command ends, short of exec or SIGKILL; then the session simply stays as it was.
const SESSION: &str = r#"eval "$2"; trap '{ pwd -P; printf "\0"; export -p; } >&9 2>/dev/null' EXIT; synthd_command=$1; shift 2; eval "$synthd_command""#;
const SESSION_LONG: &str = r#"eval "$2"; trap '{ pwd -P; printf "\0"; export -p; } >&9 2>/dev/null' EXIT; shift 2; . /proc/self/fd/8"#;

/// An `EXEC` request.
pub struct Request {
    command: Vec<u8>,
    session: bool,
    scan: bool,
    shell: String,
    timeout: Duration,
    cpu_seconds: u64,
    kept: usize,
    killed: u64,
}

impl Request {
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let flags = reader.u8()?;
        Ok(Self {
            session: flags & 1 != 0,
            scan: flags & 2 != 0,
            timeout: Duration::from_millis(reader.u64()?),
            cpu_seconds: u64::from(reader.u32()?).max(1),
            kept: reader.u32()? as usize,
            killed: reader.u64()?,
            shell: String::from_utf8_lossy(reader.bytes()?).into_owned(),
            command: reader.bytes()?.to_vec(),
        })
    }
}

/// The head and the tail of a stream; what lies between is counted and dropped.
struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: usize,
    total: u64,
}

impl Capture {
    fn new(kept: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), half: (kept / 2).max(1), total: 0 }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = self.half - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        bytes = &rest[rest.len().saturating_sub(self.half)..];
        let surplus = (self.tail.len() + bytes.len()).saturating_sub(self.half);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend(bytes);
    }

    fn write(&mut self, writer: &mut Writer) {
        writer.u64(self.total).bytes(&self.head).bytes(self.tail.make_contiguous());
    }
}

enum Ending {
    Reaped { status: i32, cpu_seconds: u64 },
    TimedOut,
    OutputLimit,
}

/// The one session and what belongs to it.
pub struct Shell {
    deaths: File,
    failure: SharedWord,
    null: File,
    cwd: Vec<u8>,
    exports: Vec<u8>,
    /// Read ends that background processes still write to: drained, so that they live on.
    held: Vec<File>,
    environment: Vec<CString>,
    buffer: Vec<u8>,
}

impl Shell {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            deaths: sys::child_signals()?,
            failure: SharedWord::new()?,
            null: File::options().read(true).write(true).open("/dev/null")?,
            cwd: WORKSPACE.into(),
            exports: Vec::new(),
            held: Vec::new(),
            environment: base_environment(),
            buffer: vec![0; READ_CHUNK],
        })
    }

    /// Waits for a request, reaping and draining meanwhile. False: the stream has closed.
    pub fn idle_until_readable(&mut self, stream: &File) -> io::Result<bool> {
        loop {
            let mut fds = vec![poll_for(stream.as_raw_fd(), sys::POLLIN)];
            fds.push(poll_for(self.deaths.as_raw_fd(), sys::POLLIN));
            fds.extend(self.held.iter().map(|f| poll_for(f.as_raw_fd(), sys::POLLIN)));
            sys::wait_for(&mut fds, -1)?;
            if fds[1].revents != 0 {
                self.reap_all(0);
            }
            self.drain_held();
            if fds[0].revents & sys::POLLIN != 0 {
                return Ok(true);
            }
            if fds[0].revents != 0 {
                return Ok(false);
            }
        }
    }

    /// Runs one command and returns the payload of its reply.
    pub fn run(&mut self, request: &Request, stream: &File) -> io::Result<Vec<u8>> {
        let started = Instant::now();
        let (mut out, mut err) = (Capture::new(request.kept), Capture::new(request.kept));
        let mut state = None;
        let verdict = match self.launch(request, &mut state) {
            Err(error) => (end::NOT_STARTED, 0, error.to_string()),
            Ok((pid, pipes)) => {
                let ending = self.attend(pid, pipes, request, stream, (&mut out, &mut err))?;
                self.conclude(ending, request)
            }
        };
        if let Some(state) = state {
            self.keep_state(state);
        }
        let mut reply = Writer::default();
        reply.u8(verdict.0).i32(verdict.1).bytes(verdict.2.as_bytes());
        out.write(&mut reply);
        err.write(&mut reply);
        reply.bytes(&self.cwd);
        reply.u64(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        if request.scan {
            reply.u8(1);
            files::scan(&mut reply);
        } else {
            reply.u8(0);
        }
        Ok(reply.0)
    }

    fn launch(
        &mut self,
        request: &Request,
        state: &mut Option<File>,
    ) -> io::Result<(i32, [File; 2])> {
        let shell = c_string(request.shell.as_bytes())?;
        let (out_read, out_write) = sys::pipe()?;
        let (err_read, err_write) = sys::pipe()?;
        let mut extra = Vec::new();
        let mut argv = vec![shell.clone(), c"-c".to_owned()];
        let script = self.arguments(request, &shell, &mut argv, &mut extra, state)?;
        let workspace = c_string(WORKSPACE.as_bytes())?;
        let cwd = if request.session { c_string(&self.cwd)? } else { workspace.clone() };
        let launch = sys::Launch {
            program: &shell,
            argv: &argv,
            envp: &self.environment,
            cwd: &cwd,
            fallback_cwd: &workspace,
            cpu_seconds: request.cpu_seconds,
            stdio: [self.null.as_raw_fd(), out_write.as_raw_fd(), err_write.as_raw_fd()],
            extra: &extra,
            failure: &self.failure,
        };
        let pid = sys::spawn(&launch)?;
        drop((out_write, err_write, script));
        Ok((pid, [nonblocking(out_read)?, nonblocking(err_read)?]))
    }

    /// Fills in what comes after `-c`; returns what must stay open until the fork.
    fn arguments(
        &self,
        request: &Request,
        shell: &CString,
        argv: &mut Vec<CString>,
        extra: &mut Vec<(RawFd, RawFd)>,
        state: &mut Option<File>,
    ) -> io::Result<Option<File>> {
        if !request.session && request.command.len() <= MAX_ARGUMENT {
            argv.push(c_string(&request.command)?);
            return Ok(None);
        }
        let mut exports: &[u8] = b"";
        if request.session {
            exports = &self.exports;
            let file = sys::memfd(&c"state".to_owned())?;
            extra.push((file.as_raw_fd(), STATE_FD));
            *state = Some(file);
        }
        if request.command.len() <= MAX_ARGUMENT {
            argv.extend([c_string(SESSION.as_bytes())?, shell.clone()]);
            argv.extend([c_string(&request.command)?, c_string(exports)?]);
            return Ok(None);
        }
        let mut script = sys::memfd(&c"script".to_owned())?;
        script.write_all(&request.command)?;
        script.seek(SeekFrom::Start(0))?;
        extra.push((script.as_raw_fd(), SCRIPT_FD));
        argv.extend([c_string(SESSION_LONG.as_bytes())?, shell.clone()]);
        argv.extend([c_string(b"-")?, c_string(exports)?]);
        Ok(Some(script))
    }

    /// Reads both pipes until the child itself has died: a background process that holds
    /// them open does not keep the command alive.
    fn attend(
        &mut self,
        pid: i32,
        mut pipes: [File; 2],
        request: &Request,
        stream: &File,
        captures: (&mut Capture, &mut Capture),
    ) -> io::Result<Ending> {
        let deadline = Instant::now() + request.timeout;
        let mut open = [true, true];
        let ending = loop {
            if let Some((status, cpu_seconds)) = self.reap_all(pid) {
                break Ending::Reaped { status, cpu_seconds };
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Ending::TimedOut;
            }
            if captures.0.total + captures.1.total > request.killed {
                break Ending::OutputLimit;
            }
            self.wait_for_news(stream, &pipes, open, left)?;
            open[0] = open[0] && drain(&mut pipes[0], captures.0, &mut self.buffer)?;
            open[1] = open[1] && drain(&mut pipes[1], captures.1, &mut self.buffer)?;
            self.drain_held();
        };
        if !matches!(ending, Ending::Reaped { .. }) {
            tree::kill(pid);
            self.wait_for_death(pid)?;
        }
        let [out, err] = pipes;
        for (mut pipe, capture) in [(out, captures.0), (err, captures.1)] {
            // What the child wrote before it died is in the pipe already; a background
            // flood is not waited for.
            if drain(&mut pipe, capture, &mut self.buffer)? {
                self.hold(pipe);
            }
        }
        Ok(ending)
    }

    fn wait_for_news(
        &mut self,
        stream: &File,
        pipes: &[File; 2],
        open: [bool; 2],
        left: Duration,
    ) -> io::Result<()> {
        let mut fds = vec![
            poll_for(stream.as_raw_fd(), sys::POLLRDHUP),
            poll_for(self.deaths.as_raw_fd(), sys::POLLIN),
        ];
        let live = pipes.iter().zip(open).filter(|(_, open)| *open);
        fds.extend(live.map(|(pipe, _)| poll_for(pipe.as_raw_fd(), sys::POLLIN)));
        fds.extend(self.held.iter().map(|f| poll_for(f.as_raw_fd(), sys::POLLIN)));
        let millis = left.as_millis().saturating_add(1).min(60_000);
        sys::wait_for(&mut fds, i32::try_from(millis).unwrap_or(60_000))?;
        if fds[0].revents & (sys::POLLRDHUP | sys::POLLHUP) != 0 {
            // The host has gone, and with our end the kernel ends the whole namespace.
            std::process::exit(0);
        }
        Ok(())
    }

    fn wait_for_death(&mut self, pid: i32) -> io::Result<()> {
        while self.reap_all(pid).is_none() {
            tree::kill(pid);
            let mut fds = [poll_for(self.deaths.as_raw_fd(), sys::POLLIN)];
            sys::wait_for(&mut fds, 10)?;
        }
        Ok(())
    }

    /// Reaps every dead process; the status of `pid` if it was among them.
    fn reap_all(&mut self, pid: i32) -> Option<(i32, u64)> {
        // One signalfd record stands for any number of deaths; reading only resets it.
        let _ = self.deaths.read(&mut [0; 1024]);
        let mut found = None;
        while let Ok(Some(death)) = sys::reap() {
            if death.pid == pid {
                found = Some((death.status, death.cpu_seconds));
            }
        }
        found
    }

    fn conclude(&self, ending: Ending, request: &Request) -> (u8, i32, String) {
        let (status, cpu_seconds) = match ending {
            Ending::TimedOut => return (end::TIMED_OUT, 0, String::new()),
            Ending::OutputLimit => return (end::OUTPUT_LIMIT, 0, String::new()),
            Ending::Reaped { status, cpu_seconds } => (status, cpu_seconds),
        };
        let errno = self.failure.get();
        if errno != 0 {
            let error = io::Error::from_raw_os_error(errno);
            return (end::NOT_STARTED, errno, error.to_string());
        }
        let (signal, code) = (status & 0x7f, (status >> 8) & 0xff);
        let by_cpu = [sys::SIGXCPU, sys::SIGKILL]
            .iter()
            .any(|s| signal == *s || code == 128 + *s);
        if by_cpu && cpu_seconds >= request.cpu_seconds {
            return (end::CPU_LIMIT, 0, String::new());
        }
        if signal != 0 {
            return (end::SIGNALED, signal, String::new());
        }
        (end::EXITED, code, String::new())
    }

    /// Takes over the working directory and exports the command left, if it left any.
    fn keep_state(&mut self, mut file: File) {
        let mut text = Vec::new();
        let read = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.take(2 * MAX_ARGUMENT as u64).read_to_end(&mut text));
        let Some(at) = text.iter().position(|b| *b == 0).filter(|_| read.is_ok()) else { return };
        let (cwd, exports) = (&text[..at], &text[at + 1..]);
        if let Some(cwd) = cwd.strip_suffix(b"\n").filter(|c| c.starts_with(b"/")) {
            self.cwd = cwd.to_vec();
        }
        if exports.len() <= MAX_ARGUMENT && !exports.contains(&0) {
            self.exports = exports.to_vec();
        }
    }

    /// Ends everything but the guest itself, so that nothing changes a tree being copied.
    pub fn kill_everything(&mut self) -> io::Result<()> {
        loop {
            sys::kill_process(-1);
            match sys::reap() {
                Err(_) => return Ok(()),
                Ok(Some(_)) => {}
                Ok(None) => {
                    let mut fds = [poll_for(self.deaths.as_raw_fd(), sys::POLLIN)];
                    sys::wait_for(&mut fds, 10)?;
                    let _ = self.deaths.read(&mut [0; 1024]);
                }
            }
        }
    }

    fn hold(&mut self, pipe: File) {
        if self.held.len() >= MAX_HELD_PIPES {
            self.held.remove(0);
        }
        self.held.push(pipe);
    }

    fn drain_held(&mut self) {
        let buffer = &mut self.buffer;
        // One read each: a flood from the background must not starve the foreground.
        self.held.retain_mut(|pipe| match pipe.read(buffer) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        });
    }
}

/// Reads until the pipe is empty for now. False: its writers are gone.
fn drain(pipe: &mut File, capture: &mut Capture, buffer: &mut [u8]) -> io::Result<bool> {
    // Bounded, so that a flood leaves time to look at the clock and at the limits.
    for _ in 0..16 {
        match pipe.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => capture.push(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn poll_for(fd: RawFd, events: i16) -> PollFd {
    PollFd { fd, events, revents: 0 }
}

fn nonblocking(fd: OwnedFd) -> io::Result<File> {
    sys::set_nonblocking(&fd)?;
    Ok(File::from(fd))
}

fn c_string(bytes: &[u8]) -> io::Result<CString> {
    CString::new(bytes).map_err(|_| io::Error::other("the command holds a NUL byte"))
}

fn base_environment() -> Vec<CString> {
    [
        c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        c"HOME=/home/agent",
        c"USER=agent",
        c"LOGNAME=agent",
        c"LANG=C.UTF-8",
        c"TZ=UTC",
        c"TERM=dumb",
    ]
    .iter()
    .map(|s| (*s).to_owned())
    .collect()
}

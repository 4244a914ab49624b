//! Running commands, one at a time, and looking after everything they leave behind.
//!
//! ```text
//!            child reaped                      pipes empty
//!  running ───────────────► draining what is buffered ───► done
//!     │ deadline, output or client gone
//!     └──► killing the tree ──► child reaped ──► done
//! ```

use crate::capture::{Capture, drain};
use crate::host::Host;
use crate::launch::{self, Pipes, Request};
use crate::memory::Kills;
use crate::poll_for;
use crate::scan::Scanner;
use crate::spawn::Spawner;
use crate::state::{MAX_REPORT, Session};
use crate::sys::{self, Death};
use crate::tree;
use crate::wire::{Frame, Malformed, Writer, end};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Pipes that background processes still hold; the oldest are closed beyond this.
const MAX_HELD_PIPES: usize = 64;
const READ_CHUNK: usize = 64 << 10;
/// Deaths taken in one go: whoever makes orphans faster than they are reaped must not keep
/// the guest from looking at the clock.
const REAPED_AT_ONCE: usize = 1024;
const EAGAIN: i32 = 11;
/// How long a killed tree may take to die before the reply goes out all the same.
const DYING: Duration = Duration::from_secs(5);

enum Ending {
    Reaped { status: i32, cpu: Duration },
    TimedOut,
    OutputLimit,
}

/// What a command leaves to be read.
struct Output {
    out: Capture,
    err: Capture,
    state: Vec<u8>,
}

/// The one session and what belongs to it.
pub struct Shell {
    deaths: File,
    /// More were dead than were reaped in one go.
    backlog: bool,
    null: File,
    session: Session,
    spawner: Spawner,
    kills: Kills,
    scanner: Scanner,
    /// Read ends that background processes still write to: drained, so that they live on.
    held: Vec<File>,
    buffer: Vec<u8>,
}

impl Shell {
    pub fn new(spawner: Spawner) -> io::Result<Self> {
        Ok(Self {
            deaths: sys::child_signals()?,
            backlog: false,
            null: File::options().read(true).write(true).open("/dev/null")?,
            session: Session::new(),
            spawner,
            kills: Kills::open(),
            scanner: Scanner::default(),
            held: Vec::new(),
            buffer: vec![0; READ_CHUNK],
        })
    }

    /// Sets a variable for every later command.
    pub fn add_variable(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        let set = self.session.set(name, value);
        set.ok_or_else(|| crate::invalid(Malformed("no such variable can be")))
    }

    /// Waits for a request, reaping and draining meanwhile.
    pub fn idle(&mut self, host: &mut Host) -> io::Result<Frame> {
        loop {
            if let Some(frame) = host.next_request() {
                return Ok(frame);
            }
            if self.wait_for_news(host, &[], -1)? || self.backlog {
                self.reap_all(0);
            }
            self.drain_held();
        }
    }

    /// Runs one command and returns the payload of its reply.
    pub fn run(&mut self, request: &Request, host: &mut Host) -> io::Result<Vec<u8>> {
        let started = Instant::now();
        let before = self.kills.count();
        let mut output = Output {
            out: Capture::new(request.kept),
            err: Capture::new(request.kept),
            state: Vec::new(),
        };
        let verdict = match self.start(request) {
            Err(error) => (end::NOT_STARTED, 0, error.to_string()),
            Ok((pid, pipes)) => {
                conclude(self.attend(pid, pipes, request, host, &mut output)?, request)
            }
        };
        self.session.update(&output.state);
        let mut reply = Writer::default();
        reply.u8(verdict.0).i32(verdict.1).bytes(verdict.2.as_bytes());
        output.out.write(&mut reply);
        output.err.write(&mut reply);
        reply.bytes(self.session.cwd.as_bytes());
        reply.u64(u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX));
        reply.u64(self.kills.count().saturating_sub(before));
        reply.u8(u8::from(request.scan));
        if request.scan {
            self.scanner.scan(&mut reply);
        }
        Ok(reply.0)
    }

    /// Where background processes have taken every slot there is, they end, or nothing
    /// would ever run here again.
    fn start(&mut self, request: &Request) -> io::Result<(i32, Pipes)> {
        match launch::start(request, &self.session, &self.null, &mut self.spawner) {
            Err(error) if error.raw_os_error() == Some(EAGAIN) => {
                self.kill_everything()?;
                launch::start(request, &self.session, &self.null, &mut self.spawner)
            }
            other => other,
        }
    }

    /// Reads the pipes until the child itself has died: a background process that holds
    /// them open does not keep the command alive.
    fn attend(
        &mut self,
        pid: i32,
        mut pipes: Pipes,
        request: &Request,
        host: &mut Host,
        output: &mut Output,
    ) -> io::Result<Ending> {
        let deadline = Instant::now() + request.timeout;
        let mut open = [true, true, pipes.state.is_some()];
        let ending = loop {
            if let Some((status, cpu)) = self.reap_all(pid) {
                break Ending::Reaped { status, cpu };
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break Ending::TimedOut;
            }
            if output.out.total + output.err.total > request.killed {
                break Ending::OutputLimit;
            }
            let ours = [Some(&pipes.out), Some(&pipes.err), pipes.state.as_ref()];
            let live = ours.into_iter().zip(open).filter_map(|(pipe, open)| pipe.filter(|_| open));
            let live: Vec<&File> = live.collect();
            let millis = left.as_millis().saturating_add(1).min(60_000);
            self.wait_for_news(host, &live, i32::try_from(millis).unwrap_or(60_000))?;
            self.drain_open(&mut pipes, &mut open, output)?;
            self.drain_held();
        };
        if !matches!(ending, Ending::Reaped { .. }) {
            self.end_tree(pid, host)?;
        }
        // What the child wrote before it died is in the pipes already; a background flood
        // is not waited for.
        self.drain_open(&mut pipes, &mut open, output)?;
        for (pipe, open) in [pipes.out, pipes.err].into_iter().zip(open) {
            if open {
                self.hold(pipe);
            }
        }
        Ok(ending)
    }

    fn drain_open(
        &mut self,
        pipes: &mut Pipes,
        open: &mut [bool; 3],
        output: &mut Output,
    ) -> io::Result<()> {
        let buffer = &mut self.buffer;
        open[0] = open[0] && drain(&mut pipes.out, buffer, |bytes| output.out.push(bytes))?;
        open[1] = open[1] && drain(&mut pipes.err, buffer, |bytes| output.err.push(bytes))?;
        if let Some(pipe) = pipes.state.as_mut().filter(|_| open[2]) {
            open[2] = drain(pipe, buffer, |bytes| {
                let room = MAX_REPORT - output.state.len();
                output.state.extend_from_slice(&bytes[..bytes.len().min(room)]);
            })?;
        }
        Ok(())
    }

    /// Waits until something happens anywhere, and attends to the host. Whether somebody
    /// has died.
    fn wait_for_news(
        &mut self,
        host: &mut Host,
        pipes: &[&File],
        millis: i32,
    ) -> io::Result<bool> {
        let files = self.held.iter().chain(pipes.iter().copied());
        let mut fds = vec![poll_for(self.deaths.as_raw_fd(), sys::POLLIN)];
        fds.extend(files.map(|file| poll_for(file.as_raw_fd(), sys::POLLIN)));
        let hosts = fds.len();
        host.watch(&mut fds);
        sys::wait_for(&mut fds, if self.backlog { 0 } else { millis })?;
        host.attend(&fds[hosts..])?;
        Ok(fds[0].revents != 0)
    }

    /// Kills the tree below `root` and waits until all of it is dead and reaped.
    fn end_tree(&mut self, root: i32, host: &mut Host) -> io::Result<()> {
        let mut dying = HashSet::from([root]);
        let mut killed = HashSet::new();
        let patience = Instant::now() + DYING;
        // Beyond the patience only for the root: its age tells who belongs to it.
        while dying.contains(&root) || (!dying.is_empty() && Instant::now() < patience) {
            if dying.contains(&root) {
                tree::kill(root, &mut killed);
                dying.extend(killed.iter().filter(|pid| sys::exists(**pid)));
            }
            if Instant::now() >= patience {
                sys::kill_process(-1);
            }
            self.wait_for_news(host, &[], 10)?;
            self.drain_held();
            self.reap_each(|death| {
                dying.remove(&death.pid);
            });
            dying.retain(|pid| *pid == root || sys::exists(*pid));
        }
        Ok(())
    }

    /// Reaps the dead; the status of `pid` if it was among them.
    fn reap_all(&mut self, pid: i32) -> Option<(i32, Duration)> {
        let mut found = None;
        self.reap_each(|death| {
            if death.pid == pid {
                found = Some((death.status, death.cpu));
            }
        });
        found
    }

    fn reap_each(&mut self, mut look: impl FnMut(&Death)) {
        // One signalfd record stands for any number of deaths; reading only resets it.
        let _ = self.deaths.read(&mut [0; 128]);
        self.backlog = false;
        for _ in 0..REAPED_AT_ONCE {
            let Ok(Some(death)) = sys::reap() else { return };
            look(&death);
        }
        self.backlog = true;
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
                    let _ = self.deaths.read(&mut [0; 128]);
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

fn conclude(ending: Ending, request: &Request) -> (u8, i32, String) {
    let (status, cpu) = match ending {
        Ending::TimedOut => return (end::TIMED_OUT, 0, String::new()),
        Ending::OutputLimit => return (end::OUTPUT_LIMIT, 0, String::new()),
        Ending::Reaped { status, cpu } => (status, cpu),
    };
    let (signal, code) = (status & 0x7f, (status >> 8) & 0xff);
    if ended_by_limit(signal, code, cpu, Duration::from_secs(request.cpu_seconds)) {
        return (end::CPU_LIMIT, 0, String::new());
    }
    if signal != 0 {
        return (end::SIGNALED, signal, String::new());
    }
    (end::EXITED, code, String::new())
}

/// SIGXCPU comes at the limit, SIGKILL a second later; a shell passes either on as a code.
/// The kernel enforces by counting ticks and reports by the exact clock: with many threads
/// the two differ by a lot, so the time only has to be of the right order.
fn ended_by_limit(signal: i32, code: i32, cpu: Duration, limit: Duration) -> bool {
    let by = |number| signal == number || code == 128 + number;
    by(sys::SIGXCPU) && cpu * 4 >= limit || by(sys::SIGKILL) && cpu * 4 >= limit * 3
}

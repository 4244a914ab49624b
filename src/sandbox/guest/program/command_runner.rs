//! Runs commands, one at a time, and looks after everything that they leave behind: background
//! processes, open pipes, orphans.
//!
//! EXEC runs a command to its end. START begins a command that runs beside other requests, here
//! called a job; AWAIT attends to it and STOP ends it.
//!
//! ```text
//!            child reaped                      pipes empty
//!  running ───────────────► draining what is buffered ───► done
//!     │  ▲ deadline, output limit or STOP
//!     │  │└──► killing the tree ──► child reaped ──► done
//!     ▼  │ AWAIT
//!  job that nobody attends to: other requests are answered
//! ```
//!
//! A command ends when its shell has died, also if background processes hold its pipes open.
//! Between requests and during a command, the guest waits at one place,
//! `CommandRunner::wait_for_news`. It watches the stream, the tunnel, dead children, all pipes,
//! the agent's terminals and the services at once.

use crate::capture::drain;
use crate::host_channel::HostChannel;
use crate::command_job::{CommandEnding, CommandJob, CommandOutput, RunningCommand, conclude};
use crate::launch::{self, CommandPipes, CommandRequest};
use crate::oom_kills::OomKillCounter;
use crate::poll_for;
use crate::scan::WorkspaceScanner;
use crate::service_keeper::{ServiceKeeper, ServiceRequest, ServiceStarter};
use crate::spawn::CommandSpawner;
use crate::shell_session::{MAX_REPORT, ShellSession};
use crate::sys::{self, ChildExit};
use crate::process_tree;
use crate::terminal_set::TerminalSet;
use crate::wire::{GuestFrame, MalformedFrame, PayloadWriter, end};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Pipes that background processes still hold. Beyond this number the oldest is closed, and its
/// writer gets SIGPIPE.
const MAX_HELD_PIPES: usize = 64;
const READ_CHUNK: usize = 64 << 10;
/// The most dead children that the guest reaps in one go. A program may make orphans faster
/// than the guest reaps them, and the guest must still look at the clock.
const REAPED_AT_ONCE: usize = 1024;
/// The errno of a start for which no process slot is free.
const EAGAIN: i32 = 11;
/// How long the processes of a killed tree may take to die. Then the reply is sent, although
/// some may not be gone yet.
const DYING: Duration = Duration::from_secs(5);

/// The shell session and everything around the commands that run in it.
pub struct CommandRunner {
    /// Readable when a child has died, see `sys::child_signals`.
    deaths: File,
    /// The last round reaped [`REAPED_AT_ONCE`] children, so more may be dead. The next wait
    /// then does not block.
    backlog: bool,
    /// `/dev/null`, the standard input of every command.
    null: File,
    pub(crate) session: ShellSession,
    pub(crate) spawner: CommandSpawner,
    /// The terminals of the agent.
    pub(crate) terminals: TerminalSet,
    /// The services of the task.
    pub(crate) services: ServiceKeeper,
    /// The kernel's count of kills because memory was exhausted.
    kills: OomKillCounter,
    scanner: WorkspaceScanner,
    /// The command of START. None while a function attends to it.
    job: Option<CommandJob>,
    /// Read ends of pipes that background processes still write to. They are read and the bytes
    /// dropped, because a full or closed pipe would stop or kill the writer.
    held: Vec<File>,
    pub(crate) buffer: Vec<u8>,
}

impl CommandRunner {
    pub fn new(spawner: CommandSpawner) -> io::Result<Self> {
        Ok(Self {
            deaths: sys::child_signals()?,
            backlog: false,
            null: File::options().read(true).write(true).open("/dev/null")?,
            session: ShellSession::new(),
            spawner,
            terminals: TerminalSet::default(),
            services: ServiceKeeper::default(),
            kills: OomKillCounter::open(),
            scanner: WorkspaceScanner::default(),
            job: None,
            held: Vec::new(),
            buffer: vec![0; READ_CHUNK],
        })
    }

    /// Sets an environment variable for every later command. A name or value that cannot be in
    /// an environment is a mistake of the host and ends the guest.
    pub fn add_variable(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        let set = self.session.set(name, value);
        set.ok_or_else(|| crate::invalid(MalformedFrame("no such variable can be")))
    }

    /// Waits for the next request. Meanwhile it reaps dead children and reads the pipes of
    /// background processes.
    pub fn idle(&mut self, host: &mut HostChannel) -> io::Result<GuestFrame> {
        loop {
            if let Some(frame) = host.next_request() {
                return Ok(frame);
            }
            let died = self.idle_beside_job(host)?;
            if died || self.backlog {
                self.reap_all(0);
            }
            self.serve_background();
        }
    }

    /// Waits for news while no request is served. It reads the pipes of a job, so that the job
    /// does not stop at a full pipe. Its limits are checked at the next AWAIT. Returns whether
    /// a child has died.
    fn idle_beside_job(&mut self, host: &mut HostChannel) -> io::Result<bool> {
        let mut job = self.job.take();
        let running = job.as_mut().and_then(|job| Some((job.running.as_mut()?, &mut job.output)));
        let died = match running {
            None => self.wait_for_news(host, &[], -1)?,
            Some((running, output)) => {
                let died = self.wait_for_news(host, &running.live(), -1)?;
                self.drain_open(running, output)?;
                died
            }
        };
        self.job = job;
        Ok(died)
    }

    /// Runs one command to its end and returns the payload of EXITED.
    pub fn run(&mut self, request: CommandRequest, host: &mut HostChannel) -> io::Result<Vec<u8>> {
        let mut job = self.begin(request);
        self.attend(&mut job, host, false)?;
        Ok(self.report(job))
    }

    /// Starts a job. A second job at the same time is a mistake of the host and ends the guest.
    pub fn start_job(&mut self, request: CommandRequest) -> io::Result<()> {
        if self.job.is_some() {
            return Err(crate::invalid(MalformedFrame("a command runs already")));
        }
        self.job = Some(self.begin(request));
        Ok(())
    }

    /// Attends to the job until it has ended and returns the payload of EXITED. None: another
    /// request waits, and the job runs on.
    pub fn await_job(&mut self, host: &mut HostChannel) -> io::Result<Option<Vec<u8>>> {
        let mut job = self.job.take().ok_or_else(no_job)?;
        if self.attend(&mut job, host, true)? {
            return Ok(Some(self.report(job)));
        }
        self.job = Some(job);
        Ok(None)
    }

    /// Kills the job with all processes that it has started and returns the payload of EXITED.
    /// A job that has already ended is only reported.
    pub fn stop_job(&mut self, host: &mut HostChannel) -> io::Result<Vec<u8>> {
        let mut job = self.job.take().ok_or_else(no_job)?;
        job.request.timeout = Duration::ZERO;
        self.attend(&mut job, host, false)?;
        Ok(self.report(job))
    }

    /// Starts a service and keeps it.
    pub fn add_service(&mut self, request: ServiceRequest) -> io::Result<()> {
        let (session, null, spawner) = (&self.session, &self.null, &mut self.spawner);
        self.services.add(request, &mut ServiceStarter { session, null, spawner })
    }

    /// Scans the workspace and appends the result to `reply`.
    pub fn scan(&mut self, reply: &mut PayloadWriter) {
        self.scanner.scan(reply);
    }

    /// Starts a command. A command that cannot be started becomes a job that has already ended
    /// with NOT_STARTED.
    fn begin(&mut self, request: CommandRequest) -> CommandJob {
        // The count of kills is read before the start, so that no kill of this command is
        // missed.
        let (started, kills) = (Instant::now(), self.kills.count());
        let output = CommandOutput::new(request.kept);
        let (running, verdict) = match self.start(&request) {
            Err(error) => (None, Some((end::NOT_STARTED, 0, error.to_string()))),
            Ok((pid, pipes)) => (Some(RunningCommand::new(pid, pipes)), None),
        };
        CommandJob { request, started, kills, running, output, verdict }
    }

    /// The payload of EXITED for a command that has ended. It also takes over what the shell
    /// has reported of the session.
    fn report(&mut self, mut job: CommandJob) -> Vec<u8> {
        self.session.update(&job.output.state);
        let (end, value, why) = job.verdict.unwrap_or_default();
        let mut reply = PayloadWriter::default();
        reply.u8(end).i32(value).bytes(why.as_bytes());
        job.output.out.write(&mut reply);
        job.output.err.write(&mut reply);
        reply.bytes(self.session.cwd.as_bytes());
        reply.u64(u64::try_from(job.started.elapsed().as_micros()).unwrap_or(u64::MAX));
        reply.u64(self.kills.count().saturating_sub(job.kills));
        reply.u8(u8::from(job.request.scan));
        if job.request.scan {
            self.scanner.scan(&mut reply);
        }
        reply.0
    }

    /// Starts the shell of a command. If background processes hold every process slot, it kills
    /// all processes and tries once more. Otherwise no command could ever run here again.
    fn start(&mut self, request: &CommandRequest) -> io::Result<(i32, CommandPipes)> {
        match launch::start(request, &self.session, &self.null, &mut self.spawner) {
            Err(error) if error.raw_os_error() == Some(EAGAIN) => {
                self.kill_everything()?;
                launch::start(request, &self.session, &self.null, &mut self.spawner)
            }
            other => other,
        }
    }

    /// Attends to a command until its shell has died, or until it is killed at a limit. Returns
    /// whether it has ended. With `yields` it returns false as soon as another request waits,
    /// and the command runs on.
    fn attend(&mut self, job: &mut CommandJob, host: &mut HostChannel, yields: bool) -> io::Result<bool> {
        let Some(mut running) = job.running.take() else { return Ok(true) };
        let deadline = job.started + job.request.timeout;
        // A command that has died is reported as ended, also if its deadline has passed
        // meanwhile. So death is checked first.
        let ending = loop {
            if let Some((status, cpu)) = running.death.take().or_else(|| self.reap_all(running.pid)) {
                break CommandEnding::Reaped { status, cpu };
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break CommandEnding::TimedOut;
            }
            if job.output.out.total + job.output.err.total > job.request.killed {
                break CommandEnding::OutputLimit;
            }
            if yields && host.has_request() {
                job.running = Some(running);
                return Ok(false);
            }
            let live = running.live();
            let millis = left.as_millis().saturating_add(1).min(60_000);
            self.wait_for_news(host, &live, i32::try_from(millis).unwrap_or(60_000))?;
            self.drain_open(&mut running, &mut job.output)?;
            self.serve_background();
        };
        if !matches!(ending, CommandEnding::Reaped { .. }) {
            self.end_tree(running.pid, host)?;
        }
        // What the shell wrote before it died is in the pipes already. One round of reading
        // takes it, and output of background processes is not waited for.
        self.drain_open(&mut running, &mut job.output)?;
        let pipes = [Some(running.pipes.out), running.pipes.err];
        for (pipe, _) in pipes.into_iter().flatten().zip(running.open).filter(|(_, open)| *open) {
            self.hold(pipe);
        }
        job.verdict = Some(conclude(ending, &job.request));
        Ok(true)
    }

    /// Reads what the command's pipes hold at the moment.
    fn drain_open(&mut self, running: &mut RunningCommand, output: &mut CommandOutput) -> io::Result<()> {
        let (buffer, open, pipes) = (&mut self.buffer, &mut running.open, &mut running.pipes);
        open[0] = open[0] && drain(&mut pipes.out, buffer, |bytes| output.out.push(bytes))?;
        if let Some(pipe) = pipes.err.as_mut().filter(|_| open[1]) {
            open[1] = drain(pipe, buffer, |bytes| output.err.push(bytes))?;
        }
        if let Some(pipe) = pipes.state.as_mut().filter(|_| open[2]) {
            open[2] = drain(pipe, buffer, |bytes| {
                // A longer report is cut. An environment that is cut in the middle of a
                // variable is not taken over.
                let room = MAX_REPORT - output.state.len();
                output.state.extend_from_slice(&bytes[..bytes.len().min(room)]);
            })?;
        }
        Ok(())
    }

    /// Waits until something happens anywhere or `millis` have passed, and serves the stream
    /// and the tunnel. The caller reads the pipes and reaps. Returns whether a child has died.
    fn wait_for_news(
        &mut self,
        host: &mut HostChannel,
        pipes: &[&File],
        millis: i32,
    ) -> io::Result<bool> {
        let files = self.held.iter().chain(pipes.iter().copied());
        let mut fds = vec![poll_for(self.deaths.as_raw_fd(), sys::POLLIN)];
        fds.extend(files.map(|file| poll_for(file.as_raw_fd(), sys::POLLIN)));
        fds.extend(self.terminals.watch());
        fds.extend(self.services.watch());
        let hosts = fds.len();
        host.watch(&mut fds);
        sys::wait_for(&mut fds, if self.backlog { 0 } else { self.services.shorten(millis) })?;
        host.attend(&fds[hosts..])?;
        Ok(fds[0].revents != 0)
    }

    /// Waits for at most `left` and serves everything that goes on by itself.
    pub(crate) fn await_news(&mut self, host: &mut HostChannel, left: Duration) -> io::Result<()> {
        let millis = left.as_millis().saturating_add(1).min(60_000);
        let died = self.wait_for_news(host, &[], i32::try_from(millis).unwrap_or(60_000))?;
        if died || self.backlog {
            self.reap_all(0);
        }
        self.serve_background();
        Ok(())
    }

    /// Kills the process tree below `root` and waits until the root is reaped and the others are
    /// gone, so that nothing of it runs when the reply is sent. Others are waited for only for
    /// [`DYING`]. If the root takes longer than that to die, every process is killed.
    fn end_tree(&mut self, root: i32, host: &mut HostChannel) -> io::Result<()> {
        let mut dying = HashSet::from([root]);
        let mut killed = HashSet::new();
        let patience = Instant::now() + DYING;
        // After the patience, the loop goes on only until the root is reaped. As long as the
        // root is there, its age tells which processes belong to the tree.
        while dying.contains(&root) || (!dying.is_empty() && Instant::now() < patience) {
            if dying.contains(&root) {
                process_tree::kill(root, &self.services.processes(), &mut killed);
                dying.extend(killed.iter().filter(|pid| sys::exists(**pid)));
            }
            if Instant::now() >= patience {
                sys::kill_process(-1);
            }
            self.wait_for_news(host, &[], 10)?;
            self.serve_background();
            self.reap_each(|death| {
                dying.remove(&death.pid);
            });
            dying.retain(|pid| *pid == root || sys::exists(*pid));
        }
        Ok(())
    }

    /// Reaps dead children. Returns status and processor time of `pid` if it was among them. No
    /// child has the number zero.
    fn reap_all(&mut self, pid: i32) -> Option<(i32, Duration)> {
        let mut found = None;
        self.reap_each(|death| {
            if death.pid == pid {
                found = Some((death.status, death.cpu));
            }
        });
        found
    }

    /// Reaps dead children, at most [`REAPED_AT_ONCE`], and calls `look` for each.
    fn reap_each(&mut self, mut look: impl FnMut(&ChildExit)) {
        // One record of the descriptor stands for any number of deaths. It is read only to make
        // the descriptor unreadable again, and before reaping, so that a later death is not
        // missed.
        let _ = self.deaths.read(&mut [0; 128]);
        self.backlog = false;
        for _ in 0..REAPED_AT_ONCE {
            let Ok(Some(death)) = sys::reap() else { return };
            if let Some(job) = &mut self.job {
                job.note(&death);
            }
            self.terminals.note(death.pid);
            self.services.note(&death);
            look(&death);
        }
        self.backlog = true;
    }

    /// Kills every process but the guest and reaps them all. Afterwards nothing can change a
    /// tree that is emptied or copied. A job is noted as killed, and so are the terminals and the
    /// services.
    pub fn kill_everything(&mut self) -> io::Result<()> {
        if let Some(job) = &mut self.job {
            job.note_killed();
        }
        self.terminals.note_killed();
        self.services.note_killed();
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

    /// Keeps a pipe that a background process still holds.
    fn hold(&mut self, pipe: File) {
        if self.held.len() >= MAX_HELD_PIPES {
            self.held.remove(0);
        }
        self.held.push(pipe);
    }

    /// Serves the agent's terminals and the services, and reads the pipes of background processes.
    fn serve_background(&mut self) {
        self.terminals.attend(&mut self.buffer);
        let (session, null, spawner) = (&self.session, &self.null, &mut self.spawner);
        let mut starter = ServiceStarter { session, null, spawner };
        self.services.attend(&mut self.buffer, &mut starter);
        let buffer = &mut self.buffer;
        // One read for each pipe, so that much output in the background does not delay the
        // command.
        self.held.retain_mut(|pipe| match pipe.read(buffer) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        });
    }
}

/// The error for an AWAIT or STOP without a job, which is a mistake of the host.
fn no_job() -> io::Error {
    crate::invalid(MalformedFrame("no command runs"))
}

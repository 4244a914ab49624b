//! Keeps the services of a task running: starts them, asks for their health, and starts those again
//! that fail (SERVICE).
//!
//! ```text
//!                 health exits with 0
//!   starting ─────────────────────────► healthy
//!    ▲  │ ended                            │ ended
//!    │  └───────────────┬──────────────────┘
//!    │                  ├── with 0, or restart is never ──► exited
//!    │ pause is over    ├── a sixth failure in a row ─────► given up
//!    └── restarting ◄───┘
//! ```
//!
//! A service is a process group of its own, with the rights of the agent's programs. Its output goes
//! into `/tmp/services/NAME.log`; `NAME.state` and `NAME.pid` beside it tell how it is. Programs may
//! change these files, and the keeper never reads them.
//!
//! The health command runs beside everything else, one at a time for each service, until it first
//! holds; after a restart it is asked again. Nothing is started between FREEZE and THAW, and the
//! time of a freeze does not count. A CLEAR, or a PACK with `quiesce`, ends the services for good.

use crate::command_runner::CommandRunner;
use crate::files::O_NOFOLLOW;
use crate::host_channel::HostChannel;
use crate::launch::{self, LONGEST};
use crate::poll_for;
use crate::service_log::ServiceLog;
use crate::shell_session::ShellSession;
use crate::spawn::CommandSpawner;
use crate::sys::{self, ChildExit, PollFd};
use crate::wire::{LOG_TOLD, MAX_NAME, MAX_SERVICES, MalformedFrame, PayloadReader, PayloadWriter};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where logs and states are.
const DIRECTORY: &str = "/tmp/services";
/// The pauses between two health commands: they begin small and double.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long one health command may take.
const HEALTH_TIME: Duration = Duration::from_secs(10);
/// The pause before the first restart; each further one in a row waits twice as long.
const RESTART_PAUSE: Duration = Duration::from_millis(200);
/// Reads of the output of a program that has ended. A pipe holds no more.
const READS: usize = 64;
/// Restarts in a row.
const MAX_RESTARTS: u32 = 5;
/// A service that ran so long has not failed in a row.
const STEADY: Duration = Duration::from_secs(10);

/// A SERVICE request.
pub struct ServiceRequest {
    /// Lower-case letters, digits and dashes. It names files.
    name: String,
    /// The path of the shell, such as `/bin/sh`.
    shell: Vec<u8>,
    run: Vec<u8>,
    health: Vec<u8>,
    /// How long the answer waits for the health.
    within: Duration,
    /// Start it again if it fails.
    restarts: bool,
}

impl ServiceRequest {
    /// Reads the request's payload.
    pub fn read(reader: &mut PayloadReader<'_>) -> Result<Self, MalformedFrame> {
        let restarts = reader.u8()? != 0;
        let within = Duration::from_millis(reader.u64()?).min(LONGEST);
        let shell = reader.bytes()?.to_vec();
        let name = reader.bytes()?;
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        if name.is_empty() || name.len() > MAX_NAME || !name.iter().all(plain) {
            return Err(MalformedFrame("no such name of a service"));
        }
        let name = String::from_utf8_lossy(name).into_owned();
        let (run, health) = (reader.bytes()?.to_vec(), reader.bytes()?.to_vec());
        Ok(Self { name, shell, run, health, within, restarts })
    }
}

/// What a start needs beside the service.
pub struct ServiceStarter<'a> {
    pub session: &'a ShellSession,
    pub null: &'a File,
    pub spawner: &'a mut CommandSpawner,
}

impl ServiceStarter<'_> {
    /// Starts a line and returns its process number and the pipe of its output.
    fn service(&mut self, shell: &[u8], line: &[u8]) -> io::Result<(i32, File)> {
        let (read, write) = sys::pipe()?;
        sys::set_nonblocking(&read)?;
        let stdio = [self.null.as_raw_fd(), write.as_raw_fd(), write.as_raw_fd()];
        let pid = launch::start_line(shell, line, self.session, stdio, self.spawner)?;
        Ok((pid, File::from(read)))
    }

    /// Starts a health command and returns its process number. Nobody reads what it writes.
    fn health(&mut self, shell: &[u8], line: &[u8]) -> io::Result<i32> {
        let stdio = [self.null.as_raw_fd(); 3];
        launch::start_line(shell, line, self.session, stdio, self.spawner)
    }
}

/// All services, in the order of their start.
#[derive(Default)]
pub struct ServiceKeeper {
    services: Vec<KeptService>,
    /// When the processes were frozen. None: they run.
    frozen: Option<Instant>,
}

/// What a service does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ServiceState {
    /// Its program runs, and its health has not held since the start.
    Starting,
    /// Its health has held since the start.
    Healthy,
    /// It ended and is started again after a pause.
    Restarting,
    /// It ended for good.
    Exited,
    /// It failed too often.
    GivenUp,
}

impl ServiceState {
    /// The word in the file of the state.
    fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::GivenUp => "given-up",
        }
    }
}

/// One service.
struct KeptService {
    request: ServiceRequest,
    state: ServiceState,
    log: ServiceLog,
    /// The process number of its shell, which is also its group. None: it does not run.
    pid: Option<i32>,
    /// The group of the last start. What is left of it is killed before the next one.
    group: Option<i32>,
    /// What its processes write. None: all have closed it.
    output: Option<File>,
    /// The process number of the health command that runs.
    health: Option<i32>,
    /// The pause before the next health command.
    pause: Duration,
    /// When the next thing is due: a health command, the end of its time, or a restart.
    due: Option<Instant>,
    started: Instant,
    /// Failures in a row.
    failures: u32,
    restarts: u32,
    /// How it last ended, in words.
    ended: String,
}

impl ServiceKeeper {
    /// Adds a service and starts it. One of the same name is ended first.
    pub fn add(
        &mut self,
        request: ServiceRequest,
        starter: &mut ServiceStarter<'_>,
    ) -> io::Result<()> {
        let same = self.services.iter().position(|known| known.request.name == request.name);
        if let Some(known) = same {
            self.services.remove(known).end();
        }
        if self.services.len() >= MAX_SERVICES {
            return Err(crate::invalid(MalformedFrame("more services than there may be")));
        }
        let _ = fs::create_dir_all(DIRECTORY);
        let mut service = KeptService::new(request);
        service.start(starter);
        self.services.push(service);
        Ok(())
    }

    /// Whether nothing more is to be waited for: the service is healthy, or it ended for good.
    pub fn is_settled(&self, name: &str) -> bool {
        use ServiceState::{Exited, GivenUp, Healthy};
        let service = self.services.iter().find(|known| known.request.name == name);
        service.is_none_or(|known| matches!(known.state, Healthy | Exited | GivenUp))
    }

    /// The payload of SERVING: whether it is healthy, why not, and the end of its log.
    pub fn report(&self, name: &str) -> Vec<u8> {
        let mut reply = PayloadWriter::default();
        match self.services.iter().find(|known| known.request.name == name) {
            Some(known) => {
                let healthy = known.state == ServiceState::Healthy;
                let why = if healthy { String::new() } else { known.trouble() };
                let log = known.log.tail(LOG_TOLD);
                reply.u8(u8::from(healthy)).bytes(why.as_bytes()).bytes(&log);
            }
            None => {
                reply.u8(0).bytes(b"it was ended").bytes(b"");
            }
        }
        reply.0
    }

    /// What to wait for. Nothing is read while the processes are frozen.
    pub fn watch(&self) -> impl Iterator<Item = PollFd> {
        let runs = self.frozen.is_none();
        let outputs = self.services.iter().filter_map(|known| known.output.as_ref());
        let outputs = outputs.filter(move |_| runs);
        outputs.map(|output| poll_for(output.as_raw_fd(), sys::POLLIN))
    }

    /// A wait in milliseconds, cut at the moment at which a service is due. A negative one has no
    /// end.
    pub fn shorten(&self, millis: i32) -> i32 {
        let due = self.services.iter().filter_map(|known| known.due).min();
        let Some(due) = due.filter(|_| self.frozen.is_none()) else { return millis };
        let left = due.saturating_duration_since(Instant::now()).as_millis();
        let left = i32::try_from(left.saturating_add(1)).unwrap_or(i32::MAX);
        if millis < 0 { left } else { millis.min(left) }
    }

    /// Reads output and does what is due.
    pub fn attend(&mut self, buffer: &mut [u8], starter: &mut ServiceStarter<'_>) {
        if self.frozen.is_none() {
            self.services.iter_mut().for_each(|known| known.attend(buffer, starter));
        }
    }

    /// Notes a child that has died.
    pub fn note(&mut self, death: &ChildExit) {
        self.services.iter_mut().for_each(|known| known.note(death.pid, death.status));
    }

    /// Notes that every process was killed. The services are started again.
    pub fn note_killed(&mut self) {
        for known in &mut self.services {
            known.health = None;
            if let Some(pid) = known.pid {
                known.note(pid, sys::SIGKILL);
            }
        }
    }

    /// The processes of services, which are not part of any command.
    pub fn processes(&self) -> Vec<i32> {
        self.services.iter().flat_map(|known| known.pid.into_iter().chain(known.health)).collect()
    }

    /// Forgets all services. Their processes are killed by the caller.
    pub fn clear(&mut self) {
        self.services.clear();
        self.frozen = None;
    }

    /// Starts nothing until [`Self::thaw`].
    pub fn freeze(&mut self) {
        self.frozen.get_or_insert_with(Instant::now);
    }

    /// Goes on. What was due meanwhile is due later.
    pub fn thaw(&mut self) {
        let Some(since) = self.frozen.take() else { return };
        let missed = since.elapsed();
        for known in &mut self.services {
            known.due = known.due.map(|due| due + missed);
            known.started += missed;
        }
    }
}

impl KeptService {
    fn new(request: ServiceRequest) -> Self {
        let log = ServiceLog::new(place(&request.name, "log"));
        Self {
            request,
            state: ServiceState::Starting,
            log,
            pid: None,
            group: None,
            output: None,
            health: None,
            pause: FIRST_PAUSE,
            due: None,
            started: Instant::now(),
            failures: 0,
            restarts: 0,
            ended: String::new(),
        }
    }

    /// Starts the program. What the last start has left of its group is killed, because it may hold
    /// the port.
    fn start(&mut self, starter: &mut ServiceStarter<'_>) {
        if let Some(group) = self.group.take() {
            sys::kill_process(-group);
        }
        self.log.ensure_file();
        self.started = Instant::now();
        match starter.service(&self.request.shell, &self.request.run) {
            Ok((pid, output)) => {
                (self.pid, self.group, self.output) = (Some(pid), Some(pid), Some(output));
                self.pause = FIRST_PAUSE;
                self.due = Some(Instant::now() + self.pause);
                self.enter(ServiceState::Starting);
            }
            Err(error) => self.fail(format!("not started: {error}")),
        }
    }

    /// Reads output and does what is due.
    fn attend(&mut self, buffer: &mut [u8], starter: &mut ServiceStarter<'_>) {
        self.read_output(buffer);
        if self.due.is_none_or(|due| due > Instant::now()) {
            return;
        }
        self.due = None;
        match (self.state, self.health) {
            (ServiceState::Restarting, _) => {
                self.restarts += 1;
                self.start(starter);
            }
            // Its time is up. Its death is a failed try.
            (ServiceState::Starting, Some(health)) => sys::kill_process(-health),
            (ServiceState::Starting, None) => self.ask_health(starter),
            _ => {}
        }
    }

    /// One read, so that much output does not delay what else goes on. Returns whether there was
    /// something.
    fn read_output(&mut self, buffer: &mut [u8]) -> bool {
        let Some(output) = &mut self.output else { return false };
        match output.read(buffer) {
            Ok(count) if count > 0 => {
                self.log.push(&buffer[..count]);
                return true;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            _ => self.output = None,
        }
        false
    }

    fn ask_health(&mut self, starter: &mut ServiceStarter<'_>) {
        match starter.health(&self.request.shell, &self.request.health) {
            Ok(pid) => {
                self.health = Some(pid);
                self.due = Some(Instant::now() + HEALTH_TIME);
            }
            // For example, no process slot is free.
            Err(_) => self.ask_later(),
        }
    }

    /// Asks for the health again after a pause.
    fn ask_later(&mut self) {
        self.due = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    /// Notes a child that has died, if it is one of this service.
    fn note(&mut self, pid: i32, status: i32) {
        if self.health == Some(pid) {
            self.health = None;
            if status == 0 {
                self.due = None;
                self.enter(ServiceState::Healthy);
            } else {
                self.ask_later();
            }
        }
        if self.pid == Some(pid) {
            self.note_end(status);
        }
    }

    /// Notes the end of the program.
    fn note_end(&mut self, status: i32) {
        self.pid = None;
        self.stop_asking();
        // What it has written stands before its end in the log.
        let mut buffer = [0; 16 << 10];
        for _ in 0..READS {
            if !self.read_output(&mut buffer) {
                break;
            }
        }
        let (signal, code) = (status & 0x7f, (status >> 8) & 0xff);
        let how = match signal {
            0 => format!("exit code {code}"),
            signal => format!("killed by signal {signal}"),
        };
        if status == 0 || !self.request.restarts {
            self.finish(how, ServiceState::Exited);
        } else {
            self.fail(how);
        }
    }

    /// Notes a failure: the program is started again after a pause, or given up.
    fn fail(&mut self, how: String) {
        if self.started.elapsed() >= STEADY {
            self.failures = 0;
        }
        self.failures += 1;
        if !self.request.restarts {
            self.finish(how, ServiceState::Exited);
        } else if self.failures > MAX_RESTARTS {
            self.finish(how, ServiceState::GivenUp);
        } else {
            self.due = Some(Instant::now() + RESTART_PAUSE * 2_u32.pow(self.failures - 1));
            self.finish(how, ServiceState::Restarting);
        }
    }

    /// Enters a state in which the program does not run.
    fn finish(&mut self, how: String, state: ServiceState) {
        self.log.say(&format!("{how}; {}", state.as_str()));
        self.ended = how;
        self.enter(state);
    }

    /// Ends the health command that runs. Its death is no longer of interest.
    fn stop_asking(&mut self) {
        self.due = None;
        if let Some(health) = self.health.take() {
            sys::kill_process(-health);
        }
    }

    /// Ends the service for good.
    fn end(mut self) {
        self.stop_asking();
        if let Some(group) = self.group {
            sys::kill_process(-group);
        }
    }

    /// Enters a state and writes it where programs can read it.
    fn enter(&mut self, state: ServiceState) {
        self.state = state;
        let name = &self.request.name;
        let pid = self.pid.map(|pid| format!("{pid}\n"));
        match &pid {
            Some(pid) => put(&place(name, "pid"), pid),
            None => {
                let _ = fs::remove_file(place(name, "pid"));
            }
        }
        let mut text = format!("state: {}\nrestarts: {}\n", state.as_str(), self.restarts);
        if !self.ended.is_empty() {
            text.push_str(&format!("last end: {}\n", self.ended));
        }
        put(&place(name, "state"), &text);
    }

    /// Why it is not healthy.
    fn trouble(&self) -> String {
        match self.state {
            ServiceState::Healthy | ServiceState::Starting => {
                "its program runs, but its health command never exited with 0".to_owned()
            }
            _ => format!("its program ended: {}", self.ended),
        }
    }
}

/// The file of a service.
fn place(name: &str, ending: &str) -> PathBuf {
    Path::new(DIRECTORY).join(format!("{name}.{ending}"))
}

/// Puts a whole small file in place of another one. Whatever has the name is not followed, because
/// programs can write there. A failure only makes the file miss.
fn put(path: &Path, text: &str) {
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut options = File::options();
    options.write(true).create_new(true).custom_flags(O_NOFOLLOW);
    let written = options.open(&fresh).and_then(|mut file| file.write_all(text.as_bytes()));
    let _ = written.and_then(|()| fs::rename(&fresh, path));
}

impl CommandRunner {
    /// Starts a service and waits until it is healthy or has ended for good, or its time is up.
    /// Returns the payload of SERVING. The service goes on in each case.
    pub fn serve(
        &mut self,
        request: ServiceRequest,
        host: &mut HostChannel,
    ) -> io::Result<Vec<u8>> {
        let (name, deadline) = (request.name.clone(), Instant::now() + request.within);
        self.add_service(request)?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.services.is_settled(&name) {
                return Ok(self.services.report(&name));
            }
            self.await_news(host, left)?;
        }
    }
}

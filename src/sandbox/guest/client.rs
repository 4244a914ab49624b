//! The client: the host's end of the guest protocol over one stream.
//!
//! A sandbox owns one client and calls it with one request at a time. The client writes a
//! frame, waits for its answer until a deadline, and parses it. Every frame of the guest is
//! treated as hostile: a wrong id, an unknown kind, a field that is too long or bytes left over
//! end the sandbox with a typed fault.
//!
//! ```text
//!  ready ──── request ────► asking ──── answer, or FAILED ────► ready
//!                             │
//!                             └── silence, closed, malformed, or future dropped ──► lost
//! ```
//! Most requests have three kinds of faults. [`FaultKind::SandboxCopy`]: the guest refused the
//! request and can be asked again. [`FaultKind::SandboxProtocol`]: the guest broke the protocol.
//! [`FaultKind::SandboxLost`]: the guest is gone or silent. After the last two, the client is lost
//! and answers every request with the same fault.

use super::copy_memory::COPIES;
use super::entries::{self, CopyAllowance};
use super::report::{read_report, read_scan, read_service, shown};
use super::tunnel::{FrameReadError, GuestChannel, read_frame};
use super::wire::{
    self, GuestFrame, MAX_FRAME, MalformedFrame, PayloadReader, PayloadWriter, kind,
};
use std::pin::pin;
use std::time::Duration;
use synthd_actors::model::{
    CapturedOutput, CommandStatus, ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, FileSpec,
    HostAddress, JUDGED_PROGRAM, MemoryReservation, SandboxLimits, SandboxTree, ServiceReport,
    ServiceRestart, ShellChoice, TaskService, WorkspaceCopy,
};
use synthd_actors::ports::InterruptFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, split};
use tokio::time::{Instant, error::Elapsed, timeout, timeout_at};

/// How much longer than a command's own timeout the host waits. The guest enforces the timeout,
/// and then needs time to kill the processes and to report.
pub(super) const GRACE: Duration = Duration::from_secs(10);
/// The timeout of requests that have no deadline of their own.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The timeout of a whole copy out of a sandbox, in however many frames it comes. The wait for
/// copy memory does not count.
const COPY_PATIENCE: Duration = Duration::from_secs(120);
/// The timeout of the wait for copy memory. A copy has it only while it is received, stored or laid,
/// so this is the time of many copies.
const ROOM_PATIENCE: Duration = Duration::from_secs(3_600);
/// Bytes of the longest command that is sent. With its other fields it stays below
/// [`MAX_FRAME`].
const MAX_COMMAND: usize = MAX_FRAME / 2;
const TOO_LONG: &str = "the command is longer than four megabytes";

/// Speaks to one guest over its stream. After a fault that leaves the state of the stream
/// unknown, or after a request whose future was dropped before the answer, the client refuses
/// to be used again. It goes on after a refusal of the guest, and after a request that was not
/// sent because it is not valid.
pub struct GuestClient<S> {
    /// The stream, which a tunnel may share.
    line: GuestChannel<S>,
    /// The id of the last request. Its top bit is always clear, because ids with that bit
    /// belong to connections of the tunnel.
    next_id: u32,
    /// The fault that made the client unusable. Every later request returns a copy of it.
    lost: Option<Fault>,
    /// The id of the request whose answer has not been read to its end. If it is still set when
    /// the next request begins, the earlier future was dropped before its end, and an old answer
    /// may still be in the stream.
    pub(super) asking: Option<u32>,
}

/// What came of waiting for a frame: a frame, a stream that failed, or a timeout.
type ReceivedFrame = Result<Result<GuestFrame, FrameReadError>, Elapsed>;

/// The shells that the guest found in its sandbox, as the bits of `wire::shell`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvailableShells(u8);

impl AvailableShells {
    /// The path of the shell that `wanted` stands for. `Auto` prefers bash. None: the sandbox
    /// does not have it.
    pub fn path(self, wanted: ShellChoice) -> Option<&'static str> {
        let has = |bit| self.0 & bit != 0;
        let (sh, bash) = (has(wire::shell::SH), has(wire::shell::BASH));
        match wanted {
            ShellChoice::Bash | ShellChoice::Auto if bash => Some("/bin/bash"),
            ShellChoice::Sh | ShellChoice::Auto if sh => Some("/bin/sh"),
            _ => None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> GuestClient<S> {
    /// A client over a fresh stream. Nothing is sent before the first request.
    pub fn new(stream: S) -> Self {
        Self { line: GuestChannel::new(stream), next_id: 0, lost: None, asking: None }
    }

    /// Checks that the guest answers and speaks the same version of the protocol. Returns the
    /// shells that it found. Another version is a [`FaultKind::SandboxProtocol`]: both ends are
    /// built together, so there is nothing to negotiate.
    pub async fn ping(&mut self) -> Result<AvailableShells, Fault> {
        let payload = self.ask(kind::PING, &[], kind::PONG, PATIENCE).await?;
        let (version, shells) = self.read(&payload, |reader| Ok((reader.u32()?, reader.u8()?)))?;
        if version == wire::PROTOCOL {
            return Ok(AvailableShells(shells));
        }
        let ours = wire::PROTOCOL;
        Err(self.lose(FaultKind::SandboxProtocol, format!("guest speaks {version}, not {ours}")))
    }

    /// Runs a command and waits for its end. `shell` is a path from [`AvailableShells::path`].
    /// A command that is too long to be sent is not a fault: its report says that it was not
    /// started.
    pub async fn exec(
        &mut self,
        request: &ExecRequest,
        shell: &str,
        limits: &SandboxLimits,
    ) -> Result<ExecReport, Fault> {
        let Some(command) = command(request, shell, limits) else {
            return Ok(not_started(TOO_LONG));
        };
        let wait = request.timeout.saturating_add(GRACE);
        let payload = self.ask(kind::EXEC, &command, kind::EXITED, wait).await?;
        self.read(&payload, read_report)
    }

    /// Starts a command that runs beside other requests. At most one such command runs at a
    /// time. [`Self::attend`] waits for it and [`Self::stop`] ends it. A command that is too
    /// long to be sent is a [`FaultKind::SandboxRefused`].
    pub async fn start(
        &mut self,
        request: &ExecRequest,
        shell: &str,
        limits: &SandboxLimits,
    ) -> Result<(), Fault> {
        let command = command(request, shell, limits);
        let command = command.ok_or_else(|| Fault::new(FaultKind::SandboxRefused, TOO_LONG))?;
        self.ask(kind::START, &command, kind::DONE, PATIENCE).await.map(|_| ())
    }

    /// Waits until the command of [`Self::start`] has ended, or until `until` is ready because
    /// the caller wants something else of the sandbox. The wait itself has no timeout: the
    /// guest enforces the timeout of the command. [`CommandStatus::Running`] holds a scan of
    /// the workspace.
    pub async fn attend(&mut self, until: InterruptFuture<'_>) -> Result<CommandStatus, Fault> {
        // The 1 asks for a scan of the workspace, should the answer be RUNNING. `wanted` is the
        // id of the PING that may follow, see `answer_or`.
        let id = self.send(kind::AWAIT, &[1], Instant::now() + PATIENCE).await?;
        let wanted = (id + 1) & !wire::TUNNELLED;
        let (answer, also) = self.answer_or(until, wanted).await;
        let frame = self.taken(id, answer)?;
        let was_wanted = also.is_some();
        if let Some(pong) = also {
            self.next_id = wanted;
            self.taken(wanted, pong)?;
        }
        self.asking = None;
        match frame.kind {
            kind::RUNNING if !was_wanted => Err(self.broken(MalformedFrame("an answer too soon"))),
            kind::EXITED => self.read(&frame.payload, read_report).map(CommandStatus::Ended),
            kind::RUNNING => self.read(&frame.payload, read_scan).map(CommandStatus::Running),
            _ => Err(self.broken(MalformedFrame("unexpected kind of frame"))),
        }
    }

    /// Reads the answer to an AWAIT. When `until` is ready first, it sends a PING with the id
    /// `ping`: the guest ends its AWAIT as soon as another request waits, and then answers
    /// both. Returns the answer to the AWAIT, and the answer to the PING if one was sent.
    async fn answer_or(
        &mut self,
        until: InterruptFuture<'_>,
        ping: u32,
    ) -> (ReceivedFrame, Option<ReceivedFrame>) {
        // The read goes on while the PING is written: a dropped read could have taken a part of
        // the frame from the stream.
        let (mut reading, mut writing) = split(&mut self.line);
        let answer = {
            let mut answer = pin!(read_frame(&mut reading));
            tokio::select! {
                biased;
                answer = &mut answer => return (Ok(answer), None),
                () = until => {
                    let asked = wire::encode(ping, kind::PING, &[]);
                    match timeout(PATIENCE, writing.write_all(&asked)).await {
                        Ok(Ok(())) => timeout(PATIENCE, answer).await,
                        Ok(Err(error)) => Ok(Err(FrameReadError::Closed(error))),
                        Err(late) => Err(late),
                    }
                }
            }
        };
        match answer {
            Ok(Ok(_)) => (answer, Some(timeout(PATIENCE, read_frame(&mut reading)).await)),
            failed => (failed, None),
        }
    }

    /// Kills the command of [`Self::start`] with all processes that it has started, and returns
    /// its report.
    pub async fn stop(&mut self) -> Result<ExecReport, Fault> {
        let payload = self.ask(kind::STOP, &[], kind::EXITED, PATIENCE).await?;
        self.read(&payload, read_report)
    }

    /// Starts a service, which the guest keeps running, and waits until it is healthy, has ended for
    /// good, or its time is up.
    pub async fn start_service(
        &mut self,
        service: &TaskService,
        shell: &str,
    ) -> Result<ServiceReport, Fault> {
        let mut writer = PayloadWriter::default();
        writer
            .u8(u8::from(service.restart == ServiceRestart::OnFailure))
            .u64(millis(service.healthy_within))
            .bytes(shell.as_bytes())
            .bytes(service.name.as_bytes())
            .bytes(service.run.as_bytes())
            .bytes(service.health.as_bytes());
        let wait = service.healthy_within.saturating_add(GRACE);
        let payload = self.ask(kind::SERVICE, &writer.0, kind::SERVING, wait).await?;
        self.read(&payload, read_service)
    }

    /// Stops every process of the sandbox until [`Self::thaw`]. A [`FaultKind::SandboxCopy`]
    /// means that one process could not be stopped; then all of them run on.
    pub async fn freeze(&mut self) -> Result<(), Fault> {
        self.ask(kind::FREEZE, &[], kind::DONE, PATIENCE).await.map(|_| ())
    }

    /// Lets every process run on. A [`FaultKind::SandboxCopy`] means that one of them ran since
    /// [`Self::freeze`], so what was measured meanwhile is void. They all run on in this case
    /// too.
    pub async fn thaw(&mut self) -> Result<(), Fault> {
        self.ask(kind::THAW, &[], kind::DONE, PATIENCE).await.map(|_| ())
    }

    /// Writes files below a tree. The sealed tree is emptied first; this also kills every
    /// process and empties the scratch areas, such as `/tmp`. A path that would leave the tree
    /// is a [`FaultKind::SandboxCopy`], and nothing is sent.
    pub async fn lay(&mut self, tree: SandboxTree, files: &[FileSpec]) -> Result<(), Fault> {
        let frames = entries::of_files(tree, files).ok_or_else(outside)?;
        if tree == SandboxTree::Sealed {
            self.ask(kind::CLEAR, &[wire::tree::SEALED], kind::DONE, PATIENCE).await?;
        }
        self.send_entries(frames).await
    }

    /// Writes what a judge needs into the sealed tree, see `Sandbox::lay_judge`. The sandbox is fresh,
    /// or [`Self::empty`] has emptied it. Only a submission that cannot be written is a
    /// [`FaultKind::SandboxCopy`]: the agent has made it too large.
    pub async fn lay_judge(
        &mut self,
        files: &[FileSpec],
        submission: &WorkspaceCopy,
    ) -> Result<(), Fault> {
        let sealed = entries::of_files(SandboxTree::Sealed, files).ok_or_else(outside)?;
        let judge = sealed.chain(entries::of_own_program(JUDGED_PROGRAM));
        self.send_entries(judge).await.map_err(no_start)?;
        self.send_entries(entries::of_submission(submission).ok_or_else(outside)?).await
    }

    /// Kills every process and empties everything that programs can write to: the workspace,
    /// the sealed tree and the scratch areas.
    pub async fn empty(&mut self) -> Result<(), Fault> {
        self.ask(kind::CLEAR, &[wire::tree::ALL], kind::DONE, PATIENCE).await.map(|_| ())
    }

    /// Writes a copy of a workspace into the workspace. The workspace should be empty, because
    /// files that are not in the copy stay.
    pub async fn unpack(&mut self, snapshot: &WorkspaceCopy) -> Result<(), Fault> {
        self.send_entries(entries::of_snapshot(snapshot).ok_or_else(outside)?).await
    }

    /// Sets environment variables, as (name, value), for every later command of the sandbox.
    pub async fn environment(&mut self, variables: &[(String, String)]) -> Result<(), Fault> {
        let mut writer = PayloadWriter::default();
        for (name, value) in variables {
            writer.bytes(name.as_bytes()).bytes(value.as_bytes());
        }
        self.ask(kind::ENVIRONMENT, &writer.0, kind::DONE, PATIENCE).await.map(|_| ())
    }

    /// Opens the tunnel: connections to `port` of the sandbox's loopback are carried to `to` as
    /// long as the sandbox lives. It can be opened once. If the guest refuses, for example
    /// because the port is taken, the fault is a [`FaultKind::SandboxStart`].
    pub async fn tunnel(&mut self, port: u16, to: HostAddress) -> Result<(), Fault> {
        let mut writer = PayloadWriter::default();
        writer.u32(port.into());
        let opened = self.ask(kind::TUNNEL, &writer.0, kind::DONE, PATIENCE).await;
        opened.map_err(no_start)?;
        self.line.share(to);
        Ok(())
    }

    /// Sends payloads of entries as LAY frames, one after another. The next payload is made
    /// when the one before it is answered.
    async fn send_entries(&mut self, frames: impl Iterator<Item = Vec<u8>>) -> Result<(), Fault> {
        for payload in frames {
            self.ask(kind::LAY, &payload, kind::DONE, PATIENCE).await?;
        }
        Ok(())
    }

    /// Copies the workspace out of the sandbox. With `quiesce`, the guest first kills every
    /// process. A refusal is a [`FaultKind::SandboxCopy`]: the workspace is larger than
    /// `limits` allow, or it changed meanwhile. That is the fault of the programs, not of the
    /// host.
    pub async fn pack(
        &mut self,
        limits: &SandboxLimits,
        quiesce: bool,
    ) -> Result<WorkspaceCopy, Fault> {
        let mut writer = PayloadWriter::default();
        writer.u64(limits.copy_bytes).u64(limits.inodes).u8(u8::from(quiesce));
        let deadline = Instant::now() + COPY_PATIENCE;
        let id = self.send(kind::PACK, &writer.0, deadline).await?;
        // The order is SIZE, any number of ENTRIES, then DONE. Memory for the announced size is
        // reserved before the first entry is read.
        let size = self.receive(id, deadline).await?;
        let mut allowance = match size.kind {
            kind::SIZE => self.read(&size.payload, |reader| {
                CopyAllowance::said(reader.u64()?, reader.u64()?, limits)
            })?,
            kind::FAILED => return Err(self.refusal(&size)),
            _ => return Err(self.broken(MalformedFrame("unexpected kind of frame"))),
        };
        let room = self.room(&allowance).await?;
        let deadline = Instant::now() + COPY_PATIENCE;
        let mut snapshot = WorkspaceCopy { room, ..WorkspaceCopy::default() };
        loop {
            let frame = self.receive(id, deadline).await?;
            match frame.kind {
                kind::ENTRIES => {
                    let added = entries::read(&frame.payload, &mut snapshot.entries);
                    added
                        .and_then(|count| allowance.spend(&frame.payload, count))
                        .map_err(|error| self.broken(error))?;
                }
                kind::DONE => {
                    let skipped = self.read(&frame.payload, entries::read_skipped)?;
                    (snapshot.skipped, snapshot.skipped_entries) = skipped;
                    self.asking = None;
                    return Ok(snapshot);
                }
                kind::FAILED => return Err(self.refusal(&frame)),
                _ => return Err(self.broken(MalformedFrame("unexpected kind of frame"))),
            }
        }
    }

    /// Waits until other copies leave enough memory for this one. Meanwhile nothing is read, so
    /// the guest waits with what it sends. When the deadline passes, the client is lost,
    /// because the stream still holds the rest of the copy.
    async fn room(&mut self, allowance: &CopyAllowance) -> Result<MemoryReservation, Fault> {
        match timeout(ROOM_PATIENCE, COPIES.reserve(allowance.memory())).await {
            Ok(room) => Ok(room),
            Err(_) => {
                let full = "other copies left no room for this one in time".to_owned();
                Err(self.lose(FaultKind::SandboxLost, full))
            }
        }
    }

    /// Sends a request and returns the payload of its answer, which must be of the kind
    /// `expected`. FAILED becomes the fault of [`Self::refusal`].
    async fn ask(
        &mut self,
        request: u8,
        payload: &[u8],
        expected: u8,
        patience: Duration,
    ) -> Result<Vec<u8>, Fault> {
        let frame = self.exchange(request, payload, patience).await?;
        match frame.kind {
            kind if kind == expected => {
                self.asking = None;
                Ok(frame.payload)
            }
            kind::FAILED => Err(self.refusal(&frame)),
            _ => Err(self.broken(MalformedFrame("unexpected kind of frame"))),
        }
    }

    /// Sends a request and returns the first frame of its answer, whatever its kind.
    pub(super) async fn exchange(
        &mut self,
        request: u8,
        payload: &[u8],
        patience: Duration,
    ) -> Result<GuestFrame, Fault> {
        // A duration that is too long for the clock gets the timeout of a copy instead.
        let deadline = Instant::now().checked_add(patience);
        let deadline = deadline.unwrap_or_else(|| Instant::now() + COPY_PATIENCE);
        let id = self.send(request, payload, deadline).await?;
        self.receive(id, deadline).await
    }

    /// Writes a request and returns its id. It fails at once if the client is lost, or if the
    /// answer to the request before was never read.
    pub(super) async fn send(
        &mut self,
        kind: u8,
        payload: &[u8],
        deadline: Instant,
    ) -> Result<u32, Fault> {
        if self.asking.is_some() && self.lost.is_none() {
            self.lose(FaultKind::SandboxLost, "a request was given up half way".to_owned());
        }
        if let Some(fault) = &self.lost {
            return Err(fault.clone());
        }
        self.next_id = self.next_id.wrapping_add(1) & !wire::TUNNELLED;
        self.asking = Some(self.next_id);
        let bytes = wire::encode(self.next_id, kind, payload);
        match timeout_at(deadline, self.line.write_all(&bytes)).await {
            Ok(Ok(())) => Ok(self.next_id),
            Ok(Err(error)) => Err(self.gone(&error)),
            Err(_) => Err(self.lose(FaultKind::SandboxLost, "the guest reads nothing".into())),
        }
    }

    /// Reads the next frame of the answer to the request `id`.
    pub(super) async fn receive(
        &mut self,
        id: u32,
        deadline: Instant,
    ) -> Result<GuestFrame, Fault> {
        let received = timeout_at(deadline, read_frame(&mut self.line)).await;
        self.taken(id, received)
    }

    /// Checks what was received. Everything but a frame with the right id loses the client.
    fn taken(&mut self, id: u32, received: ReceivedFrame) -> Result<GuestFrame, Fault> {
        let frame = match received {
            Ok(Ok(frame)) => frame,
            Ok(Err(FrameReadError::Closed(error))) => return Err(self.gone(&error)),
            Ok(Err(FrameReadError::Malformed(error))) => return Err(self.broken(error)),
            Err(_) => {
                let silent = "the guest did not answer in time".to_owned();
                return Err(self.lose(FaultKind::SandboxLost, silent));
            }
        };
        if frame.id == id {
            Ok(frame)
        } else {
            Err(self.broken(MalformedFrame("answer to nothing asked")))
        }
    }

    /// Parses a whole payload. An error of `parse`, or bytes after the last field, are a breach
    /// of the protocol.
    pub(super) fn read<T>(
        &mut self,
        payload: &[u8],
        parse: impl FnOnce(&mut PayloadReader<'_>) -> Result<T, MalformedFrame>,
    ) -> Result<T, Fault> {
        let mut reader = PayloadReader::new(payload);
        let value = parse(&mut reader).and_then(|value| reader.finish().map(|()| value));
        value.map_err(|error| self.broken(error))
    }

    /// The fault of a FAILED answer: the guest could not do what it was asked, and says why.
    /// The client can be used again.
    pub(super) fn refusal(&mut self, frame: &GuestFrame) -> Fault {
        match self.read(&frame.payload, |reader| reader.bytes().map(shown)) {
            Ok(why) => {
                self.asking = None;
                Fault::new(FaultKind::SandboxCopy, why)
            }
            Err(fault) => fault,
        }
    }

    /// The fault of a stream that ended. If a tunnel shares the stream, the tunnel may have ended
    /// it because the guest broke the protocol; then that is the fault.
    fn gone(&mut self, error: &std::io::Error) -> Fault {
        match self.line.broken() {
            Some(malformed) => self.broken(malformed),
            None => self.lose(FaultKind::SandboxLost, format!("the guest is gone: {error}")),
        }
    }

    /// The fault of a guest that broke the protocol.
    pub(super) fn broken(&mut self, error: MalformedFrame) -> Fault {
        self.lose(FaultKind::SandboxProtocol, error.0.to_owned())
    }

    /// Makes the client unusable, with this fault as the answer to all later requests.
    fn lose(&mut self, kind: FaultKind, message: String) -> Fault {
        let fault = Fault::new(kind, message);
        self.lost = Some(fault.clone());
        fault
    }
}

/// The payload of an EXEC or START request. None: the command is longer than [`MAX_COMMAND`].
fn command(request: &ExecRequest, shell: &str, limits: &SandboxLimits) -> Option<Vec<u8>> {
    let (session, scan) = (u8::from(request.session), u8::from(request.scan) << 1);
    let joined = u8::from(request.joined) << 2;
    let mut writer = PayloadWriter::default();
    writer
        .u8(session | scan | joined)
        .u64(millis(request.timeout))
        .u32(u32::try_from(limits.command_cpu.as_secs()).unwrap_or(u32::MAX))
        .u32(request.output_kept.unwrap_or(limits.output_kept).min((MAX_FRAME / 8) as u32))
        .u64(limits.output_killed)
        .bytes(shell.as_bytes())
        .bytes(request.command.as_bytes());
    (request.command.len() <= MAX_COMMAND).then_some(writer.0)
}

/// The fault of a refusal that is not about the agent's work: the sandbox is not fit for use.
fn no_start(fault: Fault) -> Fault {
    match fault.kind {
        FaultKind::SandboxCopy => Fault::new(FaultKind::SandboxStart, fault.message),
        _ => fault,
    }
}

/// The fault for a path that would leave its tree. It is found before anything is sent.
fn outside() -> Fault {
    Fault::new(FaultKind::SandboxCopy, "a path leads outside its tree")
}

/// The report of a command that was never sent to the guest.
fn not_started(why: &str) -> ExecReport {
    ExecReport {
        end: ExecEnd::NotStarted(why.to_owned()),
        stdout: CapturedOutput::default(),
        stderr: CapturedOutput::default(),
        cwd: synthd_actors::model::WORKSPACE.to_owned(),
        scan: None,
        duration: Duration::ZERO,
    }
}

/// Whole milliseconds; a duration that is too long becomes the largest number.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

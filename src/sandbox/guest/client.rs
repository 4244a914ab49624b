//! The host's end of the guest protocol. Every frame is treated as hostile: a wrong id, an
//! unknown kind, a field too long or bytes left over end the sandbox with a typed fault,
//! and a guest that stays silent is given up at the deadline.

use super::copy_memory::COPIES;
use super::entries::{self, CopyAllowance};
use super::report::{read_report, read_scan, shown};
use super::tunnel::{FrameReadError, GuestChannel, read_frame};
use super::wire::{
    self, GuestFrame, MAX_FRAME, MalformedFrame, PayloadReader, PayloadWriter, kind,
};
use std::pin::pin;
use std::time::Duration;
use synthd_actors::model::{
    CapturedOutput, CommandStatus, ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, FileSpec,
    HostAddress, MemoryReservation, SandboxLimits, SandboxTree, ShellChoice, WorkspaceCopy,
};
use synthd_actors::ports::InterruptFuture;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, split};
use tokio::time::{Instant, error::Elapsed, timeout, timeout_at};

/// How much longer than the guest's own deadline the host waits.
const GRACE: Duration = Duration::from_secs(10);
/// For requests without a deadline of their own.
const PATIENCE: Duration = Duration::from_secs(30);
/// For a whole copy, in however many frames it comes.
const COPY_PATIENCE: Duration = Duration::from_secs(120);
/// Commands longer than this are not sent.
const MAX_COMMAND: usize = MAX_FRAME / 2;
const TOO_LONG: &str = "the command is longer than four megabytes";

/// Speaks to one guest over its stream. After a fault, or a request given up half way, the
/// stream's state is unknown, so the client refuses to be used again.
pub struct GuestClient<S> {
    line: GuestChannel<S>,
    next_id: u32,
    lost: Option<Fault>,
    /// The request whose answer has not been read to its end.
    asking: Option<u32>,
}

/// What came of waiting for a frame.
type ReceivedFrame = Result<Result<GuestFrame, FrameReadError>, Elapsed>;

/// The shells of a sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvailableShells(u8);

impl AvailableShells {
    /// The path of the shell that `wanted` stands for; none if it is not there.
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
    pub fn new(stream: S) -> Self {
        Self { line: GuestChannel::new(stream), next_id: 0, lost: None, asking: None }
    }

    /// Checks that the guest is there and speaks our version; which shells it finds.
    pub async fn ping(&mut self) -> Result<AvailableShells, Fault> {
        let payload = self.ask(kind::PING, &[], kind::PONG, PATIENCE).await?;
        let (version, shells) = self.read(&payload, |reader| Ok((reader.u32()?, reader.u8()?)))?;
        if version == wire::PROTOCOL {
            return Ok(AvailableShells(shells));
        }
        let ours = wire::PROTOCOL;
        Err(self.lose(FaultKind::SandboxProtocol, format!("guest speaks {version}, not {ours}")))
    }

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

    /// Starts a command beside which other requests are answered.
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

    /// Waits until that command has ended, or until something else is wanted.
    pub async fn attend(&mut self, until: InterruptFuture<'_>) -> Result<CommandStatus, Fault> {
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

    /// The next answer. Once something else is wanted, the guest is asked whether it is there,
    /// and answers both.
    async fn answer_or(
        &mut self,
        until: InterruptFuture<'_>,
        ping: u32,
    ) -> (ReceivedFrame, Option<ReceivedFrame>) {
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

    /// Ends that command with all that it has started.
    pub async fn stop(&mut self) -> Result<ExecReport, Fault> {
        let payload = self.ask(kind::STOP, &[], kind::EXITED, PATIENCE).await?;
        self.read(&payload, read_report)
    }

    /// Stops every program, until [`Self::thaw`]. A [`FaultKind::SandboxCopy`]: one of them
    /// could not be stopped, and all go on.
    pub async fn freeze(&mut self) -> Result<(), Fault> {
        self.ask(kind::FREEZE, &[], kind::DONE, PATIENCE).await.map(|_| ())
    }

    /// Lets every program go on. A [`FaultKind::SandboxCopy`]: one of them ran in between.
    pub async fn thaw(&mut self) -> Result<(), Fault> {
        self.ask(kind::THAW, &[], kind::DONE, PATIENCE).await.map(|_| ())
    }

    /// Lays files below a tree; the sealed one is emptied first, of processes too.
    pub async fn lay(&mut self, tree: SandboxTree, files: &[FileSpec]) -> Result<(), Fault> {
        let frames = entries::of_files(tree, files).ok_or_else(outside)?;
        if tree == SandboxTree::Sealed {
            self.ask(kind::CLEAR, &[wire::tree::SEALED], kind::DONE, PATIENCE).await?;
        }
        self.send_entries(frames).await
    }

    /// Ends every program and empties all that they can write to.
    pub async fn empty(&mut self) -> Result<(), Fault> {
        for tree in [wire::tree::SEALED, wire::tree::WORKSPACE] {
            self.ask(kind::CLEAR, &[tree], kind::DONE, PATIENCE).await?;
        }
        Ok(())
    }

    pub async fn unpack(&mut self, snapshot: &WorkspaceCopy) -> Result<(), Fault> {
        self.send_entries(entries::of_snapshot(snapshot).ok_or_else(outside)?).await
    }

    /// Adds variables to what every command is started with.
    pub async fn environment(&mut self, variables: &[(String, String)]) -> Result<(), Fault> {
        let mut writer = PayloadWriter::default();
        for (name, value) in variables {
            writer.bytes(name.as_bytes()).bytes(value.as_bytes());
        }
        self.ask(kind::ENVIRONMENT, &writer.0, kind::DONE, PATIENCE).await.map(|_| ())
    }

    /// Carries connections to `port` of the sandbox's loopback to `to`, for as long as the
    /// sandbox lives.
    pub async fn tunnel(&mut self, port: u16, to: HostAddress) -> Result<(), Fault> {
        let mut writer = PayloadWriter::default();
        writer.u32(port.into());
        self.ask(kind::TUNNEL, &writer.0, kind::DONE, PATIENCE).await.map_err(
            |fault| match fault.kind {
                FaultKind::SandboxCopy => Fault::new(FaultKind::SandboxStart, fault.message),
                _ => fault,
            },
        )?;
        self.line.share(to);
        Ok(())
    }

    async fn send_entries(&mut self, frames: impl Iterator<Item = Vec<u8>>) -> Result<(), Fault> {
        for payload in frames {
            self.ask(kind::LAY, &payload, kind::DONE, PATIENCE).await?;
        }
        Ok(())
    }

    /// Copies the workspace out, with `quiesce` after ending what runs. A refusal, by the caps
    /// or otherwise, is a [`FaultKind::SandboxCopy`]: the program's doing, not the host's.
    pub async fn pack(
        &mut self,
        limits: &SandboxLimits,
        quiesce: bool,
    ) -> Result<WorkspaceCopy, Fault> {
        let mut writer = PayloadWriter::default();
        writer.u64(limits.copy_bytes).u64(limits.inodes).u8(u8::from(quiesce));
        let deadline = Instant::now() + COPY_PATIENCE;
        let id = self.send(kind::PACK, &writer.0, deadline).await?;
        let size = self.receive(id, deadline).await?;
        let mut allowance = match size.kind {
            kind::SIZE => self.read(&size.payload, |reader| {
                CopyAllowance::said(reader.u64()?, reader.u64()?, limits)
            })?,
            kind::FAILED => return Err(self.refusal(&size)),
            _ => return Err(self.broken(MalformedFrame("unexpected kind of frame"))),
        };
        let room = self.room(&allowance, deadline).await?;
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
                    snapshot.skipped = self.read(&frame.payload, |reader| reader.u32())?;
                    self.asking = None;
                    return Ok(snapshot);
                }
                kind::FAILED => return Err(self.refusal(&frame)),
                _ => return Err(self.broken(MalformedFrame("unexpected kind of frame"))),
            }
        }
    }

    /// Waits until other copies leave room for this one; the guest waits with what it sends.
    async fn room(
        &mut self,
        allowance: &CopyAllowance,
        deadline: Instant,
    ) -> Result<MemoryReservation, Fault> {
        match timeout_at(deadline, COPIES.reserve(allowance.memory())).await {
            Ok(room) => Ok(room),
            Err(_) => {
                let full = "other copies left no room for this one in time".to_owned();
                Err(self.lose(FaultKind::SandboxLost, full))
            }
        }
    }

    async fn ask(
        &mut self,
        request: u8,
        payload: &[u8],
        expected: u8,
        patience: Duration,
    ) -> Result<Vec<u8>, Fault> {
        let deadline = Instant::now().checked_add(patience);
        let deadline = deadline.unwrap_or_else(|| Instant::now() + COPY_PATIENCE);
        let id = self.send(request, payload, deadline).await?;
        let frame = self.receive(id, deadline).await?;
        match frame.kind {
            kind if kind == expected => {
                self.asking = None;
                Ok(frame.payload)
            }
            kind::FAILED => Err(self.refusal(&frame)),
            _ => Err(self.broken(MalformedFrame("unexpected kind of frame"))),
        }
    }

    async fn send(&mut self, kind: u8, payload: &[u8], deadline: Instant) -> Result<u32, Fault> {
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

    async fn receive(&mut self, id: u32, deadline: Instant) -> Result<GuestFrame, Fault> {
        let received = timeout_at(deadline, read_frame(&mut self.line)).await;
        self.taken(id, received)
    }

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

    fn read<T>(
        &mut self,
        payload: &[u8],
        parse: impl FnOnce(&mut PayloadReader<'_>) -> Result<T, MalformedFrame>,
    ) -> Result<T, Fault> {
        let mut reader = PayloadReader::new(payload);
        let value = parse(&mut reader).and_then(|value| reader.finish().map(|()| value));
        value.map_err(|error| self.broken(error))
    }

    /// The guest could not do what it was asked and says why; it can be asked again.
    fn refusal(&mut self, frame: &GuestFrame) -> Fault {
        match self.read(&frame.payload, |reader| reader.bytes().map(shown)) {
            Ok(why) => {
                self.asking = None;
                Fault::new(FaultKind::SandboxCopy, why)
            }
            Err(fault) => fault,
        }
    }

    fn gone(&mut self, error: &std::io::Error) -> Fault {
        match self.line.broken() {
            Some(malformed) => self.broken(malformed),
            None => self.lose(FaultKind::SandboxLost, format!("the guest is gone: {error}")),
        }
    }

    fn broken(&mut self, error: MalformedFrame) -> Fault {
        self.lose(FaultKind::SandboxProtocol, error.0.to_owned())
    }

    fn lose(&mut self, kind: FaultKind, message: String) -> Fault {
        let fault = Fault::new(kind, message);
        self.lost = Some(fault.clone());
        fault
    }
}

/// None where it is longer than is sent.
fn command(request: &ExecRequest, shell: &str, limits: &SandboxLimits) -> Option<Vec<u8>> {
    let mut writer = PayloadWriter::default();
    writer
        .u8(u8::from(request.session) | (u8::from(request.scan) << 1))
        .u64(millis(request.timeout))
        .u32(u32::try_from(limits.command_cpu.as_secs()).unwrap_or(u32::MAX))
        .u32(limits.output_kept.min((MAX_FRAME / 8) as u32))
        .u64(limits.output_killed)
        .bytes(shell.as_bytes())
        .bytes(request.command.as_bytes());
    (request.command.len() <= MAX_COMMAND).then_some(writer.0)
}

fn outside() -> Fault {
    Fault::new(FaultKind::SandboxCopy, "a path leads outside its tree")
}

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

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

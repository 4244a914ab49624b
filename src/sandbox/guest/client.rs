//! The host's end of the guest protocol. Every frame is treated as hostile: a wrong id, an
//! unknown kind, a field too long or bytes left over end the sandbox with a typed fault,
//! and a guest that stays silent is given up at the deadline.

use super::wire::{self, CHUNK, Frame, MAX_FRAME, Malformed, Reader, Writer, end, entry, kind};
use std::time::Duration;
use synthd_actors::model::{
    Captured, ExecEnd, ExecReport, ExecRequest, Fault, FaultKind, FileSpec, Limits, Scan, Snapshot,
    Tree, TreeEntry, TreeKind,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How much longer than the guest's own deadline the host waits.
const GRACE: Duration = Duration::from_secs(10);
/// For requests without a deadline of their own.
const PATIENCE: Duration = Duration::from_secs(30);

/// Speaks to one guest over its stream. After a fault the stream's state is unknown, so
/// the client refuses to be used again.
pub struct GuestClient<S> {
    stream: S,
    next_id: u32,
    lost: Option<Fault>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> GuestClient<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, next_id: 0, lost: None }
    }

    /// Checks that the guest is there and speaks our version.
    pub async fn ping(&mut self) -> Result<(), Fault> {
        let payload = self.ask(kind::PING, &[], kind::PONG, PATIENCE).await?;
        let version = self.read(&payload, |reader| reader.u32())?;
        if version == wire::PROTOCOL {
            return Ok(());
        }
        let ours = wire::PROTOCOL;
        Err(self.lose(FaultKind::SandboxProtocol, format!("guest speaks {version}, not {ours}")))
    }

    pub async fn exec(
        &mut self,
        request: &ExecRequest,
        shell: &str,
        limits: &Limits,
    ) -> Result<ExecReport, Fault> {
        if request.command.len() > MAX_FRAME / 2 {
            return Ok(not_started("the command is longer than four megabytes"));
        }
        let mut writer = Writer::default();
        writer
            .u8(u8::from(request.session) | (u8::from(request.scan) << 1))
            .u64(millis(request.timeout))
            .u32(u32::try_from(limits.command_cpu.as_secs()).unwrap_or(u32::MAX))
            .u32(limits.output_kept.min((MAX_FRAME / 8) as u32))
            .u64(limits.output_killed)
            .bytes(shell.as_bytes())
            .bytes(request.command.as_bytes());
        let wait = request.timeout + GRACE;
        let payload = self.ask(kind::EXEC, &writer.0, kind::EXITED, wait).await?;
        self.read(&payload, read_report)
    }

    pub async fn lay(&mut self, tree: Tree, files: &[FileSpec]) -> Result<(), Fault> {
        if tree == Tree::Sealed {
            self.ask(kind::CLEAR, &[wire::tree::SEALED], kind::DONE, PATIENCE).await?;
        }
        let mut frames = EntryFrames::new(tree);
        for file in files {
            frames.file(file.path.as_bytes(), file.mode, file.content.as_bytes());
        }
        self.send_entries(frames).await
    }

    pub async fn unpack(&mut self, snapshot: &Snapshot) -> Result<(), Fault> {
        let mut frames = EntryFrames::new(Tree::Workspace);
        let mut closed = Vec::new();
        for item in &snapshot.entries {
            let path = item.path.as_bytes();
            match &item.kind {
                TreeKind::Directory { mode } => {
                    frames.entry(entry::DIRECTORY, path, mode | 0o700, &[]);
                    if mode & 0o700 != 0o700 {
                        closed.push((path, *mode));
                    }
                }
                TreeKind::File { mode, content } => frames.file(path, *mode, content),
                TreeKind::Symlink { .. } => {}
            }
        }
        // Links last, so that no file is ever written through one; then the directories
        // their owner had closed, innermost first.
        for item in &snapshot.entries {
            if let TreeKind::Symlink { target } = &item.kind {
                frames.entry(entry::SYMLINK, item.path.as_bytes(), 0, target.as_bytes());
            }
        }
        for (path, mode) in closed.into_iter().rev() {
            frames.entry(entry::DIRECTORY, path, mode, &[]);
        }
        self.send_entries(frames).await
    }

    async fn send_entries(&mut self, frames: EntryFrames) -> Result<(), Fault> {
        for payload in frames.finish() {
            self.ask(kind::LAY, &payload, kind::DONE, PATIENCE).await?;
        }
        Ok(())
    }

    /// Copies the workspace out. A refusal by the guest's caps is a [`FaultKind::SandboxCopy`]:
    /// the program's doing, not the host's.
    pub async fn pack(&mut self, limits: &Limits, quiesce: bool) -> Result<Snapshot, Fault> {
        let mut writer = Writer::default();
        writer.u64(limits.copy_bytes).u64(limits.inodes).u8(u8::from(quiesce));
        let id = self.send(kind::PACK, &writer.0).await?;
        let mut snapshot = Snapshot::default();
        let mut bytes_left = limits.copy_bytes.saturating_add(CHUNK as u64);
        loop {
            let frame = self.receive(id, PATIENCE).await?;
            match frame.kind {
                kind::ENTRIES => {
                    let size = frame.payload.len() as u64;
                    bytes_left = match bytes_left.checked_sub(size) {
                        Some(left) => left,
                        None => return Err(self.broken(Malformed("more entries than allowed"))),
                    };
                    let added = read_entries(&frame.payload, &mut snapshot.entries);
                    added.map_err(|error| self.broken(error))?;
                }
                kind::DONE => {
                    snapshot.skipped = self.read(&frame.payload, |reader| reader.u32())?;
                    return Ok(snapshot);
                }
                kind::FAILED => return Err(self.refusal(FaultKind::SandboxCopy, &frame)),
                _ => return Err(self.broken(Malformed("unexpected kind of frame"))),
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
        let id = self.send(request, payload).await?;
        let frame = self.receive(id, patience).await?;
        match frame.kind {
            kind if kind == expected => Ok(frame.payload),
            kind::FAILED => Err(self.refusal(FaultKind::SandboxLost, &frame)),
            _ => Err(self.broken(Malformed("unexpected kind of frame"))),
        }
    }

    async fn send(&mut self, kind: u8, payload: &[u8]) -> Result<u32, Fault> {
        if let Some(fault) = &self.lost {
            return Err(fault.clone());
        }
        self.next_id = self.next_id.wrapping_add(1);
        let bytes = wire::encode(self.next_id, kind, payload);
        match timeout(PATIENCE, self.stream.write_all(&bytes)).await {
            Ok(Ok(())) => Ok(self.next_id),
            Ok(Err(error)) => Err(self.lose(FaultKind::SandboxLost, format!("write: {error}"))),
            Err(_) => Err(self.lose(FaultKind::SandboxLost, "the guest reads nothing".into())),
        }
    }

    async fn receive(&mut self, id: u32, patience: Duration) -> Result<Frame, Fault> {
        let frame = match timeout(patience, read_frame(&mut self.stream)).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(ReadError::Closed(error))) => {
                return Err(
                    self.lose(FaultKind::SandboxLost, format!("the guest is gone: {error}"))
                );
            }
            Ok(Err(ReadError::Malformed(error))) => return Err(self.broken(error)),
            Err(_) => {
                let silent = format!("the guest did not answer within {}s", patience.as_secs());
                return Err(self.lose(FaultKind::SandboxLost, silent));
            }
        };
        if frame.id == id {
            Ok(frame)
        } else {
            Err(self.broken(Malformed("answer to nothing asked")))
        }
    }

    fn read<T>(
        &mut self,
        payload: &[u8],
        parse: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>,
    ) -> Result<T, Fault> {
        let mut reader = Reader::new(payload);
        let value = parse(&mut reader).and_then(|value| reader.finish().map(|()| value));
        value.map_err(|error| self.broken(error))
    }

    fn refusal(&mut self, kind: FaultKind, frame: &Frame) -> Fault {
        let mut reader = Reader::new(&frame.payload);
        match reader.bytes() {
            Ok(text) => Fault::new(kind, shown(text)),
            Err(error) => self.broken(error),
        }
    }

    fn broken(&mut self, error: Malformed) -> Fault {
        self.lose(FaultKind::SandboxProtocol, error.0.to_owned())
    }

    fn lose(&mut self, kind: FaultKind, message: String) -> Fault {
        let fault = Fault::new(kind, message);
        self.lost = Some(fault.clone());
        fault
    }
}

enum ReadError {
    Closed(std::io::Error),
    Malformed(Malformed),
}

async fn read_frame<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Frame, ReadError> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).await.map_err(ReadError::Closed)?;
    let length = wire::body_length(prefix).map_err(ReadError::Malformed)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.map_err(ReadError::Closed)?;
    wire::decode(body).map_err(ReadError::Malformed)
}

/// Packs entries into frames of about a chunk each.
struct EntryFrames {
    tree: u8,
    done: Vec<Vec<u8>>,
    open: Writer,
}

impl EntryFrames {
    fn new(tree: Tree) -> Self {
        let tree = match tree {
            Tree::Workspace => wire::tree::WORKSPACE,
            Tree::Sealed => wire::tree::SEALED,
        };
        Self { tree, done: Vec::new(), open: Writer::default() }
    }

    fn file(&mut self, path: &[u8], mode: u32, content: &[u8]) {
        let mut chunks = content.chunks(CHUNK);
        self.entry(entry::FILE, path, mode, chunks.next().unwrap_or_default());
        for chunk in chunks {
            self.entry(entry::MORE, path, mode, chunk);
        }
    }

    fn entry(&mut self, kind: u8, path: &[u8], mode: u32, content: &[u8]) {
        if self.open.0.is_empty() {
            self.open.u8(self.tree);
        }
        self.open.u8(kind).bytes(path).u32(mode).bytes(content);
        if self.open.0.len() >= CHUNK {
            self.done.push(std::mem::take(&mut self.open.0));
        }
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        if !self.open.0.is_empty() {
            self.done.push(self.open.0);
        }
        self.done
    }
}

fn read_entries(payload: &[u8], entries: &mut Vec<TreeEntry>) -> Result<(), Malformed> {
    let mut reader = Reader::new(payload);
    while !reader.at_end() {
        let kind = reader.u8()?;
        let path = String::from_utf8_lossy(reader.bytes()?).into_owned();
        let mode = reader.u32()? & 0o777;
        let content = reader.bytes()?;
        if !is_plain(&path) {
            return Err(Malformed("path outside the workspace"));
        }
        let kind = match kind {
            entry::DIRECTORY => TreeKind::Directory { mode },
            entry::FILE => TreeKind::File { mode, content: content.to_vec() },
            entry::SYMLINK => {
                TreeKind::Symlink { target: String::from_utf8_lossy(content).into_owned() }
            }
            entry::MORE => {
                append_to_last(entries, &path, content)?;
                continue;
            }
            _ => return Err(Malformed("unknown kind of entry")),
        };
        entries.push(TreeEntry { path, kind });
    }
    Ok(())
}

fn append_to_last(entries: &mut [TreeEntry], path: &str, more: &[u8]) -> Result<(), Malformed> {
    match entries.last_mut() {
        Some(TreeEntry { path: last, kind: TreeKind::File { content, .. } }) if last == path => {
            content.extend_from_slice(more);
            Ok(())
        }
        _ => Err(Malformed("more of a file that was not begun")),
    }
}

fn is_plain(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

fn read_report(reader: &mut Reader<'_>) -> Result<ExecReport, Malformed> {
    let (ending, value) = (reader.u8()?, reader.i32()?);
    let why = shown(reader.bytes()?);
    Ok(ExecReport {
        end: read_end(ending, value, why)?,
        stdout: read_captured(reader)?,
        stderr: read_captured(reader)?,
        cwd: shown(reader.bytes()?),
        duration: Duration::from_micros(reader.u64()?),
        scan: read_scan(reader)?,
    })
}

fn read_end(ending: u8, value: i32, why: String) -> Result<ExecEnd, Malformed> {
    Ok(match ending {
        end::EXITED => ExecEnd::Exited(value),
        end::SIGNALED => ExecEnd::Signaled(value),
        end::TIMED_OUT => ExecEnd::TimedOut,
        end::CPU_LIMIT => ExecEnd::CpuLimit,
        end::OUTPUT_LIMIT => ExecEnd::OutputLimit,
        end::NOT_STARTED => ExecEnd::NotStarted(why),
        _ => return Err(Malformed("unknown end of a command")),
    })
}

fn read_captured(reader: &mut Reader<'_>) -> Result<Captured, Malformed> {
    Ok(Captured {
        total: reader.u64()?,
        head: reader.bytes()?.to_vec(),
        tail: reader.bytes()?.to_vec(),
    })
}

fn read_scan(reader: &mut Reader<'_>) -> Result<Option<Scan>, Malformed> {
    if reader.u8()? == 0 {
        return Ok(None);
    }
    let digest = reader.u64()?;
    let count = reader.u32()? as usize;
    if count > Scan::MAX_FILES {
        return Err(Malformed("more files listed than asked for"));
    }
    let files = (0..count).map(|_| reader.bytes().map(shown)).collect::<Result<_, _>>()?;
    Ok(Some(Scan { files, digest }))
}

/// Text for people and records: whatever the guest sent, as UTF-8.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn not_started(why: &str) -> ExecReport {
    ExecReport {
        end: ExecEnd::NotStarted(why.to_owned()),
        stdout: Captured::default(),
        stderr: Captured::default(),
        cwd: synthd_actors::model::WORKSPACE.to_owned(),
        scan: None,
        duration: Duration::ZERO,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! Operations of the agent, as the client asks the guest for them.
//!
//! What the guest refuses is the result of an operation, because it is about the agent's own
//! work. What it answers is not trusted: more content or more entries than were asked for, an
//! unknown kind, or fields that are too long end the sandbox with a typed fault. An operation that
//! no guest would take, such as a path over 4 KiB, is refused here and not sent.

use super::client::{GRACE, GuestClient, PATIENCE, millis};
use super::report::{read_scan, shown, take_room};
use super::wire::{
    GuestFrame, LISTED_ENTRIES, LISTED_PATHS, MAX_FILE, MAX_KEYS, MAX_NAME, MAX_PATH,
    MalformedFrame, PayloadReader, PayloadWriter, SHOWN_KEPT, kind, listed, refusal,
};
use std::time::Duration;
use synthd_actors::model::{
    DirectoryEntries, DirectoryEntry, DirectoryEntryKind, DirectoryRead, Fault, FileRead,
    FileWrite, OperationRefusal, OperationReport, OperationResult, RefusalKind, SandboxLimits,
    SandboxOperation, TerminalInput, TerminalOutput, WorkspaceScan,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

// Both ends and the engine know the same limits.
const _: () = assert!(FileRead::MAX_BYTES == MAX_FILE);
const _: () = assert!(DirectoryRead::MAX_ENTRIES == LISTED_ENTRIES);
const _: () = assert!(TerminalInput::MAX_NAME == MAX_NAME && TerminalInput::MAX_KEYS == MAX_KEYS);

/// The most bytes of content in one WRITE. More content takes several.
const WRITE_PART: usize = 4 << 20;
/// Bytes of the longest message of a refusal. The guest's own are much shorter.
const MAX_MESSAGE: usize = 4 << 10;

/// What came of a request: the payload of the answer that was expected, or a refusal.
type OperationAnswer = Result<Vec<u8>, OperationResult>;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> GuestClient<S> {
    /// Performs an operation with the rights of the agent's programs. `shell` is the shell of
    /// commands and of terminals. A refusal is a result; a fault says that the sandbox failed.
    pub async fn perform(
        &mut self,
        operation: &SandboxOperation,
        shell: &str,
        limits: &SandboxLimits,
    ) -> Result<OperationReport, Fault> {
        let begun = Instant::now();
        let mut report = match operation {
            SandboxOperation::Run(request) => {
                return self.exec(request, shell, limits).await.map(OperationReport::ran);
            }
            SandboxOperation::SendKeys(input) => self.send_keys(input, shell, limits).await?,
            SandboxOperation::ReadFile(read) => with_result(self.read_file(read).await?),
            SandboxOperation::WriteFile(write) => self.write_file(write).await?,
            SandboxOperation::ListDirectory(list) => with_result(self.list_directory(list).await?),
        };
        report.duration = begun.elapsed();
        Ok(report)
    }

    /// The first of these areas in which so many bytes cannot be written, and why. None: there is room
    /// in each of them.
    pub async fn without_room(
        &mut self,
        areas: &[&str],
        bytes: u32,
    ) -> Result<Option<String>, Fault> {
        let mut writer = PayloadWriter::default();
        writer.u32(bytes);
        areas.iter().for_each(|area| {
            writer.bytes(area.as_bytes());
        });
        match self.ask_operation(kind::ROOM, &writer.0, kind::DONE, PATIENCE).await? {
            Ok(payload) => self.read(&payload, |reader| reader.u32()).map(|_| None),
            Err(OperationResult::Refused(refusal)) => Ok(Some(refusal.message)),
            Err(_) => Ok(None),
        }
    }

    /// Reads a file, which comes in parts.
    async fn read_file(&mut self, read: &FileRead) -> Result<OperationResult, Fault> {
        if let Some(refused) = refused_path(&read.path) {
            return Ok(refused);
        }
        let most = read.max_bytes.min(MAX_FILE);
        let mut writer = PayloadWriter::default();
        writer.u64(most).bytes(read.path.as_bytes());
        let deadline = Instant::now() + PATIENCE;
        let id = self.send(kind::READ, &writer.0, deadline).await?;
        let mut content = Vec::new();
        loop {
            let frame = self.receive(id, deadline).await?;
            match frame.kind {
                kind::CONTENT => {
                    let added = add_content(&mut content, &frame.payload, most);
                    added.map_err(|error| self.broken(error))?;
                }
                kind::DONE => {
                    self.read(&frame.payload, |reader| reader.u32())?;
                    self.asking = None;
                    return Ok(OperationResult::File(content));
                }
                _ => return self.refused_operation(&frame),
            }
        }
    }

    /// Sends a file in parts. Each one is answered, and the last one with the scan.
    async fn write_file(&mut self, write: &FileWrite) -> Result<OperationReport, Fault> {
        if let Some(refused) = refused_path(&write.path) {
            return Ok(with_result(refused));
        }
        if write.content.len() as u64 > MAX_FILE {
            return Ok(OperationReport::refused(RefusalKind::TooLarge, "File too large"));
        }
        let mut rest = write.content.as_slice();
        loop {
            let (part, after) = rest.split_at(rest.len().min(WRITE_PART));
            let payload = part_of_file(write, write.content.len() - rest.len(), part);
            let expected = if after.is_empty() { kind::WRITTEN } else { kind::DONE };
            let answer = self.ask_operation(kind::WRITE, &payload, expected, PATIENCE).await?;
            match answer {
                Err(refused) => return Ok(with_result(refused)),
                Ok(payload) if after.is_empty() => {
                    let scan = self.read(&payload, read_scan)?;
                    return Ok(OperationReport { scan, ..with_result(OperationResult::Written) });
                }
                Ok(payload) => self.read(&payload, |reader| reader.u32())?,
            };
            rest = after;
        }
    }

    /// Lists a directory.
    async fn list_directory(&mut self, list: &DirectoryRead) -> Result<OperationResult, Fault> {
        if let Some(refused) = refused_path(&list.path) {
            return Ok(refused);
        }
        let most = list.max_entries.min(LISTED_ENTRIES);
        let mut writer = PayloadWriter::default();
        writer.u32(list.depth).u32(most).bytes(list.path.as_bytes());
        match self.ask_operation(kind::LIST, &writer.0, kind::LISTED, PATIENCE).await? {
            Err(refused) => Ok(refused),
            Ok(payload) => self
                .read(&payload, |reader| read_entries(reader, most as usize))
                .map(OperationResult::Listed),
        }
    }

    /// Types into a terminal. The guest enforces the timeout.
    async fn send_keys(
        &mut self,
        input: &TerminalInput,
        shell: &str,
        limits: &SandboxLimits,
    ) -> Result<OperationReport, Fault> {
        if input.terminal.is_empty() || input.terminal.len() > MAX_NAME {
            return Ok(OperationReport::refused(RefusalKind::Failed, "No name of a terminal"));
        }
        if input.keys.len() > MAX_KEYS {
            return Ok(OperationReport::refused(RefusalKind::TooLarge, "Too much to type at once"));
        }
        let payload = keys_payload(input, shell, limits);
        let patience = input.timeout.saturating_add(GRACE);
        match self.ask_operation(kind::KEYS, &payload, kind::SHOWN, patience).await? {
            Err(refused) => Ok(with_result(refused)),
            Ok(payload) => {
                let (output, scan) = self.read(&payload, read_shown)?;
                Ok(OperationReport { scan, ..with_result(OperationResult::Shown(output)) })
            }
        }
    }

    /// Sends a request of one frame whose answer is of the kind `expected`, or a refusal.
    async fn ask_operation(
        &mut self,
        request: u8,
        payload: &[u8],
        expected: u8,
        patience: Duration,
    ) -> Result<OperationAnswer, Fault> {
        let frame = self.exchange(request, payload, patience).await?;
        if frame.kind == expected {
            self.asking = None;
            return Ok(Ok(frame.payload));
        }
        self.refused_operation(&frame).map(Err)
    }

    /// Reads a REFUSED frame. Every other frame is a fault.
    fn refused_operation(&mut self, frame: &GuestFrame) -> Result<OperationResult, Fault> {
        match frame.kind {
            kind::REFUSED => {
                let refusal = self.read(&frame.payload, read_refusal)?;
                self.asking = None;
                Ok(OperationResult::Refused(refusal))
            }
            kind::FAILED => Err(self.refusal(frame)),
            _ => Err(self.broken(MalformedFrame("unexpected kind of frame"))),
        }
    }
}

/// A report with nothing but a result.
fn with_result(result: OperationResult) -> OperationReport {
    OperationReport { result, scan: None, duration: Duration::ZERO }
}

/// The refusal of a path that is too long for the kernel. The guest checks everything else.
fn refused_path(path: &str) -> Option<OperationResult> {
    let long = || OperationReport::refused(RefusalKind::Failed, "File name too long").result;
    (path.len() > MAX_PATH).then(long)
}

/// The payload of one WRITE.
fn part_of_file(write: &FileWrite, offset: usize, part: &[u8]) -> Vec<u8> {
    let last = offset + part.len() == write.content.len();
    let mut writer = PayloadWriter::default();
    writer.u64(offset as u64).u8(u8::from(last));
    writer.bytes(write.path.as_bytes()).bytes(part);
    writer.0
}

/// The payload of KEYS.
fn keys_payload(input: &TerminalInput, shell: &str, limits: &SandboxLimits) -> Vec<u8> {
    let mut writer = PayloadWriter::default();
    writer
        .u32(input.size.0.into())
        .u32(input.size.1.into())
        .u64(millis(input.quiet))
        .u64(millis(input.timeout))
        .u32(u32::try_from(limits.command_cpu.as_secs()).unwrap_or(u32::MAX))
        .bytes(shell.as_bytes())
        .bytes(input.terminal.as_bytes())
        .bytes(&input.keys);
    writer.0
}

/// Reads what a terminal has shown, and the scan after it.
fn read_shown(
    reader: &mut PayloadReader<'_>,
) -> Result<(TerminalOutput, Option<WorkspaceScan>), MalformedFrame> {
    let alive = match reader.u8()? {
        0 => false,
        1 => true,
        _ => return Err(MalformedFrame("a terminal neither alive nor dead")),
    };
    let (dropped, bytes) = (reader.u64()?, reader.bytes()?);
    if bytes.len() > SHOWN_KEPT {
        return Err(MalformedFrame("more output of a terminal than is kept"));
    }
    let output = TerminalOutput { bytes: bytes.to_vec(), dropped, alive };
    Ok((output, read_scan(reader)?))
}

/// Adds a part of a file to what has come. A file has no empty parts and no more than was asked
/// for, so its parts come to an end.
fn add_content(content: &mut Vec<u8>, part: &[u8], most: u64) -> Result<(), MalformedFrame> {
    if part.is_empty() {
        return Err(MalformedFrame("a part without content"));
    }
    if (content.len() + part.len()) as u64 > most {
        return Err(MalformedFrame("more of a file than asked for"));
    }
    content.extend_from_slice(part);
    Ok(())
}

/// Reads why an operation was refused.
fn read_refusal(reader: &mut PayloadReader<'_>) -> Result<OperationRefusal, MalformedFrame> {
    let kind = match reader.u8()? {
        refusal::NOT_FOUND => RefusalKind::NotFound,
        refusal::IS_DIRECTORY => RefusalKind::IsDirectory,
        refusal::NOT_DIRECTORY => RefusalKind::NotDirectory,
        refusal::NOT_REGULAR => RefusalKind::NotRegular,
        refusal::TOO_LARGE => RefusalKind::TooLarge,
        refusal::FAILED => RefusalKind::Failed,
        _ => return Err(MalformedFrame("unknown kind of refusal")),
    };
    let message = reader.bytes()?;
    if message.len() > MAX_MESSAGE {
        return Err(MalformedFrame("a refusal of too many words"));
    }
    Ok(OperationRefusal { kind, message: shown(message) })
}

/// Reads the entries of a directory, at most `most`. They are put in order here, because names
/// that are no UTF-8 change on the way.
fn read_entries(
    reader: &mut PayloadReader<'_>,
    most: usize,
) -> Result<DirectoryEntries, MalformedFrame> {
    let left_out = reader.u64()?;
    let mut room = LISTED_PATHS;
    let mut entries = Vec::new();
    while !reader.at_end() {
        if entries.len() == most {
            return Err(MalformedFrame("more entries listed than asked for"));
        }
        entries.push(read_entry(reader, &mut room)?);
    }
    entries.sort_by(|one: &DirectoryEntry, other| one.path.cmp(&other.path));
    Ok(DirectoryEntries { entries, left_out })
}

/// Reads one entry. `room` is how many bytes of paths the rest of the list may have.
fn read_entry(
    reader: &mut PayloadReader<'_>,
    room: &mut usize,
) -> Result<DirectoryEntry, MalformedFrame> {
    let kind = match reader.u8()? {
        listed::FILE => DirectoryEntryKind::File,
        listed::DIRECTORY => DirectoryEntryKind::Directory,
        listed::SYMLINK => DirectoryEntryKind::Symlink,
        listed::OTHER => DirectoryEntryKind::Other,
        _ => return Err(MalformedFrame("unknown kind of entry")),
    };
    let (size, path) = (reader.u64()?, reader.bytes()?);
    take_room(room, path)?;
    if path.is_empty() {
        return Err(MalformedFrame("an entry without a name"));
    }
    Ok(DirectoryEntry { path: shown(path), kind, size })
}

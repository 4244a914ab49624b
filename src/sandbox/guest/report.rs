//! Reads what a guest reports of a command, of its workspace and of a service: the payloads of
//! EXITED, RUNNING and SERVING.
//!
//! Untrusted programs share the sandbox with the guest, so nothing here is trusted: counts and
//! sums of lengths of a scan are compared with what was asked for, and all text but the output is
//! made valid UTF-8. An error is always a breach of the protocol and ends the sandbox.

use super::wire::{LISTED, LOG_TOLD, MalformedFrame, PayloadReader, change, end};
use std::time::Duration;
use synthd_actors::model::{
    CapturedOutput, ExecEnd, ExecReport, FileChangeKind, ServiceReport, WorkspaceChange,
    WorkspaceScan,
};

/// Reads the report of a command that has ended (EXITED). If the kernel killed a process of the
/// sandbox meanwhile because memory was exhausted, and the command failed, its end becomes
/// [`ExecEnd::OutOfMemory`].
pub(super) fn read_report(reader: &mut PayloadReader<'_>) -> Result<ExecReport, MalformedFrame> {
    let (ending, value) = (reader.u8()?, reader.i32()?);
    let why = shown(reader.bytes()?);
    let mut report = ExecReport {
        end: read_end(ending, value, why)?,
        stdout: read_captured(reader)?,
        stderr: read_captured(reader)?,
        cwd: shown(reader.bytes()?),
        duration: Duration::from_micros(reader.u64()?),
        scan: None,
    };
    let kills = reader.u64()?;
    report.scan = read_scan(reader)?;
    if kills > 0 && may_be_killed(&report.end) {
        report.end = ExecEnd::OutOfMemory;
    }
    Ok(report)
}

/// Whether a command that ended like this may have been killed because memory was exhausted. A
/// shell whose child was killed exits with a code, so every code but zero counts. A timeout or
/// an output limit has a cause of its own.
pub(super) fn may_be_killed(end: &ExecEnd) -> bool {
    match end {
        ExecEnd::Signaled(_) | ExecEnd::CpuLimit => true,
        ExecEnd::Exited(code) => *code != 0,
        _ => false,
    }
}

/// The end of a command from its code. `value` is the exit code or the signal. `why` says why a
/// command did not start.
fn read_end(ending: u8, value: i32, why: String) -> Result<ExecEnd, MalformedFrame> {
    Ok(match ending {
        end::EXITED => ExecEnd::Exited(value),
        end::SIGNALED => ExecEnd::Signaled(value),
        end::TIMED_OUT => ExecEnd::TimedOut,
        end::CPU_LIMIT => ExecEnd::CpuLimit,
        end::OUTPUT_LIMIT => ExecEnd::OutputLimit,
        end::NOT_STARTED => ExecEnd::NotStarted(why),
        _ => return Err(MalformedFrame("unknown end of a command")),
    })
}

/// One output stream: its whole length, and the head and the tail that were kept.
fn read_captured(reader: &mut PayloadReader<'_>) -> Result<CapturedOutput, MalformedFrame> {
    Ok(CapturedOutput {
        total: reader.u64()?,
        head: reader.bytes()?.to_vec(),
        tail: reader.bytes()?.to_vec(),
    })
}

/// Reads a workspace scan: its first paths, its digest, and the changes since the scan before.
/// None: the host did not ask for a scan.
pub(super) fn read_scan(
    reader: &mut PayloadReader<'_>,
) -> Result<Option<WorkspaceScan>, MalformedFrame> {
    if reader.u8()? == 0 {
        return Ok(None);
    }
    let digest = reader.u64()?;
    let count = reader.u32()? as usize;
    if count > WorkspaceScan::MAX_FILES {
        return Err(MalformedFrame("more files listed than asked for"));
    }
    let mut room = LISTED;
    let files = (0..count).map(|_| listed(reader, &mut room)).collect::<Result<_, _>>()?;
    let changed = reader.u32()?;
    let count = reader.u32()? as usize;
    if count > WorkspaceScan::MAX_FILES || count > changed as usize {
        return Err(MalformedFrame("more changes listed than asked for"));
    }
    let mut room = LISTED;
    let changes = (0..count).map(|_| read_change(reader, &mut room)).collect::<Result<_, _>>()?;
    Ok(Some(WorkspaceScan { files, digest, changes, changed }))
}

/// Reads a path of a list. `room` is how many bytes of paths the rest of the list may have.
fn listed(reader: &mut PayloadReader<'_>, room: &mut usize) -> Result<String, MalformedFrame> {
    let path = reader.bytes()?;
    take_room(room, path)?;
    Ok(shown(path))
}

/// Takes a path from the bytes that the paths of its list may have.
pub(super) fn take_room(room: &mut usize, path: &[u8]) -> Result<(), MalformedFrame> {
    let over = MalformedFrame("longer paths listed than asked for");
    *room = room.checked_sub(path.len()).ok_or(over)?;
    Ok(())
}

/// Reads one changed file. A hash has 32 bytes, or none where the guest did not read the file.
fn read_change(
    reader: &mut PayloadReader<'_>,
    room: &mut usize,
) -> Result<WorkspaceChange, MalformedFrame> {
    let kind = match reader.u8()? {
        change::ADDED => FileChangeKind::Added,
        change::MODIFIED => FileChangeKind::Modified,
        change::REMOVED => FileChangeKind::Removed,
        _ => return Err(MalformedFrame("unknown kind of change")),
    };
    let (path, size, hash) = (listed(reader, room)?, reader.u64()?, reader.bytes()?);
    if !hash.is_empty() && hash.len() != 32 {
        return Err(MalformedFrame("a hash of another length"));
    }
    Ok(WorkspaceChange { path, kind, size, sha256: (!hash.is_empty()).then(|| hex::encode(hash)) })
}

/// Reads how the start of a service went (SERVING).
pub(super) fn read_service(
    reader: &mut PayloadReader<'_>,
) -> Result<ServiceReport, MalformedFrame> {
    let healthy = reader.u8()?;
    let (why, log) = (reader.bytes()?, reader.bytes()?);
    if healthy > 1 || why.len() > LOG_TOLD || log.len() > LOG_TOLD {
        return Err(MalformedFrame("more of a service than can be told"));
    }
    Ok(ServiceReport { trouble: (healthy == 0).then(|| shown(why)), log: shown(log) })
}

/// Bytes of the guest as text for people and records. Invalid UTF-8 is replaced.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

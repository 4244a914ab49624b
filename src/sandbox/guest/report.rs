//! Reading what a guest says of a command. Each field is bounded by its frame; what is only
//! shown is made valid UTF-8.

use super::wire::{LISTED, MalformedFrame, PayloadReader, change, end};
use std::time::Duration;
use synthd_actors::model::{
    CapturedOutput, ExecEnd, ExecReport, FileChangeKind, WorkspaceChange, WorkspaceScan,
};

/// A command's report; one that failed while the kernel killed for want of memory ran out
/// of it.
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

/// Whether the end is one that the kernel's kill for want of memory looks like.
pub(super) fn may_be_killed(end: &ExecEnd) -> bool {
    match end {
        ExecEnd::Signaled(_) | ExecEnd::CpuLimit => true,
        ExecEnd::Exited(code) => *code != 0,
        _ => false,
    }
}

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

fn read_captured(reader: &mut PayloadReader<'_>) -> Result<CapturedOutput, MalformedFrame> {
    Ok(CapturedOutput {
        total: reader.u64()?,
        head: reader.bytes()?.to_vec(),
        tail: reader.bytes()?.to_vec(),
    })
}

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

/// A path of a list, which is bounded as a whole.
fn listed(reader: &mut PayloadReader<'_>, room: &mut usize) -> Result<String, MalformedFrame> {
    let path = reader.bytes()?;
    let over = MalformedFrame("longer paths listed than asked for");
    *room = room.checked_sub(path.len()).ok_or(over)?;
    Ok(shown(path))
}

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

/// Text for people and records: whatever the guest sent, as UTF-8.
pub(super) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

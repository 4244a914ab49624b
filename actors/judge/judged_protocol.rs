//! The bytes between a check and the engine. A message is its length as a `u32` and a body; all
//! integers are little-endian, and a text or a list of bytes has its length in front, as a `u32`.
//!
//! ```text
//!  RUN    1, u64 milliseconds, bytes directory, bytes input, bytes command
//!  READ   2, u64 most bytes, bytes path
//!  WRITE  3, bytes path, bytes content
//!  LIST   4, u32 depth, bytes path
//!  RESET  5
//!  reply  0 and the result; 1 (refused) or 2 (the sandbox failed) and bytes: why
//! ```
//! The check is written by the author of the template and is trusted. Its messages are still checked
//! like any other input: a mistake ends the connection and not the engine.

use crate::model::{
    DirectoryEntries, DirectoryEntryKind, ExecEnd, ExecReport, FileRead, OperationResult,
};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes of the longest request: the largest file with its path.
const MAX_REQUEST: u32 = (FileRead::MAX_BYTES + (64 << 10)) as u32;

const DONE: u8 = 0;
const REFUSED: u8 = 1;
const FAILED: u8 = 2;

/// What a check asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JudgedRequest {
    Run(JudgedRun),
    Read { path: String, max_bytes: u64 },
    Write { path: String, content: Vec<u8> },
    List { path: String, depth: u32 },
    Reset,
}

/// A program to run in the judged sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JudgedRun {
    pub(super) timeout: Duration,
    pub(super) directory: String,
    /// What the program reads from its standard input.
    pub(super) input: Vec<u8>,
    /// A line of the shell.
    pub(super) command: String,
}

/// Reads the next request. None: the check has closed the connection. Err: the bytes are no request.
pub(super) async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<JudgedRequest>> {
    let length = match stream.read_u32_le().await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    };
    if length > MAX_REQUEST {
        return Err(malformed("a request that is too long"));
    }
    // The memory grows as bytes come, so a length alone takes none.
    let mut body = Vec::new();
    stream.take(length.into()).read_to_end(&mut body).await?;
    if body.len() < length as usize {
        return Ok(None);
    }
    parse(&body).map(Some)
}

/// A request from its body.
fn parse(body: &[u8]) -> io::Result<JudgedRequest> {
    let mut fields = FieldReader(body);
    let request = match fields.u8()? {
        1 => JudgedRequest::Run(JudgedRun {
            timeout: Duration::from_millis(fields.u64()?),
            directory: fields.text()?,
            input: fields.bytes()?.to_vec(),
            command: fields.text()?,
        }),
        2 => JudgedRequest::Read { max_bytes: fields.u64()?, path: fields.text()? },
        3 => JudgedRequest::Write { path: fields.text()?, content: fields.bytes()?.to_vec() },
        4 => JudgedRequest::List { depth: fields.u32()?, path: fields.text()? },
        5 => JudgedRequest::Reset,
        _ => return Err(malformed("an unknown operation")),
    };
    if fields.0.is_empty() { Ok(request) } else { Err(malformed("bytes after the last field")) }
}

/// Takes the fields of a body from its front.
struct FieldReader<'a>(&'a [u8]);

impl<'a> FieldReader<'a> {
    fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let short = || malformed("a field beyond the end of the request");
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> io::Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> io::Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> io::Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> io::Result<&'a [u8]> {
        let count = self.u32()? as usize;
        self.take(count)
    }

    fn text(&mut self) -> io::Result<String> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| malformed("a text that is no UTF-8"))
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The message of a result. A refusal becomes a reply of its own kind.
pub(super) fn done(result: &OperationResult) -> Vec<u8> {
    match result {
        OperationResult::Refused(refusal) => refused(&refusal.message),
        OperationResult::Ran(report) => message(DONE, |reply| ran(reply, report)),
        OperationResult::File(content) => message(DONE, |reply| put_bytes(reply, content)),
        OperationResult::Listed(list) => message(DONE, |reply| listed(reply, list)),
        OperationResult::Written | OperationResult::Shown(_) => message(DONE, |_| {}),
    }
}

/// The message of a request that cannot be carried out, for a reason of the workspace.
pub(super) fn refused(why: &str) -> Vec<u8> {
    message(REFUSED, |reply| put_bytes(reply, why.as_bytes()))
}

/// The message of a judged sandbox that failed. The verification is void.
pub(super) fn failed(why: &str) -> Vec<u8> {
    message(FAILED, |reply| put_bytes(reply, why.as_bytes()))
}

/// A message of a status and of what `fill` adds.
fn message(status: u8, fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut reply = vec![0, 0, 0, 0, status];
    fill(&mut reply);
    let length = u32::try_from(reply.len() - 4).unwrap_or(u32::MAX);
    reply[..4].copy_from_slice(&length.to_le_bytes());
    reply
}

fn put_bytes(reply: &mut Vec<u8>, bytes: &[u8]) {
    reply.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    reply.extend_from_slice(bytes);
}

/// How a program ended, and its output with the number of bytes that it really wrote.
fn ran(reply: &mut Vec<u8>, report: &ExecReport) {
    let end = match report.end {
        ExecEnd::Exited(_) => 0,
        ExecEnd::Signaled(_) => 1,
        ExecEnd::TimedOut => 2,
        ExecEnd::CpuLimit => 3,
        ExecEnd::OutOfMemory => 4,
        ExecEnd::OutputLimit => 5,
        ExecEnd::NotStarted(_) => 6,
    };
    reply.push(end);
    reply.extend_from_slice(&report.end.exit_code().to_le_bytes());
    for output in [&report.stdout, &report.stderr] {
        put_bytes(reply, &[output.head.as_slice(), &output.tail].concat());
        reply.extend_from_slice(&output.total.to_le_bytes());
    }
}

fn listed(reply: &mut Vec<u8>, list: &DirectoryEntries) {
    reply.extend_from_slice(&list.left_out.to_le_bytes());
    let count = u32::try_from(list.entries.len()).unwrap_or(u32::MAX);
    reply.extend_from_slice(&count.to_le_bytes());
    for entry in &list.entries {
        reply.push(match entry.kind {
            DirectoryEntryKind::File => 0,
            DirectoryEntryKind::Directory => 1,
            DirectoryEntryKind::Symlink => 2,
            DirectoryEntryKind::Other => 3,
        });
        reply.extend_from_slice(&entry.size.to_le_bytes());
        put_bytes(reply, entry.path.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> io::Result<Option<JudgedRequest>> {
        read_request(&mut &bytes[..]).await
    }

    fn framed(body: &[u8]) -> Vec<u8> {
        let mut bytes = (body.len() as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(body);
        bytes
    }

    #[tokio::test]
    async fn a_request_is_read_and_whatever_is_none_is_refused() {
        let mut body = vec![1];
        body.extend_from_slice(&1_500_u64.to_le_bytes());
        for field in ["/work", "in", "cat"] {
            put_bytes(&mut body, field.as_bytes());
        }
        let run = JudgedRun {
            timeout: Duration::from_millis(1_500),
            directory: "/work".to_owned(),
            input: b"in".to_vec(),
            command: "cat".to_owned(),
        };
        assert_eq!(read(&framed(&body)).await.unwrap(), Some(JudgedRequest::Run(run)));
        assert_eq!(read(&framed(&[5])).await.unwrap(), Some(JudgedRequest::Reset));
        assert_eq!(read(&[]).await.unwrap(), None);
        // A check that was killed in the middle of a request.
        assert_eq!(read(&framed(&body)[..20]).await.unwrap(), None);
        for wrong in [vec![9], vec![5, 0], vec![], vec![2, 0], [&[3][..], &[0xff; 8]].concat()] {
            assert!(read(&framed(&wrong)).await.is_err(), "{wrong:?}");
        }
        let endless = (MAX_REQUEST + 1).to_le_bytes();
        assert!(read(&endless).await.is_err());
    }
}

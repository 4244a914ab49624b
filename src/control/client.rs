//! The other end: what the commands use. Blocking, because a command does one thing.

use super::limits::MAX_LINE;
use super::protocol::{ControlCommand, ControlReply, ErrorBody, ReplyContent, VERSION};
use super::socket::check_length;
use crate::error::{Code, Error, Result};
use serde_json::Value;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The daemon says something at least every few seconds; one that is silent for longer is
/// stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than any answer has.
const MAX_ANSWER: u64 = 256 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub enum ControlClientError {
    /// The daemon's own words.
    Refused(Box<ErrorBody>),
    Broken(Error),
}

impl From<Error> for ControlClientError {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// A connection to a daemon.
pub struct ControlClient {
    path: PathBuf,
    writer: UnixStream,
    reader: BufReader<UnixStream>,
    next: u64,
}

impl ControlClient {
    pub fn connect(path: &Path) -> Result<Self> {
        check_length(path)?;
        let writer = UnixStream::connect(path).map_err(|error| nobody(path, &error))?;
        let set_up = || {
            writer.set_read_timeout(Some(PATIENCE))?;
            writer.set_write_timeout(Some(PATIENCE))?;
            writer.try_clone()
        };
        let reader = set_up().map_err(|error| broken(path, error))?;
        Ok(Self { path: path.to_owned(), writer, reader: BufReader::new(reader), next: 1 })
    }

    /// Asks, hands events on, and returns the answer.
    pub fn ask(
        &mut self,
        order: &ControlCommand,
        mut on_event: impl FnMut(Value),
    ) -> Result<Value, ControlClientError> {
        let heard = |event| {
            on_event(event);
            ControlFlow::Continue(())
        };
        let answer = self.follow(order, heard)?;
        answer.ok_or_else(|| hung_up(&self.path).into())
    }

    /// The same for who may stop listening before the answer is there; then there is none.
    pub fn follow(
        &mut self,
        order: &ControlCommand,
        mut on_event: impl FnMut(Value) -> ControlFlow<()>,
    ) -> Result<Option<Value>, ControlClientError> {
        let id = Value::from(self.next);
        self.next += 1;
        let line = request_line(&id, order)?;
        let sent = self.writer.write_all(&line);
        loop {
            // A daemon that turns a client away says why before it closes, so an answer
            // may be there even where the request could not be written.
            let reply = match (self.receive(), &sent) {
                (Ok(reply), _) => reply,
                (Err(error), Ok(())) => return Err(error.into()),
                (Err(_), Err(error)) => return Err(broken(&self.path, error.kind()).into()),
            };
            match reply.content {
                ReplyContent::Error(error) => {
                    return Err(ControlClientError::Refused(Box::new(error)));
                }
                // Of another request; there is none, so it is noise.
                _ if reply.id != id => {}
                ReplyContent::Ok(answer) => return Ok(Some(answer)),
                ReplyContent::Event(event) => {
                    if on_event(event).is_break() {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Waits until the daemon closes its end.
    pub fn wait_closed(&mut self) {
        // A timeout or an error ends the wait as well: there is nothing to be told.
        std::io::copy(&mut self.reader, &mut std::io::sink()).ok();
    }

    fn receive(&mut self) -> Result<ControlReply> {
        let mut line = Vec::new();
        let read = (&mut self.reader).take(MAX_ANSWER).read_until(b'\n', &mut line);
        match read {
            Ok(_) if line.last() == Some(&b'\n') => {}
            Ok(_) => return Err(hung_up(&self.path)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(silent(&self.path)),
            Err(error) => return Err(broken(&self.path, error)),
        }
        let reply: ControlReply = serde_json::from_slice(&line).map_err(|error| {
            let what = format!("{} does not speak synthd's protocol", self.path.display());
            Error::new(Code::ControlProtocol, what).with_source(error)
        })?;
        if reply.v == VERSION { Ok(reply) } else { Err(other_version(reply.v)) }
    }
}

fn request_line(id: &Value, order: &ControlCommand) -> Result<Vec<u8>> {
    let mut request = serde_json::to_value(order)
        .map_err(|e| Error::new(Code::Unexpected, "the request is not JSON").with_source(e))?;
    request["v"] = VERSION.into();
    request["id"] = id.clone();
    let mut line = request.to_string().into_bytes();
    if line.len() > MAX_LINE {
        return Err(too_long(line.len()));
    }
    line.push(b'\n');
    Ok(line)
}

fn nobody(path: &Path, error: &std::io::Error) -> Error {
    if error.kind() == ErrorKind::PermissionDenied {
        let what = format!("{} belongs to another user", path.display());
        return Error::new(Code::SocketUnusable, what)
            .hint("run the command as the user of the daemon");
    }
    Error::new(Code::NoDaemon, format!("no daemon listens at {}", path.display())).hint(
        "start a daemon with `synthd serve`, or name its place with --data-dir DIR or --socket \
         PATH",
    )
}

fn broken(path: &Path, error: impl Into<std::io::Error>) -> Error {
    let what = format!("the connection to {} broke", path.display());
    Error::new(Code::ControlProtocol, what).with_source(error.into())
}

fn hung_up(path: &Path) -> Error {
    let what = format!("the daemon at {} ended without an answer", path.display());
    Error::new(Code::ControlProtocol, what)
        .hint("read the daemon's log; start the daemon again, and its campaigns resume")
}

fn silent(path: &Path) -> Error {
    let what = format!("the daemon at {} sent nothing for {PATIENCE:?}", path.display());
    Error::new(Code::ControlProtocol, what).hint("read the daemon's log; the daemon may hang")
}

fn too_long(length: usize) -> Error {
    let what = format!("the request has {length} bytes, but a daemon accepts at most {MAX_LINE}");
    Error::new(Code::BadUsage, what).hint("a campaign file has a few kilobytes; check the file")
}

fn other_version(version: u64) -> Error {
    let what =
        format!("the daemon speaks version {version} of the protocol, this command {VERSION}");
    Error::new(Code::ControlProtocol, what).hint("use the same version of `synthd` as the daemon")
}

//! The client of the control socket, as the commands use it (`synthd status`, `submit`, `watch`
//! ...). It is blocking, because a command does one thing at a time.
//!
//! A client sends one request, reads events until the answer comes, and may then send the next
//! request. A daemon that is silent for a minute counts as stuck.

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

/// The most time that the daemon may send nothing, or take nothing. A daemon that works sends an
/// event every few seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of one answer, 256 MiB. No real answer is that long; the limit keeps a broken
/// peer from filling the memory.
const MAX_ANSWER: u64 = 256 << 20;

/// Why a request got no answer.
#[derive(Debug)]
pub enum ControlClientError {
    /// The daemon answered with an error.
    Refused(Box<ErrorBody>),
    /// The connection broke, the daemon was silent, or it does not speak the protocol.
    Broken(Error),
}

impl From<Error> for ControlClientError {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// A connection to the control socket of a daemon or of a foreground run.
pub struct ControlClient {
    /// The path of the socket, for error messages.
    path: PathBuf,
    /// For requests.
    writer: UnixStream,
    /// For replies; a second handle to the same connection.
    reader: BufReader<UnixStream>,
    /// The id of the next request. Ids are 1, 2, 3 and so on.
    next: u64,
}

impl ControlClient {
    /// Connects to the socket. The error is `SocketUnusable` if the path is too long or this user
    /// may not connect, and `NoDaemon` if the connect fails for another reason.
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

    /// Sends a request, gives each event to `on_event`, and returns the answer.
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

    /// Does the same as [`ask`](Self::ask), but `on_event` may stop before the answer is there.
    /// Then the result is `Ok(None)`, and the connection cannot be used for another request,
    /// because the answer may still arrive.
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
            // A daemon that refuses a client writes the reason and closes the connection. So an
            // answer may be there even if the request could not be written, and the answer says
            // more than the write error.
            let reply = match (self.receive(), &sent) {
                (Ok(reply), _) => reply,
                (Err(error), Ok(())) => return Err(error.into()),
                (Err(_), Err(error)) => return Err(broken(&self.path, error.kind()).into()),
            };
            match reply.content {
                ReplyContent::Error(error) => {
                    return Err(ControlClientError::Refused(Box::new(error)));
                }
                // The daemon answers one request at a time, so a reply with another id is none for
                // this request. It is ignored. Errors are taken with any id: a refused client gets
                // one with the id null.
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

    /// Waits until the daemon closes the connection. A daemon does this just before it ends.
    pub fn wait_closed(&mut self) {
        // A timeout or an error ends the wait as well, and nobody needs to know which it was.
        std::io::copy(&mut self.reader, &mut std::io::sink()).ok();
    }

    /// Reads one line of the daemon and checks its version.
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

/// The request as one line of JSON: `{"v":1,"id":1,"do":"status"}`. A line that the daemon would
/// refuse for its length is not sent.
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

/// The error for a connect that failed.
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

/// The error for a connection that failed while it was used.
fn broken(path: &Path, error: impl Into<std::io::Error>) -> Error {
    let what = format!("the connection to {} broke", path.display());
    Error::new(Code::ControlProtocol, what).with_source(error.into())
}

/// The error for a daemon that closed the connection before it answered.
fn hung_up(path: &Path) -> Error {
    let what = format!("the daemon at {} ended without an answer", path.display());
    Error::new(Code::ControlProtocol, what)
        .hint("read the daemon's log; start the daemon again, and its campaigns resume")
}

/// The error for a daemon that sent nothing for [`PATIENCE`].
fn silent(path: &Path) -> Error {
    let what = format!("the daemon at {} sent nothing for {PATIENCE:?}", path.display());
    Error::new(Code::ControlProtocol, what).hint("read the daemon's log; the daemon may hang")
}

/// The error for a request that is longer than a daemon accepts.
fn too_long(length: usize) -> Error {
    let what = format!("the request has {length} bytes, but a daemon accepts at most {MAX_LINE}");
    Error::new(Code::BadUsage, what).hint("a campaign file has a few kilobytes; check the file")
}

/// The error for a daemon that speaks another version of the protocol.
fn other_version(version: u64) -> Error {
    let what =
        format!("the daemon speaks version {version} of the protocol, this command {VERSION}");
    Error::new(Code::ControlProtocol, what).hint("use the same version of `synthd` as the daemon")
}

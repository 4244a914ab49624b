//! A control session: serves one client from its first line to its last. Whatever the client does
//! wrong ends here; other clients and the engine do not notice it.
//!
//! ```text
//!  read a line ──► parse ──► dispatcher ──► write the answer ──┐
//!    ▲   │           │ mistake: error reply, go on             │
//!    │   │           │ not JSON: error reply, end              │
//!    │   └ too long, too slow, idle: error reply, end          │
//!    └─────────────────────────────────────────────────────────┘
//! ```
//!
//! The end of the session closes the connection. A client that is gone ends the session without a
//! reply.

use super::limits::ControlLimits;
use super::lines::{ClientInputEnd, LineReader};
use super::protocol::{ControlCommand, ControlRequest, ErrorBody, ReplyContent};
use super::reply_writer::{ClientGone, ReplyWriter};
use crate::error::{Code, Error};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

/// Carries out the commands that arrive at the socket. The engine's dispatcher implements it; tests
/// have others.
#[async_trait]
pub trait ControlDispatcher: Send + Sync + 'static {
    /// Carries out one command and returns the answer. Events before it are sent through `writer`.
    /// An error becomes the client's error reply, unless the client is gone.
    async fn serve(
        &self,
        order: ControlCommand,
        writer: &mut ReplyWriter,
    ) -> Result<Value, DispatchError>;
}

/// Why a command has no answer.
#[derive(Debug)]
pub enum DispatchError {
    /// The command failed or was refused. The client gets this error.
    Refused(Box<ErrorBody>),
    /// The client has disconnected, so there is nobody to answer.
    Gone,
}

impl From<ClientGone> for DispatchError {
    fn from(_: ClientGone) -> Self {
        Self::Gone
    }
}

impl From<Error> for DispatchError {
    fn from(error: Error) -> Self {
        Self::Refused(Box::new(ErrorBody::from(&error)))
    }
}

/// What a session needs from the control actor.
#[derive(Clone)]
pub(super) struct ControlSessionContext {
    /// Carries out the commands.
    pub(super) dispatcher: Arc<dyn ControlDispatcher>,
    /// The limits for the client's lines and times.
    pub(super) limits: Arc<ControlLimits>,
    /// Cancelled when the socket closes. The session ends before its next request.
    pub(super) closing: CancellationToken,
}

/// Serves a client until it disconnects or breaks a limit, or until the socket closes.
pub(super) async fn serve(stream: UnixStream, counter: ControlSessionContext) {
    let (reader, writer) = stream.into_split();
    let ControlSessionContext { dispatcher, limits, closing } = counter;
    let mut writer = ReplyWriter::new(writer, limits.clone(), closing.clone());
    let mut lines = LineReader::new(reader);
    loop {
        // The closing token is looked at only between requests: a request that was read completely
        // gets its answer.
        let line = tokio::select! {
            line = lines.next(&limits) => line,
            () = closing.cancelled() => return,
        };
        let served = match line {
            Ok(line) => answer(&line, &*dispatcher, &mut writer).await,
            Err(ended) => return part(&ended, &limits, &mut writer).await,
        };
        if served.is_err() {
            return;
        }
    }
}

/// Tells a client why it gets no session, and closes its connection.
pub(super) async fn refuse(stream: UnixStream, limits: Arc<ControlLimits>, error: Error) {
    let (_, writer) = stream.into_split();
    let mut writer = ReplyWriter::new(writer, limits, CancellationToken::new());
    writer.reply(ReplyContent::Error(ErrorBody::from(&error))).await.ok();
}

/// Parses one line, carries out the command, and writes the answer. An error means that the session
/// must end: the client is gone, or it does not speak the protocol.
async fn answer(
    line: &[u8],
    dispatcher: &dyn ControlDispatcher,
    writer: &mut ReplyWriter,
) -> Result<(), ClientGone> {
    let ControlRequest { id, order } = match ControlRequest::parse(line) {
        Ok(request) => request,
        Err(rejection) => {
            writer.set_request_id(rejection.id);
            writer.reply(ReplyContent::Error(*rejection.error)).await?;
            return if rejection.garbage { Err(ClientGone) } else { Ok(()) };
        }
    };
    writer.set_request_id(id);
    let content = match dispatcher.serve(order, writer).await {
        Ok(answer) => ReplyContent::Ok(answer),
        Err(DispatchError::Refused(error)) => ReplyContent::Error(*error),
        Err(DispatchError::Gone) => return Err(ClientGone),
    };
    writer.reply(content).await
}

/// Tells a client why its session ends, if the client may not know it: a line was too long or too
/// slow, or nothing came for too long. A client that closed the connection itself gets nothing.
async fn part(ended: &ClientInputEnd, limits: &ControlLimits, writer: &mut ReplyWriter) {
    let why = match ended {
        ClientInputEnd::Closed | ClientInputEnd::HalfLine | ClientInputEnd::Broken => return,
        ClientInputEnd::TooLong => format!("a request has at most {} bytes", limits.line),
        ClientInputEnd::Slow => {
            format!("a request must be complete within {} s", limits.read.as_secs())
        }
        ClientInputEnd::Idle => format!("there was no request for {} s", limits.idle.as_secs()),
    };
    let error = Error::new(Code::ControlProtocol, why);
    writer.set_request_id(Value::Null);
    // The client may be gone already, so a failed write does not matter here.
    writer.reply(ReplyContent::Error(ErrorBody::from(&error))).await.ok();
}

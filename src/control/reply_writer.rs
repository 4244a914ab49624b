//! Writes replies to one client. A line is written completely before the next one is made. So a
//! client that does not read costs the memory of one line, and loses its connection after the write
//! limit.

use super::limits::ControlLimits;
use super::protocol::{ControlReply, ReplyContent};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The client has disconnected or does not read. Nothing more can be sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientGone;

/// The writing half of a client's connection.
pub struct ReplyWriter {
    writer: OwnedWriteHalf,
    /// The limit for writing, and the heartbeat interval.
    limits: Arc<ControlLimits>,
    /// Cancelled when the socket closes.
    closing: CancellationToken,
    /// The id of the request that is being answered. Each reply repeats it.
    id: Value,
}

impl ReplyWriter {
    /// A writer whose replies have the id null until a request is set.
    pub(super) fn new(
        writer: OwnedWriteHalf,
        limits: Arc<ControlLimits>,
        closing: CancellationToken,
    ) -> Self {
        Self { writer, limits, closing, id: Value::Null }
    }

    /// Sets the id for the replies from now on.
    pub(super) fn set_request_id(&mut self, id: Value) {
        self.id = id;
    }

    /// Sends an event before the answer.
    pub async fn event(&mut self, event: &impl Serialize) -> Result<(), ClientGone> {
        let event = serde_json::to_value(event).map_err(|_| ClientGone)?;
        self.reply(ReplyContent::Event(event)).await
    }

    /// Writes one reply. An error means that the client is gone or was too slow. A part of the line
    /// may have been written, so the connection must not be used after an error.
    pub(super) async fn reply(&mut self, content: ReplyContent) -> Result<(), ClientGone> {
        let reply = ControlReply::new(self.id.clone(), content);
        let mut line = serde_json::to_vec(&reply).map_err(|_| ClientGone)?;
        line.push(b'\n');
        match timeout(self.limits.write, self.writer.write_all(&line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ClientGone),
        }
    }

    /// The interval at which a waiting command sends an event.
    pub fn heartbeat(&self) -> Duration {
        self.limits.heartbeat
    }

    /// Resolves when the socket closes. A command that still waits must then answer at once.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }
}

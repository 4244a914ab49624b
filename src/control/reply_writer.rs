//! The way back to one client. A line is written whole before the next one is made, so a
//! client that does not read costs one line and, after a deadline, its connection.

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

/// The client is gone or does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientGone;

pub struct ReplyWriter {
    writer: OwnedWriteHalf,
    limits: Arc<ControlLimits>,
    closing: CancellationToken,
    /// The request that is being answered.
    id: Value,
}

impl ReplyWriter {
    pub(super) fn new(
        writer: OwnedWriteHalf,
        limits: Arc<ControlLimits>,
        closing: CancellationToken,
    ) -> Self {
        Self { writer, limits, closing, id: Value::Null }
    }

    pub(super) fn set_request_id(&mut self, id: Value) {
        self.id = id;
    }

    /// Tells of something on the way to the answer.
    pub async fn event(&mut self, event: &impl Serialize) -> Result<(), ClientGone> {
        let event = serde_json::to_value(event).map_err(|_| ClientGone)?;
        self.reply(ReplyContent::Event(event)).await
    }

    pub(super) async fn reply(&mut self, content: ReplyContent) -> Result<(), ClientGone> {
        let reply = ControlReply::new(self.id.clone(), content);
        let mut line = serde_json::to_vec(&reply).map_err(|_| ClientGone)?;
        line.push(b'\n');
        match timeout(self.limits.write, self.writer.write_all(&line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(ClientGone),
        }
    }

    /// How often a command that waits says so.
    pub fn heartbeat(&self) -> Duration {
        self.limits.heartbeat
    }

    /// Resolves when the socket closes: whatever still waits must answer now.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }
}

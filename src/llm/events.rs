//! An answer put together: a stream of events, or a whole body.

use super::faults::malformed;
use super::http::Answer;
use futures_util::StreamExt;
use sse_stream::{Error as SseError, SseByteStream};
use std::ops::ControlFlow;
use synthd_actors::model::{CallFault, ChatReply};

/// A family's way from what it sends to a reply.
pub(super) trait Assemble: Default + Send {
    /// The data of one event; breaks at the end that the family marks.
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault>;

    /// A body that is no stream.
    fn whole(&mut self, body: &[u8]) -> Result<(), CallFault>;

    /// The reply, if the provider has ended it.
    fn reply(self) -> Result<ChatReply, CallFault>;
}

pub(super) async fn read<A: Assemble>(answer: Answer) -> Result<ChatReply, CallFault> {
    let mut assembly = A::default();
    if !answer.is_events() {
        // From a host that does not stream, whatever it was asked for.
        assembly.whole(&answer.whole().await?)?;
        return assembly.reply();
    }
    let mut events = SseByteStream::new(Box::pin(answer.pieces()));
    while let Some(event) = events.next().await {
        let data = event.map_err(broken)?.data.unwrap_or_default();
        if !data.trim().is_empty() && assembly.event(&data)?.is_break() {
            break;
        }
    }
    assembly.reply()
}

/// What the stream of bytes says of itself, or of its text.
fn broken(error: SseError) -> CallFault {
    match error {
        SseError::Body(cause) => match cause.downcast::<CallFault>() {
            Ok(fault) => *fault,
            Err(other) => malformed(&other.to_string()),
        },
        other => malformed(&format!("its answer is no stream of events: {other}")),
    }
}

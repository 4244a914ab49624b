//! Reads an answer to its end and makes a reply of it: a stream of events, or a whole body.

use crate::formats::reading::events::ReplyBuilder;
use crate::formats::reading::faults::malformed;
use crate::llm::transport::http::ProviderResponse;
use futures_util::StreamExt;
use sse_stream::{Error as SseError, SseByteStream};
use synthd_actors::model::{CallFault, ChatReply};

/// Reads an answer to its end and returns the reply. It stops at the end that the family marks,
/// even if the connection stays open. Fails if the body fails or does not parse.
pub(super) async fn read_reply<A: ReplyBuilder>(
    answer: ProviderResponse,
) -> Result<ChatReply, CallFault> {
    let mut builder = A::default();
    if !answer.is_events() {
        // Some hosts do not stream, although every request asks for a stream.
        builder.whole(&answer.whole().await?)?;
        return builder.reply();
    }
    let mut events = SseByteStream::new(Box::pin(answer.pieces()));
    while let Some(event) = events.next().await {
        let data = event.map_err(broken)?.data.unwrap_or_default();
        if !data.trim().is_empty() && builder.event(&data)?.is_break() {
            break;
        }
    }
    builder.reply()
}

/// The fault of a stream that cannot be read: the error of the body below, or a malformed event.
fn broken(error: SseError) -> CallFault {
    match error {
        SseError::Body(cause) => match cause.downcast::<CallFault>() {
            Ok(fault) => *fault,
            Err(other) => malformed(&other.to_string()),
        },
        other => malformed(&format!("its answer is not a stream of events: {other}")),
    }
}

//! An answer that is a stream of events.

use super::faults::malformed;
use super::http::Answer;
use futures_util::StreamExt;
use sse_stream::{Error as SseError, Sse, SseByteStream};
use std::ops::ControlFlow;
use synthd_actors::model::CallFault;

/// Hands on each event, until the stream ends or whoever takes them has enough.
pub(super) async fn each(
    answer: Answer,
    mut take: impl FnMut(Sse) -> Result<ControlFlow<()>, CallFault>,
) -> Result<(), CallFault> {
    let mut events = SseByteStream::new(Box::pin(answer.pieces()));
    while let Some(event) = events.next().await {
        if take(event.map_err(broken)?)?.is_break() {
            break;
        }
    }
    Ok(())
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

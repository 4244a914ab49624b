//! An answer put together: a stream of events, or a whole body.

use super::faults::malformed;
use super::http::ProviderResponse;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sse_stream::{Error as SseError, SseByteStream};
use std::ops::ControlFlow;
use synthd_actors::model::{CallFault, ChatReply};

/// A family's way from what it sends to a reply.
pub(super) trait ReplyBuilder: Default + Send {
    /// The data of one event; breaks at the end that the family marks.
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault>;

    /// A body that is no stream.
    fn whole(&mut self, body: &[u8]) -> Result<(), CallFault>;

    /// The reply, if the provider has ended it.
    fn reply(self) -> Result<ChatReply, CallFault>;
}

pub(super) async fn read<A: ReplyBuilder>(
    answer: ProviderResponse,
) -> Result<ChatReply, CallFault> {
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

/// Cuts a stream into its events, each with the empty line that ends it, and alters nothing.
#[derive(Default)]
pub(super) struct EventSplitter {
    kept: BytesMut,
    /// Up to where no event ends.
    looked: usize,
}

impl EventSplitter {
    /// The events that are whole now. They share their memory: a record that answers comes in one
    /// piece, with thousands of them.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<Bytes> {
        self.kept.extend_from_slice(piece);
        let mut whole = Vec::new();
        while let Some(end) = self.end() {
            whole.push(self.kept.split_to(end).freeze());
            self.looked = 0;
        }
        whole
    }

    /// What came after the last event that was ended.
    pub(super) fn rest(self) -> Bytes {
        self.kept.freeze()
    }

    /// Where the first event ends: after two ends of lines, of any kind.
    fn end(&mut self) -> Option<usize> {
        let from = self.looked.saturating_sub(3);
        let ends: [&[u8]; 3] = [b"\n\n", b"\r\n\r\n", b"\r\r"];
        let found = (from..self.kept.len()).find_map(|at| {
            ends.iter().find(|e| self.kept[at..].starts_with(e)).map(|e| at + e.len())
        });
        self.looked = self.kept.len();
        found
    }
}

/// The data of one event.
pub fn event_data(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let lines = text.split(['\n', '\r']).filter_map(|line| line.strip_prefix("data:"));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}

/// What the stream of bytes says of itself, or of its text.
fn broken(error: SseError) -> CallFault {
    match error {
        SseError::Body(cause) => match cause.downcast::<CallFault>() {
            Ok(fault) => *fault,
            Err(other) => malformed(&other.to_string()),
        },
        other => malformed(&format!("its answer is not a stream of events: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However it comes, nothing is lost and nothing altered.
        #[test]
        fn a_stream_is_cut_where_its_events_end(
            events in proptest::collection::vec("[a-z:]{0,8}(\n[a-z]{1,3}){0,2}", 0..6),
            end in prop::sample::select(vec!["\n\n", "\r\n\r\n"]),
            cuts in proptest::collection::vec(1usize..9, 0..40),
        ) {
            let whole: Vec<String> = events.iter().filter(|e| !e.is_empty() && !e.starts_with('\n'))
                .map(|event| format!("{event}{end}")).collect();
            let stream = whole.concat();
            let (mut splitter, mut found, mut at) = (EventSplitter::default(), Vec::new(), 0);
            for cut in cuts {
                let to = (at + cut).min(stream.len());
                found.extend(splitter.push(&stream.as_bytes()[at..to]));
                at = to;
            }
            found.extend(splitter.push(&stream.as_bytes()[at..]));
            let found: Vec<String> =
                found.into_iter().map(|event| String::from_utf8(event.into()).unwrap()).collect();
            prop_assert_eq!(found, whole);
            prop_assert!(splitter.rest().is_empty());
        }
    }

    /// A record answers in one piece: its events take the memory of that piece and no more.
    #[test]
    fn events_that_came_together_share_their_memory() {
        let events = EventSplitter::default().push("data: {}\n\n".repeat(10_000).as_bytes());
        assert_eq!(events.len(), 10_000);
        let ends = |event: &Bytes| event.as_ptr().wrapping_add(event.len());
        assert!(events.windows(2).all(|two| ends(&two[0]) == two[1].as_ptr()));
    }

    #[test]
    fn the_data_of_an_event_is_its_lines() {
        assert_eq!(event_data(b"event: x\ndata: {\"a\":1}\n\n"), "{\"a\":1}");
        assert_eq!(event_data(b"data:a\r\ndata: b\r\n\r\n"), "a\nb");
        assert_eq!(event_data(b": ping\n\n"), "");
    }
}

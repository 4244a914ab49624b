//! The events of an answer, and how a reply is put together from them.
//!
//! An event is some lines and an empty line. Two events of a stream are for example:
//!
//! ```text
//! data: {"choices":[{"delta":{"content":"Hi"}}]}
//!
//! data: [DONE]
//! ```
//!
//! A [`ReplyBuilder`] takes the events of one answer. The gateway cuts the stream with
//! [`EventSplitter`], because it must pass on the exact bytes of each event.

use bytes::{Bytes, BytesMut};
use std::ops::ControlFlow;
use synthd_actors::model::{CallFault, ChatReply};

/// Puts one reply together in the format of one family. Call `event` for each event, or `whole`
/// once, and then `reply`.
pub(crate) trait ReplyBuilder: Default + Send {
    /// Takes the data of one event, without `data:`. Returns `Break` at the end that the family
    /// marks. Fails if the data cannot be parsed, or if it reports an error.
    fn event(&mut self, data: &str) -> Result<ControlFlow<()>, CallFault>;

    /// Takes a body that is no stream. Fails if it cannot be parsed or reports an error.
    fn whole(&mut self, body: &[u8]) -> Result<(), CallFault>;

    /// The finished reply. Fails if the provider has not given a finish reason: then the answer was
    /// cut off and must not be taken for a complete one.
    fn reply(self) -> Result<ChatReply, CallFault>;
}

/// Cuts a stream of bytes into its events. Each event includes the empty line that ends it. No byte
/// is changed: all events and the rest together are the input.
#[derive(Default)]
pub(crate) struct EventSplitter {
    /// The bytes after the last complete event.
    kept: BytesMut,
    /// Up to here `kept` was searched and no event ends, so it is not searched again.
    looked: usize,
}

impl EventSplitter {
    /// Adds a piece and returns the events that are complete now. They share one buffer, because a
    /// replayed answer arrives in one piece with thousands of events.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<Bytes> {
        self.kept.extend_from_slice(piece);
        let mut whole = Vec::new();
        while let Some(end) = self.end() {
            whole.push(self.kept.split_to(end).freeze());
            self.looked = 0;
        }
        whole
    }

    /// The bytes after the last complete event, when the stream has ended.
    pub(crate) fn rest(self) -> Bytes {
        self.kept.freeze()
    }

    /// Where the first event ends: after an empty line, with any of the three kinds of line ends.
    /// The search goes back three bytes, since `\r\n\r\n` may be split over two pieces.
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

/// The data of one event: its `data:` lines, joined by line breaks. Other fields and comments are
/// dropped, so that an event that is only a comment gives an empty text.
pub(crate) fn event_data(event: &[u8]) -> String {
    let text = String::from_utf8_lossy(event);
    let lines = text.split(['\n', '\r']).filter_map(|line| line.strip_prefix("data:"));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
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

//! Where a call writes its answer. The other end is the connection of the client, which may be
//! gone at any time.
//!
//! ```text
//!  call ─ResponseSink─► head or whole answer (once) ─► HTTP listener ─► client
//!               └─────► pieces of a stream (16 wait) ─► ResponseStream ─┘
//! ```
//! A call writes either one whole answer, or the head of a stream, its pieces and its end. Errors
//! of the client never stop a call: what cannot be written is dropped, because the call must still
//! be settled.
//!
//! Invariant: a stream that was not written to its end breaks the connection off. So a client
//! never takes a part of an answer for the whole.

use crate::formats::WireFormat;
use crate::gateway::calls::exchange::ResponseEnding;
use crate::gateway::listener::client_wait::{ClientSilence, ClientWait};
use crate::gateway::refusal::GatewayRefusal;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::oneshot::error::RecvError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Pieces of a stream that may wait for a slow client.
const WAITING: usize = 16;
/// How long one piece may wait for a slow client. Then the client counts as gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client gets: a whole answer, or a stream. A stream always has the status 200.
pub(in crate::gateway) enum GatewayResponse {
    Whole { status: u16, headers: Vec<(String, String)>, body: Bytes },
    Stream { headers: Vec<(String, String)>, pieces: ResponseStream },
}

impl GatewayResponse {
    /// A refusal as a whole answer in the client's wire format.
    pub(in crate::gateway) fn refusal(refusal: &GatewayRefusal, family: WireFormat) -> Self {
        let body = Bytes::from(refusal.body(family).to_string());
        Self::Whole { status: refusal.status, headers: refusal.headers(), body }
    }
}

/// The reading end of an answer that has not begun. If it is dropped, the client has left.
pub(in crate::gateway) struct AwaitedAnswer {
    /// Dropped before the receiver, see `client_wait`.
    wait: ClientWait,
    answer: oneshot::Receiver<GatewayResponse>,
}

impl AwaitedAnswer {
    /// The whole answer, or the head of a stream. It fails if the sink was dropped without one.
    pub(in crate::gateway) async fn receive(mut self) -> Result<GatewayResponse, RecvError> {
        let answer = (&mut self.answer).await;
        self.wait.end();
        answer
    }
}

/// The reading end of a stream. The HTTP listener takes the pieces from it.
pub(in crate::gateway) struct ResponseStream {
    /// Dropped before the receiver, see `client_wait`.
    wait: ClientWait,
    pieces: mpsc::Receiver<Bytes>,
    /// Set when the call has written the stream to its end.
    ended: Arc<AtomicBool>,
    /// Whether the error in place of a missing end was returned.
    told: bool,
}

impl ResponseStream {
    /// The next piece. None at the end of a complete stream. If the writer was dropped before the
    /// end, this returns one error, which breaks the connection off.
    pub(in crate::gateway) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self.pieces.recv().await {
            Some(piece) => {
                self.wait.restart();
                Some(Ok(piece))
            }
            None if self.told || self.ended.load(Ordering::Acquire) => None,
            None => {
                self.told = true;
                Some(Err(io::Error::other("the answer breaks off")))
            }
        }
    }
}

/// The writing end of one answer.
pub(in crate::gateway) struct ResponseSink {
    /// The client's wire format, for refusals.
    family: WireFormat,
    /// Takes the head of the answer. None once it was written.
    answer: Option<oneshot::Sender<GatewayResponse>>,
    /// Takes the pieces of a stream. None if there is no stream, if it has ended, or if the client
    /// is gone.
    pieces: Option<mpsc::Sender<Bytes>>,
    ended: Arc<AtomicBool>,
    /// How long the client had waited without a byte when it left.
    silence: ClientSilence,
}

impl ResponseSink {
    /// A sink, and the end that reads its answer.
    pub(in crate::gateway) fn new(family: WireFormat) -> (Self, AwaitedAnswer) {
        let (answer, receiver) = oneshot::channel();
        let (answer, ended, silence) = (Some(answer), Arc::default(), ClientSilence::default());
        let awaited = AwaitedAnswer { wait: silence.begin(), answer: receiver };
        (Self { family, answer, pieces: None, ended, silence }, awaited)
    }

    /// How long the client had waited without a byte when it left. Zero if it has not left, or did
    /// not read what it was sent.
    pub(in crate::gateway) fn silence(&self) -> Duration {
        self.silence.length()
    }

    /// Writes a whole answer or the head of a stream. Only the first call does something. If nobody
    /// waits for the answer any more, the pieces of its stream are dropped, too.
    pub(in crate::gateway) fn answer(&mut self, answer: GatewayResponse) {
        if let Some(waiting) = self.answer.take()
            && waiting.send(answer).is_err()
        {
            self.pieces = None;
        }
    }

    /// Writes a refusal as the answer. After the head of a stream it changes nothing.
    pub(in crate::gateway) fn refuse(&mut self, refusal: &GatewayRefusal) {
        self.answer(GatewayResponse::refusal(refusal, self.family));
    }

    /// Writes the head of a stream. Its pieces follow with [`Self::send_chunk`].
    pub(in crate::gateway) fn start_stream(&mut self, headers: Vec<(String, String)>) {
        let (sender, pieces) = mpsc::channel(WAITING);
        self.pieces = Some(sender);
        let (wait, ended) = (self.silence.begin(), self.ended.clone());
        let pieces = ResponseStream { wait, pieces, ended, told: false };
        self.answer(GatewayResponse::Stream { headers, pieces });
    }

    /// Whether the client has gone without the answer. For a call that has begun a stream, this is
    /// known only from a piece that could not be sent.
    pub(in crate::gateway) fn is_disconnected(&self) -> bool {
        match (&self.answer, &self.pieces) {
            (Some(waiting), _) => waiting.is_closed(),
            // A client may disconnect as soon as it has the last content, before the mark of the
            // end. So the closed receiver alone does not mean that it has heard nothing.
            (None, pieces) => pieces.is_none(),
        }
    }

    /// Writes what an exchange has left to write, and ends the answer.
    pub(in crate::gateway) async fn finish(&mut self, last: ResponseEnding) {
        match last {
            ResponseEnding::Answer(answer) => self.answer(answer),
            // A stream has no status any more: the error is an event in it.
            ResponseEnding::Refuse(refusal) if self.pieces.is_some() => {
                self.send_chunk(Bytes::from(refusal.event(self.family))).await;
                self.end();
            }
            ResponseEnding::Refuse(refusal) => self.refuse(&refusal),
            ResponseEnding::Pieces(pieces) => {
                for piece in pieces {
                    self.send_chunk(piece).await;
                }
                self.end();
            }
        }
    }

    /// Ends a stream after its last piece. It counts as complete only if the client took every
    /// piece.
    fn end(&mut self) {
        self.ended.store(self.pieces.is_some(), Ordering::Release);
        self.pieces = None;
    }

    /// Sends one piece as soon as there is room for it. It returns at once if the client is gone.
    /// It does not wait long for a client that does not read, because the money of the call is
    /// held meanwhile.
    pub(in crate::gateway) async fn send_chunk(&mut self, piece: Bytes) {
        let Some(pieces) = &self.pieces else { return };
        if !matches!(timeout(PATIENCE, pieces.send(piece)).await, Ok(Ok(()))) {
            self.pieces = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    const SECOND: Duration = Duration::from_secs(1);

    /// A provider that falls silent in the middle: the client is told in the stream.
    #[tokio::test]
    async fn a_refusal_after_the_head_of_a_stream_is_an_event_of_it() {
        let (mut sink, answer) = ResponseSink::new(WireFormat::OpenAiChat);
        sink.start_stream(Vec::new());
        let GatewayResponse::Stream { mut pieces, .. } = answer.receive().await.unwrap() else {
            panic!("a stream was begun");
        };
        sink.send_chunk(Bytes::from_static(b"data: {}\n\n")).await;
        let refusal = GatewayRefusal::new(504, "upstream_timeout", "too late");
        sink.finish(ResponseEnding::Refuse(refusal)).await;
        drop(sink);
        let mut told = Vec::new();
        while let Some(piece) = pieces.next().await {
            told.extend(piece.unwrap());
        }
        let told = String::from_utf8(told).unwrap();
        assert!(told.starts_with("data: {}\n\n"), "{told}");
        assert!(told.contains("upstream_timeout") && told.contains("too late"), "{told}");
    }

    /// The provider is slow, and the client gives up before it.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_left_had_waited_without_a_byte() {
        let (sink, answer) = ResponseSink::new(WireFormat::OpenAiChat);
        sleep(30 * SECOND).await;
        assert_eq!(sink.silence(), Duration::ZERO, "it still waits");
        drop(answer);
        sleep(15 * SECOND).await;
        assert!(sink.is_disconnected());
        assert_eq!(sink.silence(), 30 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_was_answered_has_not_left() {
        let (mut sink, answer) = ResponseSink::new(WireFormat::OpenAiChat);
        sleep(30 * SECOND).await;
        sink.refuse(&GatewayRefusal::new(502, "upstream_failed", "it fails"));
        assert!(answer.receive().await.is_ok());
        assert_eq!(sink.silence(), Duration::ZERO);
    }

    /// Each piece ends a wait and begins the next one.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_left_a_stream_had_waited_since_its_last_piece() {
        for waited in [SECOND, 30 * SECOND] {
            let (mut sink, answer) = ResponseSink::new(WireFormat::OpenAiChat);
            sleep(20 * SECOND).await;
            sink.start_stream(Vec::new());
            let Ok(GatewayResponse::Stream { mut pieces, .. }) = answer.receive().await else {
                panic!("a stream was begun");
            };
            sleep(20 * SECOND).await;
            sink.send_chunk(Bytes::from_static(b"data: {}\n\n")).await;
            assert!(pieces.next().await.is_some());
            sleep(waited).await;
            drop(pieces);
            sink.send_chunk(Bytes::from_static(b"data: {}\n\n")).await;
            assert!(sink.is_disconnected());
            assert_eq!(sink.silence(), waited);
        }
    }
}

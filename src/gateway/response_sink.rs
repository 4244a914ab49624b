//! The way back to a client, who may be gone at any time.

use super::exchange::ResponseEnding;
use super::refusal::GatewayRefusal;
use crate::llm::WireFormat;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Pieces on their way to a client that is slow to read.
const WAITING: usize = 16;
/// For a client to read what waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a client is answered.
pub(super) enum GatewayResponse {
    Whole { status: u16, headers: Vec<(String, String)>, body: Bytes },
    Stream { headers: Vec<(String, String)>, pieces: ResponseStream },
}

impl GatewayResponse {
    pub(super) fn refusal(refusal: &GatewayRefusal, family: WireFormat) -> Self {
        let body = Bytes::from(refusal.body(family).to_string());
        Self::Whole { status: refusal.status, headers: refusal.headers(), body }
    }
}

/// What comes of a stream.
pub(super) struct ResponseStream {
    pieces: mpsc::Receiver<Bytes>,
    /// Set when all of it was sent.
    ended: Arc<AtomicBool>,
    told: bool,
}

impl ResponseStream {
    /// The next one; an error in place of the end, where there is none.
    pub(super) async fn next(&mut self) -> Option<io::Result<Bytes>> {
        match self.pieces.recv().await {
            Some(piece) => Some(Ok(piece)),
            None if self.told || self.ended.load(Ordering::Acquire) => None,
            None => {
                self.told = true;
                Some(Err(io::Error::other("the answer breaks off")))
            }
        }
    }
}

pub(super) struct ResponseSink {
    family: WireFormat,
    answer: Option<oneshot::Sender<GatewayResponse>>,
    pieces: Option<mpsc::Sender<Bytes>>,
    ended: Arc<AtomicBool>,
}

impl ResponseSink {
    pub(super) fn new(family: WireFormat) -> (Self, oneshot::Receiver<GatewayResponse>) {
        let (answer, receiver) = oneshot::channel();
        (Self { family, answer: Some(answer), pieces: None, ended: Arc::default() }, receiver)
    }

    pub(super) fn answer(&mut self, answer: GatewayResponse) {
        if let Some(waiting) = self.answer.take()
            && waiting.send(answer).is_err()
        {
            self.pieces = None;
        }
    }

    pub(super) fn refuse(&mut self, refusal: &GatewayRefusal) {
        self.answer(GatewayResponse::refusal(refusal, self.family));
    }

    /// The head of a stream.
    pub(super) fn start_stream(&mut self, headers: Vec<(String, String)>) {
        let (sender, pieces) = mpsc::channel(WAITING);
        self.pieces = Some(sender);
        let pieces = ResponseStream { pieces, ended: self.ended.clone(), told: false };
        self.answer(GatewayResponse::Stream { headers, pieces });
    }

    /// Whether there is nobody left to be told.
    pub(super) fn is_disconnected(&self) -> bool {
        match (&self.answer, &self.pieces) {
            (Some(waiting), _) => waiting.is_closed(),
            // Who has heard the end may hang up before the mark of it.
            (None, pieces) => pieces.is_none(),
        }
    }

    /// What is left to say.
    pub(super) async fn finish(&mut self, last: ResponseEnding) {
        match last {
            ResponseEnding::Answer(answer) => self.answer(answer),
            ResponseEnding::Refuse(refusal) => self.refuse(&refusal),
            ResponseEnding::Pieces(pieces) => {
                for piece in pieces {
                    self.send_chunk(piece).await;
                }
                self.end();
            }
        }
    }

    /// After the last piece.
    fn end(&mut self) {
        self.ended.store(self.pieces.is_some(), Ordering::Release);
        self.pieces = None;
    }

    /// One piece of it, as soon as the client has room; nobody waits for one who is gone, nor
    /// long for one who does not read: money is held meanwhile.
    pub(super) async fn send_chunk(&mut self, piece: Bytes) {
        let Some(pieces) = &self.pieces else { return };
        if !matches!(timeout(PATIENCE, pieces.send(piece)).await, Ok(Ok(()))) {
            self.pieces = None;
        }
    }
}

//! The way back to a client, who may be gone at any time.

use super::refusal::Refusal;
use crate::llm::Family;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// Pieces on their way to a client that is slow to read.
const WAITING: usize = 16;

/// What a client is answered.
pub(super) enum Answer {
    Whole { status: u16, headers: Vec<(String, String)>, body: Bytes },
    Stream { headers: Vec<(String, String)>, pieces: mpsc::Receiver<Bytes> },
}

impl Answer {
    pub(super) fn refusal(refusal: &Refusal, family: Family) -> Self {
        let body = Bytes::from(refusal.body(family).to_string());
        Self::Whole { status: refusal.status, headers: refusal.headers(), body }
    }
}

pub(super) struct Outlet {
    family: Family,
    answer: Option<oneshot::Sender<Answer>>,
    pieces: Option<mpsc::Sender<Bytes>>,
}

impl Outlet {
    pub(super) fn new(family: Family) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        (Self { family, answer: Some(answer), pieces: None }, receiver)
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        if let Some(waiting) = self.answer.take() {
            // Gone is gone.
            waiting.send(answer).ok();
        }
    }

    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.answer(Answer::refusal(refusal, self.family));
    }

    /// The head of a stream.
    pub(super) fn begin(&mut self, headers: Vec<(String, String)>) {
        let (sender, pieces) = mpsc::channel(WAITING);
        self.pieces = Some(sender);
        self.answer(Answer::Stream { headers, pieces });
    }

    /// After the last piece.
    pub(super) fn end(&mut self) {
        self.pieces = None;
    }

    /// One piece of it, as soon as the client has room; nobody waits for one who is gone.
    pub(super) async fn piece(&mut self, piece: Bytes) {
        if let Some(pieces) = &self.pieces
            && pieces.send(piece).await.is_err()
        {
            self.pieces = None;
        }
    }
}

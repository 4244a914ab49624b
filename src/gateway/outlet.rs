//! The way back to a client, who may be gone at any time.

use super::refusal::Refusal;
use super::trial::Last;
use crate::llm::Family;
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
pub(super) enum Answer {
    Whole { status: u16, headers: Vec<(String, String)>, body: Bytes },
    Stream { headers: Vec<(String, String)>, pieces: Pieces },
}

impl Answer {
    pub(super) fn refusal(refusal: &Refusal, family: Family) -> Self {
        let body = Bytes::from(refusal.body(family).to_string());
        Self::Whole { status: refusal.status, headers: refusal.headers(), body }
    }
}

/// What comes of a stream.
pub(super) struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    /// Set when all of it was sent.
    ended: Arc<AtomicBool>,
    told: bool,
}

impl Pieces {
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

pub(super) struct Outlet {
    family: Family,
    answer: Option<oneshot::Sender<Answer>>,
    pieces: Option<mpsc::Sender<Bytes>>,
    ended: Arc<AtomicBool>,
}

impl Outlet {
    pub(super) fn new(family: Family) -> (Self, oneshot::Receiver<Answer>) {
        let (answer, receiver) = oneshot::channel();
        (Self { family, answer: Some(answer), pieces: None, ended: Arc::default() }, receiver)
    }

    pub(super) fn answer(&mut self, answer: Answer) {
        if let Some(waiting) = self.answer.take()
            && waiting.send(answer).is_err()
        {
            self.pieces = None;
        }
    }

    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.answer(Answer::refusal(refusal, self.family));
    }

    /// The head of a stream.
    pub(super) fn begin(&mut self, headers: Vec<(String, String)>) {
        let (sender, pieces) = mpsc::channel(WAITING);
        self.pieces = Some(sender);
        let pieces = Pieces { pieces, ended: self.ended.clone(), told: false };
        self.answer(Answer::Stream { headers, pieces });
    }

    /// Whether there is nobody left to be told.
    pub(super) fn is_deserted(&self) -> bool {
        match (&self.answer, &self.pieces) {
            (Some(waiting), _) => waiting.is_closed(),
            // Who has heard the end may hang up before the mark of it.
            (None, pieces) => pieces.is_none(),
        }
    }

    /// What is left to say.
    pub(super) async fn last(&mut self, last: Last) {
        match last {
            Last::Answer(answer) => self.answer(answer),
            Last::Refuse(refusal) => self.refuse(&refusal),
            Last::Pieces(pieces) => {
                for piece in pieces {
                    self.piece(piece).await;
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
    pub(super) async fn piece(&mut self, piece: Bytes) {
        let Some(pieces) = &self.pieces else { return };
        if !matches!(timeout(PATIENCE, pieces.send(piece)).await, Ok(Ok(()))) {
            self.pieces = None;
        }
    }
}

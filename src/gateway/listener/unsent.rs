//! Keeps a connection busy until the socket has taken its whole answer.
//!
//! hyper drops the body of an answer as soon as it has a copy of the last bytes. At this time, the
//! socket may not have taken them yet. If the connection counted as idle then, the connection
//! limit could close it and cut off the answer. So the [`BusyGuard`] goes from the body
//! ([`SendingAnswer`]) to the connection ([`UnsentAnswers`]), and is dropped when hyper has
//! flushed the stream ([`FlushedStream`]).
//!
//! A client that does not read keeps its connection busy for a minute after its answer is
//! complete. Then the guard is given up, and the connection may be closed to make room for others.

use crate::gateway::listener::connection_limit::BusyGuard;
use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How long a client may take to read the last bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The answers of one connection that hyper has copied and the socket has not taken.
#[derive(Default)]
pub(in crate::gateway) struct UnsentAnswers {
    /// The oldest first, with the time at which its body was dropped.
    answers: Mutex<Vec<(Instant, BusyGuard)>>,
    /// Woken when an answer is added.
    news: Notify,
}

impl UnsentAnswers {
    /// Locks the list, also after a panic of another holder: each change of it is one step.
    fn answers(&self) -> MutexGuard<'_, Vec<(Instant, BusyGuard)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the guards of answers that the client has not taken in time. It runs as long as the
    /// connection.
    pub(in crate::gateway) async fn give_up(&self) -> Infallible {
        loop {
            let oldest = self.answers().first().map(|(since, _)| *since);
            match oldest {
                None => self.news.notified().await,
                Some(since) => {
                    sleep_until(since + PATIENCE).await;
                    self.answers().retain(|(since, _)| since.elapsed() < PATIENCE);
                }
            }
        }
    }
}

/// An answer that is being sent. It is part of the body, so hyper drops it when it has the last
/// bytes.
pub(in crate::gateway) struct SendingAnswer {
    /// None for a client without a valid token: its connection may be closed at any time.
    busy: Option<BusyGuard>,
    unsent: Arc<UnsentAnswers>,
}

impl SendingAnswer {
    /// Part of the body of an answer on the connection with these unsent answers.
    pub(in crate::gateway) fn new(busy: Option<BusyGuard>, unsent: Arc<UnsentAnswers>) -> Self {
        Self { busy, unsent }
    }
}

impl Drop for SendingAnswer {
    fn drop(&mut self) {
        if let Some(busy) = self.busy.take() {
            // From now on, the guard waits for the next flush.
            self.unsent.answers().push((Instant::now(), busy));
            self.unsent.news.notify_one();
        }
    }
}

/// The stream of a connection. It relies on hyper, which flushes only when it has no more bytes of
/// an answer to write. So a successful flush means that the socket has taken every answer so far.
pub(in crate::gateway) struct FlushedStream<S> {
    stream: S,
    unsent: Arc<UnsentAnswers>,
}

impl<S> FlushedStream<S> {
    pub(in crate::gateway) fn new(stream: S, unsent: Arc<UnsentAnswers>) -> Self {
        Self { stream, unsent }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FlushedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FlushedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // The lock is released before the guards are dropped, because they take the lock of the
        // connection.
        let sent = std::mem::take(&mut *self.unsent.answers());
        drop(sent);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

//! Answers on their way to a client. hyper lets go of a body when it has a copy of its last
//! bytes, and the socket has yet to take them: until then nobody hangs up on the client.

use super::connection_limit::BusyGuard;
use std::convert::Infallible;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// For a client to take the last bytes of an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was copied of one connection's answers, and not yet sent.
#[derive(Default)]
pub(super) struct UnsentAnswers {
    answers: Mutex<Vec<(Instant, BusyGuard)>>,
    news: Notify,
}

impl UnsentAnswers {
    fn answers(&self) -> MutexGuard<'_, Vec<(Instant, BusyGuard)>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives up what a client does not take, again and again.
    pub(super) async fn give_up(&self) -> Infallible {
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

/// An answer that is being sent: part of its body. The client of none is not kept.
pub(super) struct SendingAnswer {
    busy: Option<BusyGuard>,
    unsent: Arc<UnsentAnswers>,
}

impl SendingAnswer {
    pub(super) fn new(busy: Option<BusyGuard>, unsent: Arc<UnsentAnswers>) -> Self {
        Self { busy, unsent }
    }
}

impl Drop for SendingAnswer {
    fn drop(&mut self) {
        if let Some(busy) = self.busy.take() {
            self.unsent.answers().push((Instant::now(), busy));
            self.unsent.news.notify_one();
        }
    }
}

/// A connection that is flushed only when nothing of an answer is left to be written, as
/// hyper's are.
pub(super) struct FlushedStream<S> {
    stream: S,
    unsent: Arc<UnsentAnswers>,
}

impl<S> FlushedStream<S> {
    pub(super) fn new(stream: S, unsent: Arc<UnsentAnswers>) -> Self {
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
        let sent = std::mem::take(&mut *self.unsent.answers());
        drop(sent);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

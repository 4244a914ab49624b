//! The host's end of the tunnel: once it is open, one task reads the guest's stream and
//! tells the client's answers from the frames of connections.
//!
//! ```text
//!   client ◄──► in-memory pipe ◄──► mux ◄──► stream ◄──► guest ◄──► program
//!                                    │
//!                                    └── connections, one task each ◄──► host address
//! ```
//! The mux goes with its client, and with it every connection. It never waits for one of
//! them: what a connection has not passed on is bounded by its window.

mod connections;

use super::wire::{self, GuestFrame, MalformedFrame, TUNNELLED};
use connections::TunnelConnections;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use synthd_actors::model::HostAddress;
use synthd_actors::supervisor::spawn;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex, split,
};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Bytes on their way between the client and the mux.
const PIPE: usize = 64 << 10;
/// Frames that wait to be written: connections wait for a place in it.
const QUEUE: usize = 64;

/// How a client reaches its guest: alone on the stream, or beside a tunnel.
pub(super) enum GuestChannel<S> {
    Own(S),
    Shared(SharedChannel),
}

pub(super) struct SharedChannel {
    pipe: DuplexStream,
    /// Why the mux has ended, where the guest broke the protocol.
    broken: Arc<OnceLock<MalformedFrame>>,
    _mux: Option<AbortOnDropHandle<()>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> GuestChannel<S> {
    pub(super) fn new(stream: S) -> Self {
        Self::Own(stream)
    }

    /// Shares the stream with a tunnel to `to` from now on.
    pub(super) fn share(&mut self, to: HostAddress) {
        let (pipe, far) = duplex(PIPE);
        let broken = Arc::<OnceLock<MalformedFrame>>::default();
        let shared = Self::Shared(SharedChannel { pipe, broken: broken.clone(), _mux: None });
        let Self::Own(stream) = std::mem::replace(self, shared) else { return };
        if let Self::Shared(shared) = self {
            shared._mux = Some(spawn("tunnel", mux(stream, far, to, broken)));
        }
    }

    pub(super) fn broken(&self) -> Option<MalformedFrame> {
        match self {
            Self::Own(_) => None,
            Self::Shared(shared) => shared.broken.get().copied(),
        }
    }
}

/// Ends when either side closes, or the guest breaks the protocol.
async fn mux<S: AsyncRead + AsyncWrite>(
    stream: S,
    client: DuplexStream,
    to: HostAddress,
    broken: Arc<OnceLock<MalformedFrame>>,
) {
    let (from_guest, to_guest) = split(stream);
    let (from_client, to_client) = split(client);
    let (frames, queue) = mpsc::channel(QUEUE);
    let links = TunnelConnections::new(to, frames.clone());
    let ended = tokio::select! {
        ended = write_queued(to_guest, queue) => ended,
        ended = forward(from_client, frames) => ended,
        ended = attend(from_guest, to_client, links, &broken) => ended,
    };
    if let Err(FrameReadError::Closed(error)) = ended {
        tracing::debug!(%error, "a tunnel has ended");
    }
}

type MuxResult = Result<(), FrameReadError>;

async fn write_queued(
    mut guest: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Vec<u8>>,
) -> MuxResult {
    while let Some(frame) = queue.recv().await {
        guest.write_all(&frame).await.map_err(FrameReadError::Closed)?;
    }
    Ok(())
}

/// The client's requests, each whole, between the frames of connections.
async fn forward(mut client: impl AsyncRead + Unpin, frames: mpsc::Sender<Vec<u8>>) -> MuxResult {
    loop {
        let GuestFrame { id, kind, payload } = read_frame(&mut client).await?;
        if frames.send(wire::encode(id, kind, &payload)).await.is_err() {
            return Ok(());
        }
    }
}

async fn attend(
    mut guest: impl AsyncRead + Unpin,
    mut client: impl AsyncWrite + Unpin,
    mut links: TunnelConnections,
    broken: &OnceLock<MalformedFrame>,
) -> MuxResult {
    // Said before the client can see the end of it.
    let told = |malformed| {
        broken.set(malformed).ok();
        FrameReadError::Malformed(malformed)
    };
    loop {
        let frame = read_frame(&mut guest).await.map_err(|error| match error {
            FrameReadError::Malformed(malformed) => told(malformed),
            closed => closed,
        })?;
        if frame.id & TUNNELLED != 0 {
            links.receive(frame).map_err(told)?;
        } else {
            let GuestFrame { id, kind, payload } = frame;
            let bytes = wire::encode(id, kind, &payload);
            client.write_all(&bytes).await.map_err(FrameReadError::Closed)?;
        }
    }
}

pub(super) enum FrameReadError {
    Closed(io::Error),
    Malformed(MalformedFrame),
}

pub(super) async fn read_frame<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Result<GuestFrame, FrameReadError> {
    let mut prefix = [0; 4];
    stream.read_exact(&mut prefix).await.map_err(FrameReadError::Closed)?;
    let length = wire::body_length(prefix).map_err(FrameReadError::Malformed)?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.map_err(FrameReadError::Closed)?;
    wire::decode(body).map_err(FrameReadError::Malformed)
}

impl<S: AsyncRead + Unpin> AsyncRead for GuestChannel<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Own(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Shared(shared) => Pin::new(&mut shared.pipe).poll_read(cx, buffer),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for GuestChannel<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Own(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Shared(shared) => Pin::new(&mut shared.pipe).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Own(stream) => Pin::new(stream).poll_flush(cx),
            Self::Shared(shared) => Pin::new(&mut shared.pipe).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Own(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Shared(shared) => Pin::new(&mut shared.pipe).poll_shutdown(cx),
        }
    }
}

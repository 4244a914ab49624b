//! The host's end of the tunnel, which carries connections from one port of a sandbox's
//! loopback to one address of the host.
//!
//! Without a tunnel, the client reads and writes the guest's stream itself. Once a tunnel is
//! open, one task (`mux`) reads the stream. It separates the answers for the client from the
//! frames of connections.
//!
//! ```text
//!   client ◄──► in-memory pipe ◄──► mux ◄──► stream ◄──► guest ◄──► program
//!                                    │
//!                                    └── connections, one task each ◄──► host address
//! ```
//! The mux is aborted when its client is dropped, and all connections end with it. The mux
//! never waits for a connection: it buffers what a connection has not passed on, and the window
//! of the connection bounds that buffer. If the guest breaks the protocol, the mux notes the
//! reason, closes the pipe and ends; the client then reports the reason as its fault.

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

/// Bytes that the in-memory pipe between the client and the mux holds in each direction.
const PIPE: usize = 64 << 10;
/// Frames that wait to be written to the guest. Connections wait for a place in this queue, so
/// a slow guest slows them down and does not cost memory.
const QUEUE: usize = 64;

/// How a client reaches its guest. It reads and writes both variants in the same way.
pub(super) enum GuestChannel<S> {
    /// The client has the stream for itself. There is no tunnel.
    Own(S),
    /// The mux has the stream, and the client has one end of an in-memory pipe to the mux.
    Shared(SharedChannel),
}

/// The client's end of a stream that it shares with a tunnel.
pub(super) struct SharedChannel {
    pipe: DuplexStream,
    /// Why the mux has ended, if the guest broke the protocol.
    broken: Arc<OnceLock<MalformedFrame>>,
    /// Aborts the mux when the client is dropped. None only until the mux is started.
    _mux: Option<AbortOnDropHandle<()>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> GuestChannel<S> {
    pub(super) fn new(stream: S) -> Self {
        Self::Own(stream)
    }

    /// Shares the stream with a tunnel to `to` from now on and starts the mux. No answer may be
    /// outstanding. It is called once: the guest refuses a second tunnel.
    pub(super) fn share(&mut self, to: HostAddress) {
        let (pipe, far) = duplex(PIPE);
        let broken = Arc::<OnceLock<MalformedFrame>>::default();
        let shared = Self::Shared(SharedChannel { pipe, broken: broken.clone(), _mux: None });
        let Self::Own(stream) = std::mem::replace(self, shared) else { return };
        if let Self::Shared(shared) = self {
            shared._mux = Some(spawn("tunnel", mux(stream, far, to, broken)));
        }
    }

    /// The breach of protocol that ended the mux, if there was one.
    pub(super) fn broken(&self) -> Option<MalformedFrame> {
        match self {
            Self::Own(_) => None,
            Self::Shared(shared) => shared.broken.get().copied(),
        }
    }
}

/// Serves the stream until the client or the guest closes, or until the guest breaks the
/// protocol. The three parts run at the same time in one task, and the first that ends stops
/// the others.
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

/// `Ok` means that a queue has closed; the mux then ends without a message.
type MuxResult = Result<(), FrameReadError>;

/// Writes queued frames to the guest. It is the only writer of the stream, so frames of the
/// client and of connections never mix.
async fn write_queued(
    mut guest: impl AsyncWrite + Unpin,
    mut queue: mpsc::Receiver<Vec<u8>>,
) -> MuxResult {
    while let Some(frame) = queue.recv().await {
        guest.write_all(&frame).await.map_err(FrameReadError::Closed)?;
    }
    Ok(())
}

/// Passes the requests of the client on. It reads each request whole, so that no frame of a
/// connection comes between its bytes.
async fn forward(mut client: impl AsyncRead + Unpin, frames: mpsc::Sender<Vec<u8>>) -> MuxResult {
    loop {
        let GuestFrame { id, kind, payload } = read_frame(&mut client).await?;
        if frames.send(wire::encode(id, kind, &payload)).await.is_err() {
            return Ok(());
        }
    }
}

/// Reads the guest's stream. Frames with the bit [`TUNNELLED`] in their id go to the
/// connections, all others to the client. A full pipe to the client makes it wait, and the
/// connections with it.
async fn attend(
    mut guest: impl AsyncRead + Unpin,
    mut client: impl AsyncWrite + Unpin,
    mut links: TunnelConnections,
    broken: &OnceLock<MalformedFrame>,
) -> MuxResult {
    // The reason is noted before the pipe closes, so the client finds it when it sees the end.
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

/// Why no frame could be read from a stream.
pub(super) enum FrameReadError {
    /// The stream has ended or failed, perhaps in the middle of a frame.
    Closed(io::Error),
    /// The bytes are no frame of the protocol.
    Malformed(MalformedFrame),
}

/// Reads one whole frame. It checks the length before it allocates the body. Not cancel-safe: a
/// dropped future may have taken a part of a frame from the stream.
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

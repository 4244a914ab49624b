//! The connections of one tunnel. Each is a task of its own, between the guest and the address
//! of the host.
//!
//! ```text
//!          OPEN            connected             both EOFs passed
//!  (none) ──────► connecting ──────► open ──► half closed ──────► over
//!                     └── fails ── RESET ── guest's RESET, error ──┘
//! ```
//!
//! Flow control is by credit. In each direction at most [`WINDOW`] bytes may be in flight: a
//! sender stops when it has no credit, and the receiver gives credit back with CREDIT when it
//! has passed bytes on. So a slow end stops its own connection and no other one.

use crate::sandbox::guest::wire::{
    GuestFrame, MalformedFrame, PayloadReader, PayloadWriter, TUNNEL_CHUNK, TUNNELLED, WINDOW,
    encode, kind,
};
use crate::socket_path::connect_unix;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use synthd_actors::model::HostAddress;
use synthd_actors::supervisor::spawn;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex, split};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// Connections at once. It is more than the 128 that a guest keeps open, because the guest
/// learns of an end earlier and may already have opened the next connection.
const MAX_LINKS: usize = 256;
/// Connections at once including refused ones, whose RESET is not yet written. A guest that
/// opens more than this breaks the protocol.
const MAX_REFUSED: usize = 512;
/// How long connecting to the address of the host may take. Then the connection is reset.
const CONNECTING: Duration = Duration::from_secs(10);

/// The queue of whole frames that the mux writes to the guest.
type FrameSender = mpsc::Sender<Vec<u8>>;

/// All connections of one tunnel. Dropping it aborts their tasks.
pub(super) struct TunnelConnections {
    /// Where every connection of this tunnel leads.
    to: HostAddress,
    frames: FrameSender,
    /// The connections by the id of their frames, which has the bit `TUNNELLED`. A connection
    /// is removed when the guest resets it, or when the next one is opened after its task has
    /// ended.
    links: HashMap<u32, (Arc<TunnelConnection>, AbortOnDropHandle<()>)>,
    /// The highest number of a connection so far. Numbers only grow, so this tells a late frame
    /// from a frame of a connection that never was.
    last: u32,
}

/// The state that the mux and the task of the connection share.
#[derive(Default)]
struct TunnelConnection {
    state: Mutex<TunnelConnectionState>,
    /// Tells the task that `inward` has bytes or that the guest has sent its EOF. It keeps a
    /// notice until somebody waits, so none is lost between a look at the state and the wait.
    came: Notify,
    /// Tells the task that the guest has given credit.
    credited: Notify,
}

/// The bytes in flight and the credit. `inward` and `passing` together never exceed [`WINDOW`].
struct TunnelConnectionState {
    /// Bytes from the guest that the task has not yet taken.
    inward: Vec<u8>,
    /// Bytes that the task has taken from `inward` and not yet credited to the guest.
    passing: usize,
    /// The guest has sent EOF.
    guest_done: bool,
    /// Bytes that may still be sent to the guest.
    credit: usize,
}

impl Default for TunnelConnectionState {
    fn default() -> Self {
        Self { inward: Vec::new(), passing: 0, guest_done: false, credit: WINDOW }
    }
}

impl TunnelConnections {
    pub(super) fn new(to: HostAddress, frames: FrameSender) -> Self {
        Self { to, frames, links: HashMap::new(), last: 0 }
    }

    /// Takes one frame of the guest and never waits. A frame for a connection that has ended
    /// meanwhile is late and ignored. An error is a breach of the protocol and ends the tunnel.
    pub(super) fn receive(&mut self, frame: GuestFrame) -> Result<(), MalformedFrame> {
        let number = frame.id & !TUNNELLED;
        if frame.kind == kind::OPEN {
            empty(&frame)?;
            if number <= self.last {
                return Err(MalformedFrame("a connection opened twice"));
            }
            self.last = number;
            return self.open(frame.id);
        }
        if number > self.last {
            return Err(MalformedFrame("a connection that never was"));
        }
        let Some((link, _)) = self.links.get(&frame.id) else { return Ok(()) };
        match frame.kind {
            kind::DATA => link.take_in(&frame.payload),
            kind::EOF => empty(&frame).map(|()| link.end()),
            kind::CREDIT => link.take_credit(&frame.payload),
            kind::RESET => {
                empty(&frame)?;
                self.links.remove(&frame.id);
                Ok(())
            }
            _ => Err(MalformedFrame("unexpected kind of frame")),
        }
    }

    /// Starts the task of a new connection. Beyond [`MAX_LINKS`] the task only sends RESET.
    /// This is a task too, because the queue to the guest may be full and the mux must not wait
    /// for it.
    fn open(&mut self, id: u32) -> Result<(), MalformedFrame> {
        self.links.retain(|_, (_, task)| !task.is_finished());
        if self.links.len() >= MAX_REFUSED {
            return Err(MalformedFrame("connections without end"));
        }
        let (to, frames, link) =
            (self.to.clone(), self.frames.clone(), Arc::<TunnelConnection>::default());
        let full = self.links.len() >= MAX_LINKS;
        let carried = link.clone();
        let task = spawn("tunnelled connection", async move {
            let outcome = if full { Err(refused()) } else { carried.carry(id, &to, &frames).await };
            if let Err(error) = outcome {
                tracing::debug!(%error, "a tunnelled connection ended");
                // This fails only if the mux has ended, and then the guest needs no RESET.
                frames.send(encode(id, kind::RESET, &[])).await.ok();
            }
        });
        self.links.insert(id, (link, task));
        Ok(())
    }
}

/// The error of a connection beyond [`MAX_LINKS`].
fn refused() -> io::Error {
    io::Error::other("too many connections at once")
}

/// Refuses a payload where the kind of the frame has none.
fn empty(frame: &GuestFrame) -> Result<(), MalformedFrame> {
    if frame.payload.is_empty() {
        Ok(())
    } else {
        Err(MalformedFrame("bytes after the last field"))
    }
}

impl TunnelConnection {
    /// The state. A panic of another holder leaves nothing half changed, so a poisoned lock is
    /// used on.
    fn state(&self) -> MutexGuard<'_, TunnelConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes bytes of the guest. An error means that the guest ignores its window or its own
    /// EOF.
    fn take_in(&self, bytes: &[u8]) -> Result<(), MalformedFrame> {
        let mut state = self.state();
        if state.guest_done {
            return Err(MalformedFrame("data after the end"));
        }
        if state.inward.len() + state.passing + bytes.len() > WINDOW {
            return Err(MalformedFrame("data beyond the window"));
        }
        state.inward.extend_from_slice(bytes);
        self.came.notify_one();
        Ok(())
    }

    /// Takes the guest's EOF: no more bytes will come.
    fn end(&self) {
        self.state().guest_done = true;
        self.came.notify_one();
    }

    /// Takes a CREDIT frame. More credit than [`WINDOW`] in all would be more than was used.
    fn take_credit(&self, payload: &[u8]) -> Result<(), MalformedFrame> {
        let mut reader = PayloadReader::new(payload);
        let more = reader.u32()? as usize;
        reader.finish()?;
        let mut state = self.state();
        if state.credit + more > WINDOW {
            return Err(MalformedFrame("more credit than was used"));
        }
        state.credit += more;
        self.credited.notify_one();
        Ok(())
    }

    /// Connects to the host's address and carries the connection until both directions have
    /// ended. An error makes the caller send RESET.
    async fn carry(&self, id: u32, to: &HostAddress, frames: &FrameSender) -> io::Result<()> {
        match to {
            HostAddress::Tcp(address) => {
                let mut socket = timeout(CONNECTING, TcpStream::connect(address)).await??;
                socket.set_nodelay(true)?;
                let (from, to) = socket.split();
                self.carry_between(id, from, to, frames).await
            }
            HostAddress::Unix(path) => {
                let mut socket = timeout(CONNECTING, connect_unix(path)).await??;
                let (from, to) = socket.split();
                self.carry_between(id, from, to, frames).await
            }
            HostAddress::Service(service) => {
                let (near, far) = duplex(WINDOW);
                let (from, to) = split(near);
                let serving = service.serve(far);
                tokio::join!(serving, self.carry_between(id, from, to, frames)).1
            }
        }
    }

    /// Carries both directions over one connected socket. `from` is read from the host, `to` is
    /// written to the host.
    async fn carry_between(
        &self,
        id: u32,
        from: impl AsyncRead + Unpin,
        to: impl AsyncWrite + Unpin,
        frames: &FrameSender,
    ) -> io::Result<()> {
        let said = Notify::new();
        let outward = async {
            self.outward(id, from, frames).await?;
            said.notify_one();
            Ok(())
        };
        let inward = async {
            let ended = self.inward(id, to, frames).await;
            if ended.is_err() {
                // The host may have answered before it stopped reading, as an HTTP server does
                // that refuses a large body. So its answer is passed on to the end before the
                // connection is reset. Meanwhile the guest's bytes are taken and dropped.
                tokio::select! {
                    () = said.notified() => {}
                    () = self.swallow(id, frames) => said.notified().await,
                }
            }
            ended
        };
        tokio::try_join!(outward, inward).map(|_| ())
    }

    /// Takes and drops what the guest still sends, so that a program that writes first is not
    /// stopped by its window before it reads the answer.
    async fn swallow(&self, id: u32, frames: &FrameSender) {
        while let Some(bytes) = self.next_bytes().await {
            if self.took(id, bytes.len(), frames).await.is_err() {
                return;
            }
        }
    }

    /// Gives `count` bytes of credit back to the guest. An error means that the mux has ended.
    async fn took(&self, id: u32, count: usize, frames: &FrameSender) -> io::Result<()> {
        self.state().passing = 0;
        let mut taken = PayloadWriter::default();
        taken.u32(count as u32);
        frames.send(encode(id, kind::CREDIT, &taken.0)).await.map_err(io::Error::other)
    }

    /// Writes the guest's bytes to the host, and gives credit for bytes when they are written.
    /// After the guest's EOF it shuts the host's direction down.
    async fn inward(
        &self,
        id: u32,
        mut to: impl AsyncWrite + Unpin,
        frames: &FrameSender,
    ) -> io::Result<()> {
        while let Some(bytes) = self.next_bytes().await {
            // Credit is given in any case: after a failed write, `swallow` goes on taking
            // bytes.
            let written = to.write_all(&bytes).await;
            self.took(id, bytes.len(), frames).await?;
            written?;
        }
        to.shutdown().await
    }

    /// Waits for bytes of the guest and takes all there are. None: the guest has sent EOF and
    /// everything has been taken.
    async fn next_bytes(&self) -> Option<Vec<u8>> {
        loop {
            {
                let mut state = self.state();
                let bytes = std::mem::take(&mut state.inward);
                state.passing = bytes.len();
                if !bytes.is_empty() {
                    return Some(bytes);
                }
                if state.guest_done {
                    return None;
                }
            }
            self.came.notified().await;
        }
    }

    /// Reads from the host and sends DATA to the guest, as far as its credit goes, and EOF at
    /// the end.
    async fn outward(
        &self,
        id: u32,
        mut from: impl AsyncRead + Unpin,
        frames: &FrameSender,
    ) -> io::Result<()> {
        let mut buffer = vec![0; TUNNEL_CHUNK];
        loop {
            let most = self.credit().await.min(TUNNEL_CHUNK);
            let count = from.read(&mut buffer[..most]).await?;
            let (kind, said) = if count == 0 { (kind::EOF, 0) } else { (kind::DATA, count) };
            // Only this task takes credit and others only add, so the credit cannot be less
            // than `said`.
            self.state().credit -= said;
            let frame = encode(id, kind, &buffer[..said]);
            frames.send(frame).await.map_err(io::Error::other)?;
            if said == 0 {
                return Ok(());
            }
        }
    }

    /// Waits until there is credit and returns it. It is never zero.
    async fn credit(&self) -> usize {
        loop {
            let credit = self.state().credit;
            if credit > 0 {
                return credit;
            }
            self.credited.notified().await;
        }
    }
}

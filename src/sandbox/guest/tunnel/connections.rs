//! The connections of one tunnel, each a task between the guest and the host's address.
//!
//! ```text
//!          OPEN            connected             both EOFs passed
//!  (none) ──────► connecting ──────► open ──► half closed ──────► over
//!                     └── fails ── RESET ── guest's RESET, error ──┘
//! ```

use crate::sandbox::guest::wire::{
    GuestFrame, MalformedFrame, PayloadReader, PayloadWriter, TUNNEL_CHUNK, TUNNELLED, WINDOW,
    encode, kind,
};
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use synthd_actors::model::HostAddress;
use synthd_actors::supervisor::spawn;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// More than a guest keeps open, since an end is known there first.
const MAX_LINKS: usize = 256;
/// With those that wait to be told that they are too many.
const MAX_REFUSED: usize = 512;
const CONNECTING: Duration = Duration::from_secs(10);

type FrameSender = mpsc::Sender<Vec<u8>>;

pub(super) struct TunnelConnections {
    to: HostAddress,
    frames: FrameSender,
    links: HashMap<u32, (Arc<TunnelConnection>, AbortOnDropHandle<()>)>,
    last: u32,
}

/// What has come for a connection, and what may go.
#[derive(Default)]
struct TunnelConnection {
    state: Mutex<TunnelConnectionState>,
    /// Something has come for the host.
    came: Notify,
    /// The guest takes more.
    credited: Notify,
}

struct TunnelConnectionState {
    inward: Vec<u8>,
    /// Taken from `inward` and not yet credited.
    passing: usize,
    guest_done: bool,
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

    /// A frame of the guest's. One for a connection that has ended meanwhile is late.
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
                // A mux that is gone has nobody to tell.
                frames.send(encode(id, kind::RESET, &[])).await.ok();
            }
        });
        self.links.insert(id, (link, task));
        Ok(())
    }
}

fn refused() -> io::Error {
    io::Error::other("too many connections at once")
}

fn empty(frame: &GuestFrame) -> Result<(), MalformedFrame> {
    if frame.payload.is_empty() {
        Ok(())
    } else {
        Err(MalformedFrame("bytes after the last field"))
    }
}

impl TunnelConnection {
    fn state(&self) -> MutexGuard<'_, TunnelConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

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

    fn end(&self) {
        self.state().guest_done = true;
        self.came.notify_one();
    }

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

    async fn carry(&self, id: u32, to: &HostAddress, frames: &FrameSender) -> io::Result<()> {
        match to {
            HostAddress::Tcp(address) => {
                let mut socket = timeout(CONNECTING, TcpStream::connect(address)).await??;
                socket.set_nodelay(true)?;
                let (from, to) = socket.split();
                self.carry_between(id, from, to, frames).await
            }
            HostAddress::Unix(path) => {
                let mut socket = timeout(CONNECTING, UnixStream::connect(path)).await??;
                let (from, to) = socket.split();
                self.carry_between(id, from, to, frames).await
            }
        }
    }

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
                // It may have answered before it stopped listening: that is still passed on.
                tokio::select! {
                    () = said.notified() => {}
                    () = self.swallow(id, frames) => said.notified().await,
                }
            }
            ended
        };
        tokio::try_join!(outward, inward).map(|_| ())
    }

    /// Takes what nobody wants any more, so that the program is not held up by it.
    async fn swallow(&self, id: u32, frames: &FrameSender) {
        while let Some(bytes) = self.next_bytes().await {
            if self.took(id, bytes.len(), frames).await.is_err() {
                return;
            }
        }
    }

    async fn took(&self, id: u32, count: usize, frames: &FrameSender) -> io::Result<()> {
        self.state().passing = 0;
        let mut taken = PayloadWriter::default();
        taken.u32(count as u32);
        frames.send(encode(id, kind::CREDIT, &taken.0)).await.map_err(io::Error::other)
    }

    /// What the guest sent, to the host; credited when it is taken.
    async fn inward(
        &self,
        id: u32,
        mut to: impl AsyncWrite + Unpin,
        frames: &FrameSender,
    ) -> io::Result<()> {
        while let Some(bytes) = self.next_bytes().await {
            let written = to.write_all(&bytes).await;
            self.took(id, bytes.len(), frames).await?;
            written?;
        }
        to.shutdown().await
    }

    /// None: the guest has said all.
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

    /// What the host says, to the guest, as far as its window goes.
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
            self.state().credit -= said;
            let frame = encode(id, kind, &buffer[..said]);
            frames.send(frame).await.map_err(io::Error::other)?;
            if said == 0 {
                return Ok(());
            }
        }
    }

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

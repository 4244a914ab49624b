//! The guest's end of the stream to the host. It separates requests from frames of the tunnel.
//!
//! The stream is read whenever it has bytes, also in the middle of a command, because the
//! connections through the tunnel go on meanwhile. Requests wait in a queue until they are
//! served, in order.

use crate::sys::{self, PollFd};
use crate::tunnel::GuestTunnel;
use crate::wire::{self, GuestFrame, MAX_FRAME, MalformedFrame, TUNNELLED};
use crate::{invalid, poll_for};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

const READ_CHUNK: usize = 64 << 10;
/// Bytes of requests that may wait. A host that sends more breaks the protocol.
const MAX_WAITING: usize = 2 * MAX_FRAME;

/// The stream, the requests that wait, and the tunnel.
pub struct HostChannel {
    input: File,
    output: File,
    /// Bytes that were read and are not yet a whole frame.
    partial: Vec<u8>,
    /// Requests that have not been served.
    waiting: VecDeque<GuestFrame>,
    /// Bytes of the payloads in `waiting`.
    waiting_bytes: usize,
    tunnel: GuestTunnel,
    buffer: Vec<u8>,
}

impl HostChannel {
    /// A channel with one descriptor for each direction. Both may lead to the same socket.
    pub fn new(input: File, output: File) -> Self {
        Self {
            input,
            output,
            partial: Vec::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            tunnel: GuestTunnel::default(),
            buffer: vec![0; READ_CHUNK],
        }
    }

    /// Takes the request that has waited longest.
    pub fn next_request(&mut self) -> Option<GuestFrame> {
        let frame = self.waiting.pop_front()?;
        self.waiting_bytes -= frame.payload.len();
        Some(frame)
    }

    /// Whether a request waits. A job that the guest attends to yields to it.
    pub fn has_request(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Writes one frame to the host. It blocks until the host has read enough.
    pub fn send(&mut self, id: u32, kind: u8, payload: &[u8]) -> io::Result<()> {
        self.output.write_all(&wire::encode(id, kind, payload))
    }

    /// Opens the tunnel: listens on a port of the sandbox's loopback from now on.
    pub fn listen(&mut self, port: u16) -> io::Result<()> {
        self.tunnel.listen(port)
    }

    /// Resets every connection through the tunnel. The tunnel stays open for new ones.
    pub fn reset_tunnel(&mut self) -> io::Result<()> {
        self.tunnel.reset_all(&mut self.output)
    }

    /// Adds what to wait for: the stream first, then the tunnel. [`HostChannel::attend`]
    /// expects exactly these entries.
    pub fn watch(&self, fds: &mut Vec<PollFd>) {
        fds.push(poll_for(self.input.as_raw_fd(), sys::POLLIN));
        self.tunnel.watch(fds);
    }

    /// Serves what has happened at the stream and the tunnel. If the host has closed the
    /// stream, the guest exits here, and the kernel then ends every process of its namespace.
    pub fn attend(&mut self, fds: &[PollFd]) -> io::Result<()> {
        let [input, tunnel @ ..] = fds else { return Ok(()) };
        self.tunnel.attend(tunnel, &mut self.output)?;
        if input.revents == 0 {
            return Ok(());
        }
        match self.input.read(&mut self.buffer) {
            Ok(0) => std::process::exit(0),
            Ok(count) => {
                self.partial.extend_from_slice(&self.buffer[..count]);
                self.take_frames()
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => std::process::exit(0),
            Err(error) => Err(error),
        }
    }

    /// Takes every whole frame out of what was read and keeps the rest.
    fn take_frames(&mut self) -> io::Result<()> {
        let read = std::mem::take(&mut self.partial);
        let mut rest = read.as_slice();
        while let Some((prefix, after)) = rest.split_first_chunk::<4>() {
            let length = wire::body_length(*prefix).map_err(invalid)?;
            let Some((body, after)) = after.split_at_checked(length) else { break };
            rest = after;
            self.take_frame(wire::decode(body.to_vec()).map_err(invalid)?)?;
        }
        self.partial = if rest.len() == read.len() { read } else { rest.to_vec() };
        Ok(())
    }

    /// Gives a frame to the tunnel or puts it in the queue of requests.
    fn take_frame(&mut self, frame: GuestFrame) -> io::Result<()> {
        if frame.id & TUNNELLED != 0 {
            return self.tunnel.receive(&frame, &mut self.output);
        }
        self.waiting_bytes += frame.payload.len();
        if self.waiting_bytes > MAX_WAITING {
            return Err(invalid(MalformedFrame("more requests than can wait")));
        }
        self.waiting.push_back(frame);
        Ok(())
    }
}

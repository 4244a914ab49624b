//! The way to the host: requests as they come, and the tunnel's frames among them.
//!
//! The stream is read whenever there is something to read, in the middle of a command too,
//! because connections through the tunnel go on meanwhile. Requests wait for their turn.

use crate::sys::{self, PollFd};
use crate::tunnel::GuestTunnel;
use crate::wire::{self, GuestFrame, MAX_FRAME, MalformedFrame, TUNNELLED};
use crate::{invalid, poll_for};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;

const READ_CHUNK: usize = 64 << 10;
/// Bytes of requests that may wait; a host that sends more waits for no answers.
const MAX_WAITING: usize = 2 * MAX_FRAME;

pub struct HostChannel {
    input: File,
    output: File,
    /// What was read and is no whole frame yet.
    partial: Vec<u8>,
    waiting: VecDeque<GuestFrame>,
    waiting_bytes: usize,
    tunnel: GuestTunnel,
    buffer: Vec<u8>,
}

impl HostChannel {
    /// One descriptor for each direction, which may be the same.
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

    pub fn next_request(&mut self) -> Option<GuestFrame> {
        let frame = self.waiting.pop_front()?;
        self.waiting_bytes -= frame.payload.len();
        Some(frame)
    }

    pub fn has_request(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub fn send(&mut self, id: u32, kind: u8, payload: &[u8]) -> io::Result<()> {
        self.output.write_all(&wire::encode(id, kind, payload))
    }

    /// Listens at a port of the sandbox's own loopback from now on.
    pub fn listen(&mut self, port: u16) -> io::Result<()> {
        self.tunnel.listen(port)
    }

    /// Ends every connection through the tunnel; new ones may come.
    pub fn reset_tunnel(&mut self) -> io::Result<()> {
        self.tunnel.reset_all(&mut self.output)
    }

    /// Adds what to wait for; [`HostChannel::attend`] wants exactly these back.
    pub fn watch(&self, fds: &mut Vec<PollFd>) {
        fds.push(poll_for(self.input.as_raw_fd(), sys::POLLIN));
        self.tunnel.watch(fds);
    }

    /// Attends to what has happened. Where the host has gone, ends: with PID 1 the kernel
    /// ends the whole namespace.
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

    /// Every whole frame of what has been read.
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

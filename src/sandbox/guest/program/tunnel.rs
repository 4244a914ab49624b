//! The tunnel: connections to one port of the sandbox's loopback, carried over the stream to
//! the host. See `docs/guest-protocol.md`.
//!
//! ```text
//!            accepted: OPEN                    both EOFs passed
//!  listening ─────────────► open ─► half closed ───────────────► gone
//!                            └──── RESET, or an error ─────────────┘
//! ```
//! Each direction of a connection has a window: what was sent and is not yet taken at the
//! far end never exceeds it. So a program that does not read stops its own connection alone,
//! and the guest holds no more than a window for each.

use crate::poll_for;
use crate::invalid;
use crate::sys::{POLLERR, POLLIN, POLLOUT, PollFd, break_on_close};
use crate::wire::{GuestFrame, MalformedFrame, PayloadReader, TUNNEL_CHUNK, TUNNELLED, WINDOW, PayloadWriter, encode, kind};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

/// Connections at once; more wait to be accepted.
const MAX_LINKS: usize = 128;

#[derive(Default)]
pub struct GuestTunnel {
    listener: Option<TcpListener>,
    links: BTreeMap<u32, TunnelSocket>,
    last: u32,
}

/// One connection.
struct TunnelSocket {
    socket: TcpStream,
    /// What the host sent and the program has not taken.
    inward: VecDeque<u8>,
    /// What the program has taken since the host was last told.
    taken: usize,
    /// What may still be sent to the host.
    credit: usize,
    program_done: bool,
    host_done: bool,
    /// The program has been told that the host is done.
    told: bool,
}

impl TunnelSocket {
    fn new(socket: TcpStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let inward = VecDeque::new();
        let (program_done, host_done, told) = (false, false, false);
        Ok(Self { socket, inward, taken: 0, credit: WINDOW, program_done, host_done, told })
    }

    fn listens(&self) -> bool {
        !self.program_done && self.credit > 0
    }

    fn events(&self) -> i16 {
        let input = if self.listens() { POLLIN } else { 0 };
        let output = if self.inward.is_empty() { 0 } else { POLLOUT };
        input | output
    }

    /// What was cut must not look like what is complete.
    fn break_off(&self) {
        break_on_close(self.socket.as_raw_fd());
    }

    fn is_over(&self) -> bool {
        self.program_done && self.told
    }

    /// Passes on what the program says, once.
    fn from_program(&mut self, id: u32, output: &mut File) -> io::Result<()> {
        let mut buffer = [0; TUNNEL_CHUNK];
        let most = self.credit.min(TUNNEL_CHUNK);
        match self.socket.read(&mut buffer[..most]) {
            Ok(0) => {
                self.program_done = true;
                tell(output, id, kind::EOF, &[])
            }
            Ok(count) => {
                self.credit -= count;
                tell(output, id, kind::DATA, &buffer[..count])
            }
            Err(error) if is_nothing(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Passes on what the host has said, as far as the program takes it.
    fn to_program(&mut self, id: u32, output: &mut File) -> io::Result<()> {
        while !self.inward.is_empty() {
            match self.socket.write(self.inward.as_slices().0) {
                Ok(count) => {
                    self.inward.drain(..count);
                    self.taken += count;
                }
                Err(error) if is_nothing(&error) => break,
                Err(error) => return Err(error),
            }
        }
        if self.taken > 0 && (self.inward.is_empty() || self.taken >= WINDOW / 2) {
            let mut taken = PayloadWriter::default();
            taken.u32(std::mem::take(&mut self.taken) as u32);
            tell(output, id, kind::CREDIT, &taken.0)?;
        }
        if self.host_done && self.inward.is_empty() && !self.told {
            self.told = true;
            // One that has gone needs no telling.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        Ok(())
    }
}

impl GuestTunnel {
    pub fn listen(&mut self, port: u16) -> io::Result<()> {
        if self.listener.is_some() {
            return Err(io::Error::other("the tunnel is open already"));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        self.listener = Some(listener);
        Ok(())
    }

    /// One entry for the listener, if any, then one for each connection; a negative
    /// descriptor is waited for in vain, which keeps a closed one from waking us for ever.
    pub fn watch(&self, fds: &mut Vec<PollFd>) {
        let Some(listener) = &self.listener else { return };
        let open = if self.links.len() < MAX_LINKS { listener.as_raw_fd() } else { -1 };
        fds.push(poll_for(open, POLLIN));
        fds.extend(self.links.values().map(|link| match link.events() {
            0 => poll_for(-1, 0),
            events => poll_for(link.socket.as_raw_fd(), events),
        }));
    }

    /// Wants what [`GuestTunnel::watch`] added, in its order.
    pub fn attend(&mut self, fds: &[PollFd], output: &mut File) -> io::Result<()> {
        let [listener, links @ ..] = fds else { return Ok(()) };
        let ready: Vec<(u32, i16)> = self
            .links
            .keys()
            .zip(links)
            .filter(|(_, fd)| fd.revents != 0)
            .map(|(id, fd)| (*id, fd.revents))
            .collect();
        for (id, revents) in ready {
            self.with(id, output, |link, output| {
                if revents & POLLERR != 0 {
                    return Err(io::Error::other("the program's end has broken"));
                }
                if revents & !POLLOUT != 0 && link.listens() {
                    link.from_program(id, output)?;
                }
                link.to_program(id, output)
            })?;
        }
        if listener.revents != 0 { self.accept(output) } else { Ok(()) }
    }

    fn accept(&mut self, output: &mut File) -> io::Result<()> {
        while let Some(listener) = self.listener.as_ref().filter(|_| self.links.len() < MAX_LINKS) {
            match listener.accept() {
                Ok((socket, _)) => {
                    let Ok(link) = TunnelSocket::new(socket) else { continue };
                    self.last = (self.last + 1) & !TUNNELLED;
                    let id = self.last | TUNNELLED;
                    self.links.insert(id, link);
                    tell(output, id, kind::OPEN, &[])?;
                }
                // Any error: a program that connects again is accepted again.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// A frame of the host's. One for a connection that has gone meanwhile is late.
    pub fn receive(&mut self, frame: &GuestFrame, output: &mut File) -> io::Result<()> {
        let id = frame.id;
        if id & !TUNNELLED > self.last {
            return Err(invalid(MalformedFrame("a connection that never was")));
        }
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        match frame.kind {
            kind::DATA if link.host_done => return Err(invalid(MalformedFrame("data after the end"))),
            kind::DATA => {
                if link.inward.len() + link.taken + frame.payload.len() > WINDOW {
                    return Err(invalid(MalformedFrame("data beyond the window")));
                }
                link.inward.extend(&frame.payload);
            }
            kind::EOF => link.host_done = true,
            kind::CREDIT => link.credit = credited(link.credit, &frame.payload)?,
            kind::RESET => {
                self.links.remove(&id).inspect(TunnelSocket::break_off);
                return Ok(());
            }
            _ => return Err(invalid(MalformedFrame("unknown kind of frame"))),
        }
        self.with(id, output, |link, output| link.to_program(id, output))
    }

    pub fn reset_all(&mut self, output: &mut File) -> io::Result<()> {
        for (id, link) in std::mem::take(&mut self.links) {
            link.break_off();
            tell(output, id, kind::RESET, &[])?;
        }
        Ok(())
    }

    /// Does something with a connection; one that fails is reset, one that is over is
    /// forgotten. What fails towards the host is the guest's own end.
    fn with(
        &mut self,
        id: u32,
        output: &mut File,
        act: impl FnOnce(&mut TunnelSocket, &mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(link) = self.links.get_mut(&id) else { return Ok(()) };
        match act(link, output) {
            Ok(()) if link.is_over() => drop(self.links.remove(&id)),
            Ok(()) => {}
            Err(_) => {
                self.links.remove(&id).inspect(TunnelSocket::break_off);
                return tell(output, id, kind::RESET, &[]);
            }
        }
        Ok(())
    }
}

fn credited(before: usize, payload: &[u8]) -> io::Result<usize> {
    let mut reader = PayloadReader::new(payload);
    let more = reader.u32().and_then(|more| reader.finish().map(|()| more)).map_err(invalid)?;
    let credit = before + more as usize;
    if credit > WINDOW {
        return Err(invalid(MalformedFrame("more credit than was used")));
    }
    Ok(credit)
}

fn tell(output: &mut File, id: u32, kind: u8, payload: &[u8]) -> io::Result<()> {
    output.write_all(&encode(id, kind, payload))
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

//! The guest's end of the tunnel: it accepts connections to one port of the sandbox's loopback
//! and carries them over the stream to the host. `docs/guest-protocol.md` describes the frames.
//!
//! ```text
//!            accepted: OPEN                    both EOFs passed
//!  listening ─────────────► open ─► half closed ───────────────► gone
//!                            └──── RESET, or an error ─────────────┘
//! ```
//! Each direction of a connection has a window: the bytes that were sent and that the far end
//! has not passed on never exceed it. So a program that does not read stops its own connection
//! and no other one, and the guest holds no more than one window for each connection.
//!
//! The sockets never block. `HostChannel` calls [`GuestTunnel::watch`] before and
//! [`GuestTunnel::attend`] after each wait, and [`GuestTunnel::receive`] for each frame of the
//! host.

use crate::poll_for;
use crate::invalid;
use crate::sys::{POLLERR, POLLIN, POLLOUT, PollFd, break_on_close};
use crate::wire::{GuestFrame, MalformedFrame, PayloadReader, TUNNEL_CHUNK, TUNNELLED, WINDOW, PayloadWriter, encode, kind};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

/// Connections at once. Further ones wait in the listener's queue until one has ended.
const MAX_LINKS: usize = 128;

/// The listening socket and all open connections.
#[derive(Default)]
pub struct GuestTunnel {
    /// None until the host has asked for the tunnel.
    listener: Option<TcpListener>,
    /// The open connections by the id of their frames. The map is ordered, because `attend`
    /// relies on the order of `watch`.
    links: BTreeMap<u32, TunnelSocket>,
    /// The number of the connection that was opened last, without the bit `TUNNELLED`.
    last: u32,
}

/// One connection of a program.
struct TunnelSocket {
    socket: TcpStream,
    /// Bytes of the host that are not yet written to the socket.
    inward: VecDeque<u8>,
    /// Bytes that were written to the socket and that the host has no credit for yet. `inward` and
    /// `taken` together never exceed [`WINDOW`].
    taken: usize,
    /// Bytes that may still be sent to the host.
    credit: usize,
    /// The program has closed its direction, and EOF was sent to the host.
    program_done: bool,
    /// The host has sent EOF.
    host_done: bool,
    /// The socket was shut down for writing, so the program sees the host's EOF.
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

    /// Whether bytes of the program may be read now. Without credit they stay in the socket,
    /// and the program waits.
    fn listens(&self) -> bool {
        !self.program_done && self.credit > 0
    }

    /// The events to wait for. Zero: nothing can be done for this connection at the moment.
    fn events(&self) -> i16 {
        let input = if self.listens() { POLLIN } else { 0 };
        let output = if self.inward.is_empty() { 0 } else { POLLOUT };
        input | output
    }

    /// Makes the close of the socket a reset. A connection that was cut must not look complete
    /// to the program.
    fn break_off(&self) {
        break_on_close(self.socket.as_raw_fd());
    }

    /// Both directions have ended regularly.
    fn is_over(&self) -> bool {
        self.program_done && self.told
    }

    /// Reads once from the program and sends DATA, or EOF at the end.
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

    /// Writes the host's bytes to the program as far as it takes them, gives credit back, and
    /// passes EOF on when everything is written.
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
        // Credit is collected, so that not every small write costs a frame. It is given back
        // when nothing is left to write, or when half a window has been taken, which is before
        // the host has to stop.
        if self.taken > 0 && (self.inward.is_empty() || self.taken >= WINDOW / 2) {
            let mut taken = PayloadWriter::default();
            taken.u32(std::mem::take(&mut self.taken) as u32);
            tell(output, id, kind::CREDIT, &taken.0)?;
        }
        if self.host_done && self.inward.is_empty() && !self.told {
            self.told = true;
            // This fails if the program has closed the connection, and then it needs no EOF.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        Ok(())
    }
}

impl GuestTunnel {
    /// Listens on a port of the loopback from now on. It fails if the port is taken or the
    /// tunnel is open already.
    pub fn listen(&mut self, port: u16) -> io::Result<()> {
        if self.listener.is_some() {
            return Err(io::Error::other("the tunnel is open already"));
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        self.listener = Some(listener);
        Ok(())
    }

    /// Adds what to wait for: one entry for the listener, if there is one, and one for each
    /// connection. An entry with a negative descriptor is ignored by the kernel. It stands for
    /// a connection with nothing to do: with its real descriptor, a closed connection would
    /// wake the guest without end.
    pub fn watch(&self, fds: &mut Vec<PollFd>) {
        let Some(listener) = &self.listener else { return };
        let open = if self.links.len() < MAX_LINKS { listener.as_raw_fd() } else { -1 };
        fds.push(poll_for(open, POLLIN));
        fds.extend(self.links.values().map(|link| match link.events() {
            0 => poll_for(-1, 0),
            events => poll_for(link.socket.as_raw_fd(), events),
        }));
    }

    /// Serves what has happened. `fds` are the entries that [`GuestTunnel::watch`] added, in
    /// the same order; no connection may have come or gone since.
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
        // Accepted last, because a new connection changes the order of the entries.
        if listener.revents != 0 { self.accept(output) } else { Ok(()) }
    }

    /// Accepts all connections that wait, up to [`MAX_LINKS`], and sends OPEN for each.
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
                // `WouldBlock`, or a connection that has failed; a program that connects again
                // is accepted again.
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Takes a frame of the host for a connection. A frame for a connection that has ended
    /// meanwhile is late and ignored. An error means that the host broke the protocol, and ends
    /// the guest.
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

    /// Resets every connection towards the program and the host, also those that wait to be
    /// accepted: the host must not see a connection of a program that is dead. The listener stays
    /// open.
    pub fn reset_all(&mut self, output: &mut File) -> io::Result<()> {
        while let Some(Ok((socket, _))) = self.listener.as_ref().map(TcpListener::accept) {
            break_on_close(socket.as_raw_fd());
        }
        for (id, link) in std::mem::take(&mut self.links) {
            link.break_off();
            tell(output, id, kind::RESET, &[])?;
        }
        Ok(())
    }

    /// Acts on a connection and cleans up afterwards. A connection whose action failed is
    /// reset, and one that is over is removed. If the failure was the stream to the host,
    /// sending RESET fails too, and that error ends the guest.
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

/// The credit after a CREDIT frame. More than a window in all is a breach of the protocol.
fn credited(before: usize, payload: &[u8]) -> io::Result<usize> {
    let mut reader = PayloadReader::new(payload);
    let more = reader.u32().and_then(|more| reader.finish().map(|()| more)).map_err(invalid)?;
    let credit = before + more as usize;
    if credit > WINDOW {
        return Err(invalid(MalformedFrame("more credit than was used")));
    }
    Ok(credit)
}

/// Writes one frame to the host. It may block until the host reads.
fn tell(output: &mut File, id: u32, kind: u8, payload: &[u8]) -> io::Result<()> {
    output.write_all(&encode(id, kind, payload))
}

/// Whether an error only says that there is nothing to read or write at the moment.
fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

//! The guest: PID 1 of a sandbox. It serves one request at a time from its stream, carries
//! connections through the tunnel meanwhile, reaps whatever dies, and dies with the stream,
//! which takes the whole sandbox with it.
//!
//! ```text
//!            frame                      child exits, deadline, output limit
//!   idle ───────────► serving ───────────────────────────────────────────► reply ──► idle
//!    │ stream closed     │ stream closed
//!    └───────────────────┴──► exit (the kernel kills every process of the namespace)
//! ```
//!
//! Built by `build.rs` with nothing but the standard library and embedded in the engine.

mod capture;
mod files;
mod freeze;
mod host_channel;
mod command_job;
mod launch;
mod oom_kills;
mod pack;
mod command_runner;
mod scan;
mod sha256;
mod stateless_commands;
mod spawn;
mod shell_session;
mod sys;
mod process_tree;
mod tunnel;
mod wire;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;
use sys::PollFd;
use wire::{GuestFrame, MalformedFrame, PayloadReader, PayloadWriter, kind};

/// The launcher leaves the stream here.
const STREAM_FD: i32 = 3;
/// The argument of a guest whose stream is its standard input and output.
const STDIO: &str = "stdio";

fn main() {
    if let Err(error) = serve() {
        // Nobody reads this in production. It helps a person who runs the guest by hand.
        let _ = writeln!(io::stderr(), "guest: {error}");
        std::process::exit(1);
    }
}

fn serve() -> io::Result<()> {
    let spawner = spawn::CommandSpawner::new();
    sys::become_init()?;
    let (input, output) = match std::env::args().nth(1).as_deref() {
        Some(STDIO) => stdio()?,
        _ => both_ways(sys::take_stream(STREAM_FD)?)?,
    };
    let shell = command_runner::CommandRunner::new(spawner)?;
    let host = host_channel::HostChannel::new(input, output);
    let mut guest = GuestServer { host, shell, layer: files::TreeWriter::default(), frozen: None };
    loop {
        let frame = guest.shell.idle(&mut guest.host)?;
        guest.answer(frame)?;
    }
}

fn both_ways(stream: File) -> io::Result<(File, File)> {
    Ok((stream.try_clone()?, stream))
}

/// In a container. What ends everything would elsewhere end everything of the user.
fn stdio() -> io::Result<(File, File)> {
    if std::process::id() != 1 {
        return Err(io::Error::other("the guest must be the first process of its container"));
    }
    sys::take_stdio()
}

struct GuestServer {
    host: host_channel::HostChannel,
    shell: command_runner::CommandRunner,
    layer: files::TreeWriter,
    frozen: Option<freeze::FrozenProcesses>,
}

impl GuestServer {
    fn answer(&mut self, frame: GuestFrame) -> io::Result<()> {
        let id = frame.id;
        match self.perform(&frame) {
            Ok(reply) => self.host.send(id, reply.0, &reply.1),
            // A command left half attended is no state to go on from.
            Err(error) if is_protocol(&error) || attends(frame.kind) => Err(error),
            Err(error) => {
                let mut failed = PayloadWriter::default();
                failed.bytes(error.to_string().as_bytes());
                self.host.send(id, kind::FAILED, &failed.0)
            }
        }
    }

    fn perform(&mut self, frame: &GuestFrame) -> io::Result<(u8, Vec<u8>)> {
        if frame.kind != kind::LAY {
            // Nothing more of a file will come, and one open for writing cannot be executed.
            self.layer.finish();
        }
        let mut reader = PayloadReader::new(&frame.payload);
        match frame.kind {
            kind::PING => {
                finish(reader)?;
                let mut pong = PayloadWriter::default();
                pong.u32(wire::PROTOCOL).u8(shells());
                Ok((kind::PONG, pong.0))
            }
            kind::EXEC => {
                let request = launch::CommandRequest::read(&mut reader).map_err(invalid)?;
                finish(reader)?;
                let reply = self.shell.run(request, &mut self.host)?;
                Ok((kind::EXITED, reply))
            }
            kind::START => {
                let request = launch::CommandRequest::read(&mut reader).map_err(invalid)?;
                finish(reader)?;
                self.shell.start_job(request)?;
                Ok(done(0))
            }
            kind::AWAIT => {
                let scan = reader.u8().map_err(invalid)? != 0;
                finish(reader)?;
                match self.shell.await_job(&mut self.host)? {
                    Some(reply) => Ok((kind::EXITED, reply)),
                    None => Ok((kind::RUNNING, self.look(scan))),
                }
            }
            kind::STOP => {
                finish(reader)?;
                Ok((kind::EXITED, self.shell.stop_job(&mut self.host)?))
            }
            kind::LAY => self.layer.lay(&mut reader).map(done),
            kind::CLEAR => {
                let tree = reader.u8().map_err(invalid)?;
                finish(reader)?;
                // What an earlier check started must not meddle with the next one's files.
                self.end_everything()?;
                files::clear(tree)?;
                Ok(done(0))
            }
            kind::PACK => {
                let limits = pack::CopyLimits::read(&mut reader).map_err(invalid)?;
                finish(reader)?;
                if limits.quiesce {
                    self.end_everything()?;
                }
                // What is measured must still be so when it is sent.
                let still = if self.frozen.is_none() { freeze::freeze()? } else { None };
                let skipped = self.pack(frame.id, &limits);
                let stood = match (still, &self.frozen) {
                    (Some(still), _) => still.thaw(),
                    (None, Some(frozen)) => frozen.check(),
                    (None, None) => Ok(()),
                };
                let skipped = skipped?;
                stood.map(|()| done(skipped))
            }
            kind::FREEZE => {
                finish(reader)?;
                if self.frozen.is_none() {
                    self.frozen = freeze::freeze()?;
                }
                Ok(done(0))
            }
            kind::THAW => {
                finish(reader)?;
                self.frozen.take().map_or(Ok(()), freeze::FrozenProcesses::thaw)?;
                Ok(done(0))
            }
            kind::TUNNEL => {
                let port = reader.u32().map_err(invalid)?;
                finish(reader)?;
                let port = u16::try_from(port).map_err(|_| invalid(MalformedFrame("no such port")))?;
                self.host.listen(port)?;
                Ok(done(0))
            }
            kind::ENVIRONMENT => {
                while !reader.at_end() {
                    let name = reader.bytes().map_err(invalid)?;
                    let value = reader.bytes().map_err(invalid)?;
                    self.shell.add_variable(name, value)?;
                }
                Ok(done(0))
            }
            _ => Err(invalid(MalformedFrame("unknown kind of frame"))),
        }
    }

    /// Says how much will come, and sends it; how many entries were left behind.
    fn pack(&mut self, id: u32, limits: &pack::CopyLimits) -> io::Result<u32> {
        let size = pack::measure(limits)?;
        let mut said = PayloadWriter::default();
        said.u64(size.bytes).u64(size.entries);
        self.host.send(id, kind::SIZE, &said.0)?;
        pack::pack(limits, size, |payload| self.host.send(id, kind::ENTRIES, payload))
    }

    /// The workspace as it is now, where that is wanted.
    fn look(&mut self, scan: bool) -> Vec<u8> {
        let mut reply = PayloadWriter::default();
        reply.u8(u8::from(scan));
        if scan {
            self.shell.scan(&mut reply);
        }
        reply.0
    }

    /// Every process, and what they had of the tunnel.
    fn end_everything(&mut self) -> io::Result<()> {
        self.shell.kill_everything()?;
        self.frozen = None;
        self.host.reset_tunnel()
    }
}

/// Whether a command is attended to meanwhile.
fn attends(kind: u8) -> bool {
    matches!(kind, kind::EXEC | kind::AWAIT | kind::STOP)
}

/// Which shells there are to run commands.
fn shells() -> u8 {
    let there = |path: &str, bit: u8| if std::path::Path::new(path).exists() { bit } else { 0 };
    there("/bin/sh", wire::shell::SH) | there("/bin/bash", wire::shell::BASH)
}

fn finish(reader: PayloadReader<'_>) -> io::Result<()> {
    reader.finish().map_err(invalid)
}

fn done(value: u32) -> (u8, Vec<u8>) {
    let mut writer = PayloadWriter::default();
    writer.u32(value);
    (kind::DONE, writer.0)
}

/// A host that breaks the protocol is no host of ours: the guest ends.
pub(crate) fn invalid(error: MalformedFrame) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.0)
}

/// What to wait for at a descriptor.
pub(crate) fn poll_for(fd: RawFd, events: i16) -> PollFd {
    PollFd { fd, events, revents: 0 }
}

fn is_protocol(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

//! The guest: PID 1 of a sandbox. It serves one request at a time from its stream, reaps
//! whatever dies, and dies with the stream, which takes the whole sandbox with it.
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
mod launch;
mod memory;
mod pack;
mod run;
mod scan;
mod simple;
mod spawn;
mod state;
mod stream;
mod sys;
mod tree;
mod wire;

use std::io::{self, Read, Write};
use wire::{Frame, Malformed, Reader, Writer, kind};

/// The launcher leaves the stream here.
const STREAM_FD: i32 = 3;
/// The argument of a guest whose stream is its standard input and output.
const STDIO: &str = "stdio";

fn main() {
    if let Err(error) = serve() {
        // Nobody reads this in production; it helps whoever runs the guest by hand.
        let _ = writeln!(io::stderr(), "guest: {error}");
        std::process::exit(1);
    }
}

fn serve() -> io::Result<()> {
    let spawner = spawn::Spawner::new();
    sys::become_init()?;
    let stream = match std::env::args().nth(1).as_deref() {
        Some(STDIO) => stdio()?,
        _ => stream::Stream::both_ways(sys::take_stream(STREAM_FD)?)?,
    };
    let shell = run::Shell::new(spawner)?;
    let mut guest = Guest { stream, shell, layer: files::Layer::default() };
    while let Some(frame) = guest.next_frame()? {
        guest.answer(frame)?;
    }
    Ok(())
}

/// In a container. What ends everything would elsewhere end everything of the user.
fn stdio() -> io::Result<stream::Stream> {
    if std::process::id() != 1 {
        return Err(io::Error::other("it must be the first process of its container"));
    }
    let (input, output) = sys::take_stdio()?;
    Ok(stream::Stream { input, output })
}

struct Guest {
    stream: stream::Stream,
    shell: run::Shell,
    layer: files::Layer,
}

impl Guest {
    /// The next request; none when the stream has closed.
    fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        if !self.shell.idle_until_readable(&self.stream.input)? {
            return Ok(None);
        }
        let mut prefix = [0; 4];
        if let Err(error) = self.stream.input.read_exact(&mut prefix) {
            return match error.kind() {
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Ok(None),
                _ => Err(error),
            };
        }
        let mut body = vec![0; wire::body_length(prefix).map_err(invalid)?];
        self.stream.input.read_exact(&mut body)?;
        wire::decode(body).map(Some).map_err(invalid)
    }

    fn answer(&mut self, frame: Frame) -> io::Result<()> {
        let id = frame.id;
        match self.perform(&frame) {
            Ok(reply) => self.reply(id, reply.0, &reply.1),
            // A command left half attended is no state to go on from.
            Err(error) if is_protocol(&error) || frame.kind == kind::EXEC => Err(error),
            Err(error) => {
                let mut failed = Writer::default();
                failed.bytes(error.to_string().as_bytes());
                self.reply(id, kind::FAILED, &failed.0)
            }
        }
    }

    fn perform(&mut self, frame: &Frame) -> io::Result<(u8, Vec<u8>)> {
        if frame.kind != kind::LAY {
            // Nothing more of a file will come, and one open for writing cannot be executed.
            self.layer.finish();
        }
        let mut reader = Reader::new(&frame.payload);
        match frame.kind {
            kind::PING => {
                finish(reader)?;
                let mut pong = Writer::default();
                pong.u32(wire::PROTOCOL).u8(shells());
                Ok((kind::PONG, pong.0))
            }
            kind::EXEC => {
                let request = launch::Request::read(&mut reader).map_err(invalid)?;
                finish(reader)?;
                let reply = self.shell.run(&request, &self.stream.input)?;
                Ok((kind::EXITED, reply))
            }
            kind::LAY => self.layer.lay(&mut reader).map(done),
            kind::CLEAR => {
                let tree = reader.u8().map_err(invalid)?;
                finish(reader)?;
                // What an earlier check started must not meddle with the next one's files.
                self.shell.kill_everything()?;
                files::clear(tree)?;
                Ok(done(0))
            }
            kind::PACK => {
                let limits = pack::Limits::read(&mut reader).map_err(invalid)?;
                finish(reader)?;
                if limits.quiesce {
                    self.shell.kill_everything()?;
                }
                let stream = &mut self.stream.output;
                let skipped = pack::pack(&limits, |payload| {
                    stream.write_all(&wire::encode(frame.id, kind::ENTRIES, payload))
                })?;
                Ok(done(skipped))
            }
            _ => Err(invalid(Malformed("unknown kind of frame"))),
        }
    }

    fn reply(&mut self, id: u32, kind: u8, payload: &[u8]) -> io::Result<()> {
        self.stream.output.write_all(&wire::encode(id, kind, payload))
    }
}

/// Which shells there are to run commands.
fn shells() -> u8 {
    let there = |path: &str, bit: u8| if std::path::Path::new(path).exists() { bit } else { 0 };
    there("/bin/sh", wire::shell::SH) | there("/bin/bash", wire::shell::BASH)
}

fn finish(reader: Reader<'_>) -> io::Result<()> {
    reader.finish().map_err(invalid)
}

fn done(value: u32) -> (u8, Vec<u8>) {
    let mut writer = Writer::default();
    writer.u32(value);
    (kind::DONE, writer.0)
}

/// A host that breaks the protocol is no host of ours: the guest ends.
pub(crate) fn invalid(error: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.0)
}

fn is_protocol(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

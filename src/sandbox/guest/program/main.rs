//! The guest: the program that is PID 1 in a sandbox.
//!
//! It reads requests from the host's stream and answers one at a time: run a command, read and
//! write files, copy the workspace. Meanwhile it carries connections through the tunnel, reaps
//! dead processes and keeps the services of the task running. When the stream closes, it exits,
//! and the kernel then kills every process of the sandbox.
//!
//! ```text
//!            frame                      child exits, deadline, output limit
//!   idle ───────────► serving ───────────────────────────────────────────► reply ──► idle
//!    │ stream closed     │ stream closed
//!    └───────────────────┴──► exit (the kernel kills every process of the namespace)
//! ```
//!
//! The guest has one thread. It waits for events at one place
//! (`CommandRunner::wait_for_news`). Two kinds of errors exist. A request that cannot be
//! carried out is answered with FAILED, and the guest goes on. A host that breaks the protocol,
//! or a command that the guest can no longer attend to, ends the guest.
//!
//! In a judge's sandbox the same program is also `/sealed/lib/judged`, see `judged_client.rs`.
//!
//! `build.rs` compiles it with nothing but the standard library and embeds it in the engine.

mod agent_terminal;
mod capture;
mod content_hash;
mod file_stamp;
mod files;
mod freeze;
mod host_channel;
mod inotify;
mod judged_client;
mod command_job;
mod launch;
mod list_directory;
mod oom_kills;
mod operation_refusal;
mod operations;
mod pack;
mod path_change;
mod path_resolver;
mod command_runner;
mod read_file;
mod room;
mod scan;
mod service_keeper;
mod service_log;
mod sha256;
mod stateless_commands;
mod spawn;
mod shell_session;
mod sys;
mod process_tree;
mod terminal_input;
mod terminal_pair;
mod terminal_set;
mod tunnel;
mod wire;
mod workspace_watcher;
mod write_file;
mod written_paths;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::RawFd;
use sys::PollFd;
use wire::{GuestFrame, MalformedFrame, PayloadReader, PayloadWriter, kind};

/// The descriptor at which the launcher leaves the stream.
const STREAM_FD: i32 = 3;
/// The argument that says that the stream is standard input and output, as in a container.
const STDIO: &str = "stdio";

fn main() {
    if let Some(code) = judged_client::run_if_named() {
        std::process::exit(code);
    }
    if let Err(error) = serve() {
        // In production nobody reads this. It helps a person who runs the guest by hand.
        let _ = writeln!(io::stderr(), "guest: {error}");
        std::process::exit(1);
    }
}

/// Sets the process up as PID 1 and serves requests until the stream ends. It returns only with
/// an error. A closed stream exits the process elsewhere, in `HostChannel::attend`.
fn serve() -> io::Result<()> {
    // Before `become_init`, after which the guest can no longer open files about itself.
    let spawner = spawn::CommandSpawner::new();
    let program = files::own_program();
    sys::become_init()?;
    let (input, output) = match std::env::args().nth(1).as_deref() {
        Some(STDIO) => stdio()?,
        _ => both_ways(sys::take_stream(STREAM_FD)?)?,
    };
    let shell = command_runner::CommandRunner::new(spawner)?;
    let host = host_channel::HostChannel::new(input, output);
    let (layer, upload) = (files::TreeWriter::new(program), write_file::FileUpload::default());
    let mut guest = GuestServer { host, shell, layer, upload, frozen: None };
    loop {
        let frame = guest.shell.idle(&mut guest.host)?;
        guest.answer(frame)?;
    }
}

/// One socket as two files, for reading and for writing.
fn both_ways(stream: File) -> io::Result<(File, File)> {
    Ok((stream.try_clone()?, stream))
}

/// Takes standard input and output as the stream. The guest refuses to start here unless it is
/// PID 1: it kills all processes that it can reach, and outside of a container these would be
/// all processes of the user.
fn stdio() -> io::Result<(File, File)> {
    if std::process::id() != 1 {
        return Err(io::Error::other("the guest must be the first process of its container"));
    }
    sys::take_stdio()
}

/// The guest with everything that lives longer than one request.
struct GuestServer {
    /// The stream to the host, with the tunnel.
    host: host_channel::HostChannel,
    /// Runs commands and keeps the shell session.
    shell: command_runner::CommandRunner,
    /// Writes files. It may keep one file open between LAY requests.
    layer: files::TreeWriter,
    /// The parts of a file that WRITE has brought so far.
    upload: write_file::FileUpload,
    /// The processes that a FREEZE has stopped. None: nothing is frozen.
    frozen: Option<freeze::FrozenProcesses>,
}

impl GuestServer {
    /// Carries a request out and sends the last frame of its answer. An error ends the guest.
    fn answer(&mut self, frame: GuestFrame) -> io::Result<()> {
        let id = frame.id;
        match self.perform(&frame) {
            Ok(reply) => self.host.send(id, reply.0, &reply.1),
            // A failure in the middle of EXEC, AWAIT, STOP, KEYS or SERVICE leaves programs in an
            // unknown state, so the guest cannot go on.
            Err(error) if is_protocol(&error) || attends(frame.kind) => Err(error),
            Err(error) => {
                let mut failed = PayloadWriter::default();
                failed.bytes(error.to_string().as_bytes());
                self.host.send(id, kind::FAILED, &failed.0)
            }
        }
    }

    /// Carries a request out. Returns the kind and the payload of the last frame of its answer.
    fn perform(&mut self, frame: &GuestFrame) -> io::Result<(u8, Vec<u8>)> {
        if frame.kind != kind::LAY {
            // Only LAY can add to the open file. It is closed now, because a file that is open
            // for writing cannot be executed.
            self.layer.finish();
        }
        if frame.kind != kind::WRITE {
            // A file whose last part has not come is not written.
            self.upload = write_file::FileUpload::default();
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
                // Processes that an earlier check started must not change the files of the next
                // one.
                self.end_everything()?;
                self.shell.terminals.clear();
                files::clear(tree)?;
                Ok(done(0))
            }
            kind::PACK => {
                let limits = pack::CopyLimits::read(&mut reader).map_err(invalid)?;
                finish(reader)?;
                if limits.quiesce {
                    self.end_everything()?;
                }
                // The workspace is walked twice, to measure and to send. So the processes stand
                // still meanwhile, unless a FREEZE has stopped them already.
                let still = if self.frozen.is_none() { freeze::freeze()? } else { None };
                let skipped = self.pack(frame.id, &limits);
                // The processes run on before any error is returned, also if the copy has
                // failed.
                let stood = match (still, &self.frozen) {
                    (Some(still), _) => still.thaw(),
                    (None, Some(frozen)) => frozen.check(),
                    (None, None) => Ok(()),
                };
                let skipped = skipped?;
                stood.map(|()| (kind::DONE, skipped.payload()))
            }
            kind::FREEZE => {
                finish(reader)?;
                if self.frozen.is_none() {
                    self.frozen = freeze::freeze()?;
                }
                self.shell.services.freeze();
                Ok(done(0))
            }
            kind::THAW => {
                finish(reader)?;
                self.shell.services.thaw();
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
            kind::READ => self.read_file(frame.id, reader),
            kind::WRITE => self.write_file(reader),
            kind::LIST => self.list_directory(reader),
            kind::KEYS => self.send_keys(reader),
            kind::ROOM => {
                let room = room::RoomRequest::read(&mut reader).map_err(invalid)?;
                Ok(room.check().map_or_else(|refused| refused.answer(), |()| done(0)))
            }
            kind::SERVICE => {
                let request = service_keeper::ServiceRequest::read(&mut reader).map_err(invalid)?;
                finish(reader)?;
                Ok((kind::SERVING, self.shell.serve(request, &mut self.host)?))
            }
            _ => Err(invalid(MalformedFrame("unknown kind of frame"))),
        }
    }

    /// Sends the size of the copy and then its entries. Returns what was left out.
    fn pack(&mut self, id: u32, limits: &pack::CopyLimits) -> io::Result<pack::SkippedEntries> {
        let size = pack::measure(limits)?;
        let mut said = PayloadWriter::default();
        said.u64(size.bytes).u64(size.entries);
        self.host.send(id, kind::SIZE, &said.0)?;
        pack::pack(limits, size, |payload| self.host.send(id, kind::ENTRIES, payload))
    }

    /// The fields of RUNNING: whether there is a scan, and the scan of the workspace as it is
    /// now.
    fn look(&mut self, scan: bool) -> Vec<u8> {
        let mut reply = PayloadWriter::default();
        reply.u8(u8::from(scan));
        if scan {
            self.shell.scan(&mut reply);
        }
        reply.0
    }

    /// Kills every process and resets the connections that they had through the tunnel. No service
    /// is started again.
    fn end_everything(&mut self) -> io::Result<()> {
        self.shell.services.clear();
        self.shell.kill_everything()?;
        self.frozen = None;
        self.host.reset_tunnel()
    }
}

/// Whether the guest attends to running programs during this kind of request.
fn attends(kind: u8) -> bool {
    matches!(kind, kind::EXEC | kind::AWAIT | kind::STOP | kind::KEYS | kind::SERVICE)
}

/// The shells that exist in the sandbox, as bits for PONG.
fn shells() -> u8 {
    let there = |path: &str, bit: u8| if std::path::Path::new(path).exists() { bit } else { 0 };
    there("/bin/sh", wire::shell::SH) | there("/bin/bash", wire::shell::BASH)
}

/// Checks that the payload has no bytes after its last field.
fn finish(reader: PayloadReader<'_>) -> io::Result<()> {
    reader.finish().map_err(invalid)
}

/// A DONE answer with one number, for example a count of entries.
fn done(value: u32) -> (u8, Vec<u8>) {
    let mut writer = PayloadWriter::default();
    writer.u32(value);
    (kind::DONE, writer.0)
}

/// The error for a host that breaks the protocol. Its kind, `InvalidData`, makes the guest end
/// itself instead of answering FAILED.
pub(crate) fn invalid(error: MalformedFrame) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.0)
}

/// An entry for `poll`: the descriptor and the events to wait for. A negative descriptor is
/// ignored.
pub(crate) fn poll_for(fd: RawFd, events: i16) -> PollFd {
    PollFd { fd, events, revents: 0 }
}

/// Whether an error was made by [`invalid`].
fn is_protocol(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

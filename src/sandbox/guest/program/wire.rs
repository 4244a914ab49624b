//! The wire format of the guest protocol, compiled into both ends: the engine and the guest.
//! `docs/guest-protocol.md` describes the protocol.
//!
//! A frame is `u32 length, u32 id, u8 kind, payload`. All integers are little-endian, and the
//! length counts everything after itself. A PING with the id 1 is these bytes:
//!
//! ```text
//! 05 00 00 00   01 00 00 00   01
//! length 5      id 1          kind PING, no payload
//! ```
//! Each end treats what it reads as hostile: it checks lengths before it allocates memory, and
//! it reads every field through [`PayloadReader`].

/// The version of the protocol, sent in PONG. It changes with every change in the meaning of
/// the frames.
pub const PROTOCOL: u32 = 11;
/// The most bytes that a frame may have after its length field.
pub const MAX_FRAME: usize = 8 << 20;
/// The most bytes of file content in one entry. A longer file takes several entries.
pub const CHUNK: usize = 1 << 20;
/// Bytes of the shortest hole. A shorter run of zeros that takes no space on the disk is sent as
/// data.
#[allow(dead_code, reason = "only the guest looks for holes")]
pub const LEAST_HOLE: u64 = 64 << 10;
/// Bytes of the largest room that ROOM asks for.
pub const MAX_ROOM: u32 = 1 << 20;
/// Bytes that all paths in the list of a scan may have together. The list of changes has the
/// same limit.
pub const LISTED: usize = 32 << 10;
/// Bytes of the largest file that READ and WRITE carry.
pub const MAX_FILE: u64 = 16 << 20;
/// Bytes of the longest path of READ, WRITE and LIST. The kernel takes no longer one.
pub const MAX_PATH: usize = 4_095;
/// The most entries of one LISTED.
pub const LISTED_ENTRIES: u32 = 16_384;
/// Bytes that all paths of one LISTED may have together.
pub const LISTED_PATHS: usize = 4 << 20;
/// Entries that a copy leaves out and names. All are counted.
pub const SKIPPED_NAMED: usize = 32;
/// Bytes of the path of such an entry. A longer one is cut.
pub const SKIPPED_PATH: usize = 256;
/// Services at once.
pub const MAX_SERVICES: usize = 8;
/// Bytes of a service's log that are told, from its end. Why it is not healthy has fewer.
pub const LOG_TOLD: usize = 4 << 10;
/// Bytes of the longest name of a terminal or of a service.
pub const MAX_NAME: usize = 64;
/// Bytes that may be typed in one KEYS.
pub const MAX_KEYS: usize = 64 << 10;
/// Bytes of output of a terminal that are kept until they are told.
pub const SHOWN_KEPT: usize = 256 << 10;
/// Bytes of a frame's id and kind.
const HEADER: usize = 5;
/// The bit of an id that marks the frames of connections through the tunnel. The ids of
/// requests never have it.
pub const TUNNELLED: u32 = 1 << 31;
/// The most bytes of one connection that may be in flight in each direction: sent, and not yet
/// credited.
pub const WINDOW: usize = 64 << 10;
/// The most bytes of data in one frame of a connection.
pub const TUNNEL_CHUNK: usize = 16 << 10;

/// The kinds of frames: what a frame asks for or answers. Requests are below 128, answers and
/// the frames of connections above.
pub mod kind {
    /// Is the guest there, and of which version? Answer: PONG.
    pub const PING: u8 = 1;
    /// Run a command to its end. Answer: EXITED.
    pub const EXEC: u8 = 2;
    /// Write entries into a tree. Answer: DONE with their number.
    pub const LAY: u8 = 3;
    /// Copy the workspace out. Answer: SIZE, any number of ENTRIES, DONE.
    pub const PACK: u8 = 4;
    /// Kill every process and empty a tree, or all. Answer: DONE.
    pub const CLEAR: u8 = 5;
    /// Listen on a port of the loopback for the tunnel. Answer: DONE.
    pub const TUNNEL: u8 = 6;
    /// Set environment variables for later commands. Answer: DONE.
    pub const ENVIRONMENT: u8 = 7;
    /// Start a command that runs beside other requests. Answer: DONE.
    pub const START: u8 = 8;
    /// Wait for the command of START. Answer: EXITED, or RUNNING when another request waits.
    pub const AWAIT: u8 = 9;
    /// Kill the command of START. Answer: EXITED.
    pub const STOP: u8 = 10;
    /// Stop every process. Answer: DONE.
    pub const FREEZE: u8 = 11;
    /// Let every process run on. Answer: DONE.
    pub const THAW: u8 = 12;
    /// Read a regular file. Answer: any number of CONTENT, then DONE; or REFUSED.
    pub const READ: u8 = 13;
    /// Write a part of a file. Answer: DONE, or WRITTEN after the last part, or REFUSED.
    pub const WRITE: u8 = 14;
    /// List a directory. Answer: LISTED or REFUSED.
    pub const LIST: u8 = 15;
    /// Type into a terminal and wait for what it shows. Answer: SHOWN or REFUSED.
    pub const KEYS: u8 = 16;
    /// Start a service and keep it running. Answer: SERVING when it is healthy, has ended for good,
    /// or its time is up.
    pub const SERVICE: u8 = 17;
    /// Is there room for so many bytes in each of these areas? Answer: DONE, or REFUSED with the area.
    pub const ROOM: u8 = 18;

    /// The version of the guest and the shells that it found.
    pub const PONG: u8 = 129;
    /// The report of a command that has ended.
    pub const EXITED: u8 = 130;
    /// The request has been carried out. Its field is a number. After a copy, the first entries that
    /// were left out follow.
    pub const DONE: u8 = 131;
    /// A part of a copy: entries to the end of the frame.
    pub const ENTRIES: u8 = 132;
    /// The command of START runs on. The workspace may be scanned.
    pub const RUNNING: u8 = 133;
    /// How large a copy will be, in bytes and entries.
    pub const SIZE: u8 = 134;
    /// A part of a file: bytes to the end of the frame.
    pub const CONTENT: u8 = 135;
    /// The file was written. The workspace is scanned.
    pub const WRITTEN: u8 = 136;
    /// The entries of a directory.
    pub const LISTED: u8 = 137;
    /// What a terminal has shown. The workspace is scanned.
    pub const SHOWN: u8 = 138;
    /// An operation of the agent's was refused: the kind of the refusal, and why.
    pub const REFUSED: u8 = 139;
    /// Whether a service is healthy, why not, and the end of its log.
    pub const SERVING: u8 = 140;
    /// The request could not be carried out. Its one field says why.
    pub const FAILED: u8 = 255;

    // The kinds of frames of a connection through the tunnel. Only the guest sends OPEN.
    /// A program has connected.
    pub const OPEN: u8 = 160;
    /// Bytes of the connection.
    pub const DATA: u8 = 161;
    /// This side sends no more data.
    pub const EOF: u8 = 162;
    /// The connection has ended, with an error or by force.
    pub const RESET: u8 = 163;
    /// The receiver has passed on so many bytes; as many more may be sent.
    pub const CREDIT: u8 = 164;
}

/// How a command ended.
pub mod end {
    /// It exited with a code.
    pub const EXITED: u8 = 0;
    /// A signal killed it.
    pub const SIGNALED: u8 = 1;
    /// It ran longer than its timeout.
    pub const TIMED_OUT: u8 = 2;
    /// It used more processor time than its limit.
    pub const CPU_LIMIT: u8 = 3;
    /// It wrote more output than its limit.
    pub const OUTPUT_LIMIT: u8 = 4;
    /// It could not be started. The report says why.
    pub const NOT_STARTED: u8 = 5;
}

/// How a file of a scan has changed.
pub mod change {
    pub const ADDED: u8 = 0;
    pub const MODIFIED: u8 = 1;
    pub const REMOVED: u8 = 2;
}

/// The shells of a sandbox, as bits of a PONG.
pub mod shell {
    pub const SH: u8 = 1;
    pub const BASH: u8 = 2;
}

/// The tree that a path is below.
pub mod tree {
    /// `/work`, where the agent's commands start.
    pub const WORKSPACE: u8 = 0;
    /// `/sealed`, where the files of checks are laid.
    pub const SEALED: u8 = 1;
    /// Both trees and the scratch areas. Only CLEAR takes it.
    pub const ALL: u8 = 2;
}

/// The kinds of entries of a tree. `docs/guest-protocol.md` has their layout.
pub mod entry {
    pub const DIRECTORY: u8 = 0;
    /// A regular file with its first chunk of content.
    pub const FILE: u8 = 1;
    /// The next chunk of the file that was begun last.
    pub const MORE: u8 = 2;
    /// A symbolic link. The content is its target.
    pub const SYMLINK: u8 = 3;
    /// A run of zeros in the file that was begun last. The content is its length as eight
    /// bytes.
    pub const HOLE: u8 = 4;
    /// A file with the guest's own program. It has no content, because the guest has it.
    pub const PROGRAM: u8 = 5;
}

/// Why an entry was left out of a copy.
pub mod skipped {
    pub const FIFO: u8 = 0;
    pub const SOCKET: u8 = 1;
    pub const DEVICE: u8 = 2;
    /// Its path is not UTF-8.
    pub const ODD_NAME: u8 = 3;
    /// A link whose target is not UTF-8, or that is none any more.
    pub const ODD_LINK: u8 = 4;
}

/// The kinds of entries of a LISTED.
pub mod listed {
    pub const FILE: u8 = 0;
    pub const DIRECTORY: u8 = 1;
    pub const SYMLINK: u8 = 2;
    /// A device, a FIFO or a socket.
    pub const OTHER: u8 = 3;
}

/// Why an operation was REFUSED.
pub mod refusal {
    pub const NOT_FOUND: u8 = 0;
    pub const IS_DIRECTORY: u8 = 1;
    pub const NOT_DIRECTORY: u8 = 2;
    /// A device, a FIFO or a socket.
    pub const NOT_REGULAR: u8 = 3;
    pub const TOO_LARGE: u8 = 4;
    /// Anything else, such as a missing right or a full disk.
    pub const FAILED: u8 = 5;
}

/// A frame that the protocol does not allow, with the reason. An end that reads one gives the
/// stream up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedFrame(pub &'static str);

/// One whole frame. Its payload is not yet parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestFrame {
    pub id: u32,
    pub kind: u8,
    pub payload: Vec<u8>,
}

/// The bytes of a frame, with its length in front. The payload and the five bytes of its header
/// must not be longer than [`MAX_FRAME`].
pub fn encode(id: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + HEADER + payload.len());
    bytes.extend_from_slice(&((HEADER + payload.len()) as u32).to_le_bytes());
    bytes.extend_from_slice(&id.to_le_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(payload);
    bytes
}

/// The length of a frame's body from the first four bytes of the frame. An error means that the
/// length is outside of 5 to [`MAX_FRAME`]. Call it before memory for the body is allocated.
pub fn body_length(prefix: [u8; 4]) -> Result<usize, MalformedFrame> {
    let length = u32::from_le_bytes(prefix) as usize;
    if length < HEADER {
        return Err(MalformedFrame("frame shorter than its header"));
    }
    if length > MAX_FRAME {
        return Err(MalformedFrame("frame longer than the limit"));
    }
    Ok(length)
}

/// A frame from its body, whose length [`body_length`] has checked.
pub fn decode(mut body: Vec<u8>) -> Result<GuestFrame, MalformedFrame> {
    let mut reader = PayloadReader::new(&body);
    let id = reader.u32()?;
    let kind = reader.u8()?;
    body.drain(..HEADER);
    Ok(GuestFrame { id, kind, payload: body })
}

/// Builds a payload field by field. The fields must come in the order in which the other end
/// reads them.
#[derive(Default)]
pub struct PayloadWriter(pub Vec<u8>);

impl PayloadWriter {
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.0.push(value);
        self
    }

    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub fn i32(&mut self, value: i32) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A field of variable length: its length as a `u32`, then the bytes.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u32(value.len() as u32);
        self.0.extend_from_slice(value);
        self
    }
}

/// Reads a payload field by field. Each read first checks how many bytes are left, so no input
/// makes it panic or read beyond the payload.
pub struct PayloadReader<'a>(&'a [u8]);

impl<'a> PayloadReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `count` bytes.
    fn take(&mut self, count: usize) -> Result<&'a [u8], MalformedFrame> {
        if count > self.0.len() {
            return Err(MalformedFrame("field past the end of the frame"));
        }
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MalformedFrame> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, MalformedFrame> {
        Ok(self.array::<1>()?[0])
    }

    pub fn u32(&mut self) -> Result<u32, MalformedFrame> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, MalformedFrame> {
        self.array().map(i32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, MalformedFrame> {
        self.array().map(u64::from_le_bytes)
    }

    /// A field of variable length, see [`PayloadWriter::bytes`].
    pub fn bytes(&mut self) -> Result<&'a [u8], MalformedFrame> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    /// Whether all fields have been read. It ends a list that goes on to the end of the frame.
    pub fn at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses bytes after the last field. A reader that ignored them would hide mistakes.
    pub fn finish(self) -> Result<(), MalformedFrame> {
        if self.0.is_empty() { Ok(()) } else { Err(MalformedFrame("bytes after the last field")) }
    }
}

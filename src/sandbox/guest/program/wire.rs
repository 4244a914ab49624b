//! The guest protocol's bytes, compiled into both ends. See `docs/guest-protocol.md`.
//!
//! A frame is `u32 length, u32 id, u8 kind, payload`, little-endian; the length counts
//! everything after itself. Each end treats what it reads as hostile: lengths are checked
//! before anything is allocated, and every field is read through [`PayloadReader`].

/// Bumped on any change of the frames' meaning.
pub const PROTOCOL: u32 = 7;
/// The most a frame may hold after its length field.
pub const MAX_FRAME: usize = 8 << 20;
/// Bytes of file content carried by one entry; longer files take several.
pub const CHUNK: usize = 1 << 20;
/// Shorter runs of zeros that take no room are sent as zeros.
#[allow(dead_code, reason = "only the guest looks for holes")]
pub const LEAST_HOLE: u64 = 64 << 10;
/// Bytes of paths that a scan lists, and as many of changes.
pub const LISTED: usize = 32 << 10;
const HEADER: usize = 5;
/// Set in the id of every frame that belongs to a connection through the tunnel.
pub const TUNNELLED: u32 = 1 << 31;
/// Bytes of a connection that may be on their way in each direction.
pub const WINDOW: usize = 64 << 10;
/// Bytes one frame of a connection carries at most.
pub const TUNNEL_CHUNK: usize = 16 << 10;

/// What a frame asks for or answers: requests below 128, answers above.
pub mod kind {
    pub const PING: u8 = 1;
    pub const EXEC: u8 = 2;
    pub const LAY: u8 = 3;
    pub const PACK: u8 = 4;
    pub const CLEAR: u8 = 5;
    pub const TUNNEL: u8 = 6;
    pub const ENVIRONMENT: u8 = 7;
    pub const START: u8 = 8;
    pub const AWAIT: u8 = 9;
    pub const STOP: u8 = 10;
    pub const FREEZE: u8 = 11;
    pub const THAW: u8 = 12;

    pub const PONG: u8 = 129;
    pub const EXITED: u8 = 130;
    pub const DONE: u8 = 131;
    pub const ENTRIES: u8 = 132;
    pub const RUNNING: u8 = 133;
    pub const SIZE: u8 = 134;
    pub const FAILED: u8 = 255;

    // Of a connection through the tunnel, either way; only the guest opens.
    pub const OPEN: u8 = 160;
    pub const DATA: u8 = 161;
    pub const EOF: u8 = 162;
    pub const RESET: u8 = 163;
    pub const CREDIT: u8 = 164;
}

/// How a command ended, on the wire.
pub mod end {
    pub const EXITED: u8 = 0;
    pub const SIGNALED: u8 = 1;
    pub const TIMED_OUT: u8 = 2;
    pub const CPU_LIMIT: u8 = 3;
    pub const OUTPUT_LIMIT: u8 = 4;
    pub const NOT_STARTED: u8 = 5;
}

/// What has become of a file.
pub mod change {
    pub const ADDED: u8 = 0;
    pub const MODIFIED: u8 = 1;
    pub const REMOVED: u8 = 2;
}

/// The shells a sandbox has, as bits of a PONG.
pub mod shell {
    pub const SH: u8 = 1;
    pub const BASH: u8 = 2;
}

/// Which tree a path is below.
pub mod tree {
    pub const WORKSPACE: u8 = 0;
    pub const SEALED: u8 = 1;
}

/// What an entry of a tree is.
pub mod entry {
    pub const DIRECTORY: u8 = 0;
    pub const FILE: u8 = 1;
    /// More content of the file before it.
    pub const MORE: u8 = 2;
    pub const SYMLINK: u8 = 3;
    /// So many zeros of the file before it, as eight bytes.
    pub const HOLE: u8 = 4;
}

/// A frame was not what the protocol allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedFrame(pub &'static str);

/// One frame, read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestFrame {
    pub id: u32,
    pub kind: u8,
    pub payload: Vec<u8>,
}

/// The bytes of a frame.
pub fn encode(id: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + HEADER + payload.len());
    bytes.extend_from_slice(&((HEADER + payload.len()) as u32).to_le_bytes());
    bytes.extend_from_slice(&id.to_le_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(payload);
    bytes
}

/// The checked length of a frame's body, from its first four bytes.
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

/// A frame from its body, whose length [`body_length`] has allowed.
pub fn decode(mut body: Vec<u8>) -> Result<GuestFrame, MalformedFrame> {
    let mut reader = PayloadReader::new(&body);
    let id = reader.u32()?;
    let kind = reader.u8()?;
    body.drain(..HEADER);
    Ok(GuestFrame { id, kind, payload: body })
}

/// Builds a payload.
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

    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.u32(value.len() as u32);
        self.0.extend_from_slice(value);
        self
    }
}

/// Reads a payload; every step checks what is left.
pub struct PayloadReader<'a>(&'a [u8]);

impl<'a> PayloadReader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

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

    #[allow(dead_code, reason = "only the host reads one")]
    pub fn i32(&mut self) -> Result<i32, MalformedFrame> {
        self.array().map(i32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, MalformedFrame> {
        self.array().map(u64::from_le_bytes)
    }

    pub fn bytes(&mut self) -> Result<&'a [u8], MalformedFrame> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    pub fn at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses bytes after the last field: a reader that ignores them hides mistakes.
    pub fn finish(self) -> Result<(), MalformedFrame> {
        if self.0.is_empty() { Ok(()) } else { Err(MalformedFrame("bytes after the last field")) }
    }
}

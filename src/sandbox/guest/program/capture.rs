//! Keeps a bounded part of a command's output while it is read.

use crate::wire::PayloadWriter;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};

/// Reads of one pipe in one call of [`drain`], so that a flood of output leaves time to look at
/// the clock and at the limits. A pipe holds at most one mebibyte, which is 16 reads of a whole
/// buffer.
const READS: usize = 16;

/// The head and the tail of one output stream. The bytes between them are counted and dropped.
pub struct OutputCapture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// The most bytes of the head, and the most of the tail.
    half: usize,
    /// Bytes of the stream so far, the dropped ones included.
    pub total: u64,
}

impl OutputCapture {
    /// Keeps at most `kept` bytes, half of them in the head. At least one byte of each is kept.
    pub fn new(kept: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), half: (kept / 2).max(1), total: 0 }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = self.half - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        // Of what does not fit into the head, only the last `half` bytes can be in the tail.
        // Older bytes of the tail make room for them.
        bytes = &rest[rest.len().saturating_sub(self.half)..];
        let surplus = (self.tail.len() + bytes.len()).saturating_sub(self.half);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend(bytes);
    }

    /// Appends the stream to a payload: its length, its head, its tail.
    pub fn write(&mut self, writer: &mut PayloadWriter) {
        writer.u64(self.total).bytes(&self.head).bytes(self.tail.make_contiguous());
    }
}

/// Reads what the pipe holds at the moment and gives it to `keep`. The pipe must not block.
/// False: all writers have closed the pipe. True: it may hold more later, or already does after
/// [`READS`] reads.
pub fn drain(
    pipe: &mut File,
    buffer: &mut [u8],
    mut keep: impl FnMut(&[u8]),
) -> io::Result<bool> {
    for _ in 0..READS {
        match pipe.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => keep(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

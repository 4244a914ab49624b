//! A command's output, bounded where it arises.

use crate::wire::PayloadWriter;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};

/// Reads per visit, so that a flood leaves time to look at the clock and at the limits. A
/// pipe holds at most a mebibyte, which is that many reads of a whole buffer.
const READS: usize = 16;

/// The head and the tail of a stream; what lies between is counted and dropped.
pub struct OutputCapture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    half: usize,
    pub total: u64,
}

impl OutputCapture {
    pub fn new(kept: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), half: (kept / 2).max(1), total: 0 }
    }

    pub fn push(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = self.half - self.head.len();
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(head);
        bytes = &rest[rest.len().saturating_sub(self.half)..];
        let surplus = (self.tail.len() + bytes.len()).saturating_sub(self.half);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend(bytes);
    }

    pub fn write(&mut self, writer: &mut PayloadWriter) {
        writer.u64(self.total).bytes(&self.head).bytes(self.tail.make_contiguous());
    }
}

/// Reads what the pipe holds at the moment. False: its writers are gone.
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

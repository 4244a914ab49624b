//! One terminal of the agent: a shell on a pseudo-terminal that stays from request to request.
//!
//! ```text
//!           shell reaped                        told to the host
//!   alive ───────────────► dead, output is left ────────────────► gone
//!     │ every program has closed the terminal: nothing to read until one opens it again
//! ```
//!
//! Programs decide what they read and write, so both directions have a limit. Keys that nobody
//! reads wait here, and no more are taken than fit. Output that the host does not ask for is
//! read all the same, so that programs do not stop; the newest bytes are kept.

use crate::capture::drain;
use crate::operation_refusal::GuestRefusal;
use crate::sys::{self, PollFd};
use crate::poll_for;
use crate::wire::{MAX_KEYS, PayloadWriter, SHOWN_KEPT, refusal};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;

/// The terminal and what is on its way in both directions.
pub struct AgentTerminal {
    pub name: Vec<u8>,
    master: File,
    /// The process number of the shell.
    shell: i32,
    /// Whether the shell runs.
    pub alive: bool,
    /// Whether a program may have the terminal open. If none has, a wait would return at once.
    open: bool,
    /// Keys that the terminal has not taken yet.
    typed: VecDeque<u8>,
    /// The newest output that was not told.
    shown: VecDeque<u8>,
    /// Older output that was not kept.
    dropped: u64,
    /// Bytes that were read and written so far. It grows with every sign of life.
    pub moved: u64,
}

impl AgentTerminal {
    /// A terminal whose shell has just started.
    pub fn new(name: &[u8], master: File, shell: i32) -> Self {
        let (typed, shown) = (VecDeque::new(), VecDeque::new());
        let name = name.to_vec();
        Self { name, master, shell, alive: true, open: true, typed, shown, dropped: 0, moved: 0 }
    }

    /// Sets columns and rows. A terminal that cannot be resized stays as it is.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let _ = sys::resize_terminal(&self.master, columns, rows);
        // A program may have opened the terminal again.
        self.open = true;
    }

    /// Takes keys to type. They are refused as a whole if too many wait already.
    pub fn type_keys(&mut self, keys: &[u8]) -> Result<(), GuestRefusal> {
        // Nobody reads what waits for a dead shell.
        if !self.alive {
            self.typed.clear();
            return Ok(());
        }
        if self.typed.len() + keys.len() > MAX_KEYS {
            let why = "The programs of the terminal do not read what was typed before";
            return Err(GuestRefusal::new(refusal::FAILED, why));
        }
        self.typed.extend(keys);
        Ok(())
    }

    /// What to wait for.
    pub fn watch(&self) -> PollFd {
        let fd = if self.open { self.master.as_raw_fd() } else { -1 };
        let writes = if self.typed.is_empty() { 0 } else { sys::POLLOUT };
        poll_for(fd, sys::POLLIN | writes)
    }

    /// Types what the terminal takes and reads what it shows at the moment.
    pub fn attend(&mut self, buffer: &mut [u8]) {
        self.write_typed();
        let (mut shown, mut count) = (std::mem::take(&mut self.shown), 0);
        let read = drain(&mut self.master, buffer, |bytes| {
            count += bytes.len() as u64;
            shown.extend(bytes);
        });
        // The error is EIO: no program has the terminal open.
        self.open = read.unwrap_or(false);
        let surplus = shown.len().saturating_sub(SHOWN_KEPT);
        shown.drain(..surplus);
        self.shown = shown;
        self.dropped += surplus as u64;
        self.moved += count;
    }

    fn write_typed(&mut self) {
        while !self.typed.is_empty() {
            let (keys, _) = self.typed.as_slices();
            match self.master.write(keys) {
                Ok(count) if count > 0 => {
                    self.typed.drain(..count);
                    self.moved += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Full for now, or closed, which the read finds out.
                _ => return,
            }
        }
    }

    /// Whether nothing more can come.
    pub fn is_over(&self) -> bool {
        !self.alive && !self.open
    }

    /// Notes a process that has died.
    pub fn note(&mut self, pid: i32) {
        self.alive &= pid != self.shell;
    }

    /// Appends what was shown since the last time, and forgets it.
    pub fn tell(&mut self, reply: &mut PayloadWriter) {
        reply.u8(u8::from(self.alive)).u64(self.dropped).bytes(self.shown.make_contiguous());
        self.shown.clear();
        self.dropped = 0;
    }
}

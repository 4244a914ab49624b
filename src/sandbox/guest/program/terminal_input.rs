//! Types into a terminal and waits for what it shows (KEYS).
//!
//! ```text
//!              first output, or 5 s              quiet, timeout, or the shell ended
//!   starting ────────────────────────► typed ───────────────────────────────────────► told
//! ```
//!
//! A shell that has just started shows its prompt before it reads. Keys that came earlier would
//! be shown twice, so the guest waits for the first output.

use crate::agent_terminal::AgentTerminal;
use crate::command_runner::CommandRunner;
use crate::host_channel::HostChannel;
use crate::launch::LONGEST;
use crate::operation_refusal::GuestRefusal;
use crate::wire::{MAX_KEYS, MAX_NAME, MalformedFrame, PayloadReader, PayloadWriter};
use std::io;
use std::time::{Duration, Instant};

/// How long a new shell may take to show something.
const STARTING: Duration = Duration::from_secs(5);

/// A KEYS request.
pub struct KeysRequest {
    pub name: Vec<u8>,
    keys: Vec<u8>,
    /// Columns and rows, at least one.
    pub size: (u16, u16),
    quiet: Duration,
    timeout: Duration,
    /// The path of the shell, such as `/bin/sh`.
    pub shell: Vec<u8>,
    /// Processor seconds for each process of the terminal; at least one.
    pub cpu_seconds: u64,
}

impl KeysRequest {
    /// Reads the request's payload. Sizes and times out of range are moved into it.
    pub fn read(reader: &mut PayloadReader<'_>) -> Result<Self, MalformedFrame> {
        let cells = |number: u32| u16::try_from(number).unwrap_or(u16::MAX).max(1);
        let request = Self {
            size: (cells(reader.u32()?), cells(reader.u32()?)),
            quiet: Duration::from_millis(reader.u64()?).min(LONGEST),
            timeout: Duration::from_millis(reader.u64()?).min(LONGEST),
            cpu_seconds: u64::from(reader.u32()?).max(1),
            shell: reader.bytes()?.to_vec(),
            name: reader.bytes()?.to_vec(),
            keys: reader.bytes()?.to_vec(),
        };
        if request.name.is_empty() || request.name.len() > MAX_NAME || request.keys.len() > MAX_KEYS {
            return Err(MalformedFrame("more keys or a longer name than can be"));
        }
        Ok(request)
    }
}

/// When a wait for a terminal ends.
struct TerminalWait {
    begun: Instant,
    deadline: Instant,
    quiet: Duration,
    /// The last sign of life, and how much had moved by then.
    last: (Instant, u64),
    typed: bool,
}

impl TerminalWait {
    fn new(request: &KeysRequest) -> Self {
        let begun = Instant::now();
        let (deadline, quiet) = (begun + request.timeout, request.quiet);
        Self { begun, deadline, quiet, last: (begun, 0), typed: false }
    }

    /// Types the keys as soon as the shell has shown something, or has had its time.
    fn type_keys(
        &mut self,
        terminal: &mut AgentTerminal,
        request: &KeysRequest,
    ) -> Result<(), GuestRefusal> {
        let due = self.deadline.min(self.begun + STARTING);
        if self.typed || (terminal.moved == 0 && terminal.alive && Instant::now() < due) {
            return Ok(());
        }
        self.typed = true;
        terminal.type_keys(&request.keys)?;
        self.last.0 = Instant::now();
        Ok(())
    }

    /// How long to wait for more. None: not at all.
    fn left(&mut self, terminal: &AgentTerminal) -> Option<Duration> {
        let now = Instant::now();
        if terminal.moved != self.last.1 {
            self.last = (now, terminal.moved);
        }
        let until = if self.typed { self.last.0 + self.quiet } else { self.begun + STARTING };
        let left = until.min(self.deadline).saturating_duration_since(now);
        Some(left).filter(|left| !left.is_zero() && !terminal.is_over())
    }
}

impl CommandRunner {
    /// Carries KEYS out and returns the payload of SHOWN. The outer error ends the guest.
    pub fn send_keys(
        &mut self,
        request: &KeysRequest,
        host: &mut HostChannel,
    ) -> io::Result<Result<Vec<u8>, GuestRefusal>> {
        if let Err(refusal) = self.terminals.open(request, &self.session, &mut self.spawner) {
            return Ok(Err(refusal));
        }
        if let Err(refusal) = self.await_terminal(request, host)? {
            return Ok(Err(refusal));
        }
        let mut reply = PayloadWriter::default();
        if let Some(terminal) = self.terminals.get(&request.name) {
            terminal.tell(&mut reply);
        }
        self.terminals.forget_dead(&request.name);
        reply.u8(1);
        self.scan(&mut reply);
        Ok(Ok(reply.0))
    }

    /// Types and waits.
    fn await_terminal(
        &mut self,
        request: &KeysRequest,
        host: &mut HostChannel,
    ) -> io::Result<Result<(), GuestRefusal>> {
        let mut wait = TerminalWait::new(request);
        loop {
            let Some(terminal) = self.terminals.get(&request.name) else { return Ok(Ok(())) };
            if let Err(refusal) = wait.type_keys(terminal, request) {
                return Ok(Err(refusal));
            }
            terminal.attend(&mut self.buffer);
            let Some(left) = wait.left(terminal) else { return Ok(Ok(())) };
            self.await_news(host, left)?;
        }
    }
}

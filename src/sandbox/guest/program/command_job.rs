//! One command from its start to its end.

use crate::capture::OutputCapture;
use crate::launch::{CommandPipes, CommandRequest};
use crate::sys::{self, ChildExit};
use crate::wire::end;
use std::fs::File;
use std::time::{Duration, Instant};

pub enum CommandEnding {
    Reaped { status: i32, cpu: Duration },
    TimedOut,
    OutputLimit,
}

/// What a command leaves to be read.
pub struct CommandOutput {
    pub out: OutputCapture,
    pub err: OutputCapture,
    pub state: Vec<u8>,
}

impl CommandOutput {
    pub fn new(kept: usize) -> Self {
        Self { out: OutputCapture::new(kept), err: OutputCapture::new(kept), state: Vec::new() }
    }
}

pub struct CommandJob {
    pub request: CommandRequest,
    pub started: Instant,
    /// Processes the kernel had killed for want of memory before.
    pub kills: u64,
    /// None once it has ended.
    pub running: Option<RunningCommand>,
    pub output: CommandOutput,
    /// How it ended: what is told of it, a value, and why.
    pub verdict: Option<(u8, i32, String)>,
}

pub struct RunningCommand {
    pub pid: i32,
    pub pipes: CommandPipes,
    /// Which of the pipes have not ended.
    pub open: [bool; 3],
    /// It has died while nobody attended to it.
    pub death: Option<(i32, Duration)>,
}

impl RunningCommand {
    pub fn new(pid: i32, pipes: CommandPipes) -> Self {
        let open = [true, true, pipes.state.is_some()];
        Self { pid, pipes, open, death: None }
    }

    pub fn live(&self) -> Vec<&File> {
        let ours = [Some(&self.pipes.out), Some(&self.pipes.err), self.pipes.state.as_ref()];
        ours.into_iter().zip(self.open).filter_map(|(pipe, open)| pipe.filter(|_| open)).collect()
    }
}

impl CommandJob {
    /// Somebody has died.
    pub fn note(&mut self, death: &ChildExit) {
        if let Some(running) = self.running.as_mut().filter(|running| running.pid == death.pid) {
            running.death.get_or_insert((death.status, death.cpu));
        }
    }

    /// Everybody has.
    pub fn note_killed(&mut self) {
        if let Some(running) = &mut self.running {
            running.death.get_or_insert((sys::SIGKILL, Duration::ZERO));
        }
    }
}

pub fn conclude(ending: CommandEnding, request: &CommandRequest) -> (u8, i32, String) {
    let (status, cpu) = match ending {
        CommandEnding::TimedOut => return (end::TIMED_OUT, 0, String::new()),
        CommandEnding::OutputLimit => return (end::OUTPUT_LIMIT, 0, String::new()),
        CommandEnding::Reaped { status, cpu } => (status, cpu),
    };
    let (signal, code) = (status & 0x7f, (status >> 8) & 0xff);
    if ended_by_limit(signal, code, cpu, Duration::from_secs(request.cpu_seconds)) {
        return (end::CPU_LIMIT, 0, String::new());
    }
    if signal != 0 {
        return (end::SIGNALED, signal, String::new());
    }
    (end::EXITED, code, String::new())
}

/// SIGXCPU comes at the limit, SIGKILL a second later; a shell passes either on as a code.
/// The kernel enforces by counting ticks and reports by the exact clock: with many threads
/// the two differ by a lot, so the time only has to be of the right order.
fn ended_by_limit(signal: i32, code: i32, cpu: Duration, limit: Duration) -> bool {
    let by = |number| signal == number || code == 128 + number;
    by(sys::SIGXCPU) && cpu * 4 >= limit || by(sys::SIGKILL) && cpu * 4 >= limit * 3
}

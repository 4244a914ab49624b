//! One command from its start to its end: what was asked, what it wrote, and how it ended.

use crate::capture::OutputCapture;
use crate::launch::{CommandPipes, CommandRequest};
use crate::sys::{self, ChildExit};
use crate::wire::end;
use std::fs::File;
use std::time::{Duration, Instant};

/// Why the guest stopped attending to a command.
pub enum CommandEnding {
    /// Its shell has died. `status` is the kernel's, `cpu` its processor time.
    Reaped { status: i32, cpu: Duration },
    /// Its deadline passed, or STOP set the deadline to now.
    TimedOut,
    /// It wrote more than it may.
    OutputLimit,
}

/// What a command has written.
pub struct CommandOutput {
    pub out: OutputCapture,
    pub err: OutputCapture,
    /// The shell's report of the session's state, unparsed.
    pub state: Vec<u8>,
}

impl CommandOutput {
    pub fn new(kept: usize) -> Self {
        Self { out: OutputCapture::new(kept), err: OutputCapture::new(kept), state: Vec::new() }
    }
}

/// A command from its start until its report is sent.
pub struct CommandJob {
    pub request: CommandRequest,
    pub started: Instant,
    /// The kernel's count of kills because memory was exhausted, read before the start.
    pub kills: u64,
    /// None once the command has ended, or if it never started.
    pub running: Option<RunningCommand>,
    pub output: CommandOutput,
    /// How it ended, in the form of EXITED: the end, a value (exit code or signal), and why it
    /// was not started. None while it runs.
    pub verdict: Option<(u8, i32, String)>,
}

/// The processes and pipes of a command that runs.
pub struct RunningCommand {
    /// The shell's process number.
    pub pid: i32,
    pub pipes: CommandPipes,
    /// Which pipes still have a writer: output, errors, state.
    pub open: [bool; 3],
    /// Status and processor time of the shell, if it died while nobody attended to the command.
    pub death: Option<(i32, Duration)>,
}

impl RunningCommand {
    pub fn new(pid: i32, pipes: CommandPipes) -> Self {
        let open = [true, pipes.err.is_some(), pipes.state.is_some()];
        Self { pid, pipes, open, death: None }
    }

    /// The pipes to wait for.
    pub fn live(&self) -> Vec<&File> {
        let ours = [Some(&self.pipes.out), self.pipes.err.as_ref(), self.pipes.state.as_ref()];
        ours.into_iter().zip(self.open).filter_map(|(pipe, open)| pipe.filter(|_| open)).collect()
    }
}

impl CommandJob {
    /// Notes a child that has died, if it is the shell of this command.
    pub fn note(&mut self, death: &ChildExit) {
        if let Some(running) = self.running.as_mut().filter(|running| running.pid == death.pid) {
            running.death.get_or_insert((death.status, death.cpu));
        }
    }

    /// Notes that every process was killed, and so the shell of this command too.
    pub fn note_killed(&mut self) {
        if let Some(running) = &mut self.running {
            running.death.get_or_insert((sys::SIGKILL, Duration::ZERO));
        }
    }
}

/// The verdict on a command: end, value and reason, as EXITED holds them.
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

/// Whether the processor limit ended the command. The kernel sends SIGXCPU at the limit and
/// SIGKILL one second later; a shell passes on the signal of its child as the code 128 plus the
/// signal. A program can get these signals in other ways too, so the used time must fit. It
/// only has to be of the right order, because the kernel enforces the limit by counting ticks
/// and reports the exact time, and with many threads the two differ much.
fn ended_by_limit(signal: i32, code: i32, cpu: Duration, limit: Duration) -> bool {
    let by = |number| signal == number || code == 128 + number;
    by(sys::SIGXCPU) && cpu * 4 >= limit || by(sys::SIGKILL) && cpu * 4 >= limit * 3
}

//! Stops every process of the sandbox while a copy of the workspace is measured, and lets the
//! processes run on afterwards (FREEZE, THAW).
//!
//! A stopped process cannot continue by itself: only SIGCONT makes it continue. All processes
//! that could send one are stopped too, and the system-call filter refuses the calls by which a
//! program could order a signal for later. But the kernel sends SIGCONT by itself in some
//! cases, for example to a process group that loses its parent. So the guest reads the state of
//! every thread, and how often it has been switched. A stop has held only if a later look finds
//! the same threads with the same counts.

use crate::sys;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;
const ESRCH: i32 = 3;
/// How long processes may take to stop. A busy host may give them a processor late.
const STOPPING: Duration = Duration::from_secs(5);
/// The pause before the next look while a thread is not stopped.
const LOOK_AGAIN: Duration = Duration::from_micros(500);
/// How many further looks must find the same as the first one.
const LOOKS: u32 = 1;
/// The same number while a thread sleeps in the kernel without a way to be interrupted. Most
/// such threads wake up at once.
const LOOKS_AT_WAITING: u32 = 20;
/// A flag of a thread that is about to end and acts on no signal any more.
const PF_EXITING: u64 = 4;

/// Processes that are stopped. They stay stopped until [`FrozenProcesses::thaw`].
pub struct FrozenProcesses {
    /// Processes that were stopped before, by a program. They stay stopped after a thaw.
    before: HashSet<i32>,
    /// Every thread as it was when all had stopped.
    still: Vec<ThreadStatus>,
}

/// A thread that is not dead, at one look.
#[derive(PartialEq, Eq)]
struct ThreadStatus {
    process: i32,
    thread: i32,
    state: ThreadState,
    /// How often the thread has been switched, as `/proc` counts it. The number grows whenever
    /// the thread has run. A kernel without this count gives 0.
    switches: u64,
}

/// What a thread does, as far as a stop is concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ThreadState {
    /// It is stopped or traced.
    Stopped,
    /// It sleeps in the kernel without a way to be interrupted (state D), as after `vfork`. The
    /// stop signal is pending, so the thread stops before its program continues.
    Waiting,
    /// It runs, or it will run before it stops.
    Moving,
}

/// Stops all processes and returns when each thread has stopped. None: there is no process. If
/// a thread does not stop in time, or `/proc` cannot be read, all processes run on and the
/// error says why.
pub fn freeze() -> io::Result<Option<FrozenProcesses>> {
    if !sys::signal_everybody(0) {
        return Ok(None);
    }
    let before = stopped_processes(&look()?);
    match stop_all() {
        Ok(still) => Ok(Some(FrozenProcesses { before, still })),
        Err(error) => {
            go_on(&before);
            Err(error)
        }
    }
}

impl FrozenProcesses {
    /// Checks that no thread has run, come or gone since the freeze. An error means that one
    /// has, so what was measured meanwhile is void.
    pub fn check(&self) -> io::Result<()> {
        if look()? == self.still {
            return Ok(());
        }
        Err(io::Error::other("a program went on while all were to stand still"))
    }

    /// Lets the processes run on in any case. The error is that of [`FrozenProcesses::check`].
    pub fn thaw(self) -> io::Result<()> {
        let checked = self.check();
        go_on(&self.before);
        checked
    }
}

/// Sends stop signals until every thread has stopped, and looks often enough to be sure. Two
/// equal looks show that nothing ran between them. A signal to a process may reach a thread
/// that does not act on it, so each thread that is not stopped gets a signal of its own.
fn stop_all() -> io::Result<Vec<ThreadStatus>> {
    let patience = Instant::now() + STOPPING;
    let (mut last, mut same) = (Vec::new(), 0);
    while Instant::now() < patience {
        sys::signal_everybody(SIGSTOP);
        let seen = look()?;
        let has = |state| seen.iter().any(|thread| thread.state == state);
        let (moving, waiting) = (has(ThreadState::Moving), has(ThreadState::Waiting));
        same = if !moving && seen == last { same + 1 } else { 0 };
        if same >= if waiting { LOOKS_AT_WAITING } else { LOOKS } {
            return Ok(seen);
        }
        for thread in seen.iter().filter(|thread| thread.state != ThreadState::Stopped) {
            sys::signal_thread(thread.process, thread.thread, SIGSTOP);
        }
        if moving || waiting {
            std::thread::sleep(LOOK_AGAIN);
        }
        last = seen;
    }
    Err(io::Error::other("a program could not be stopped"))
}

/// Lets all processes run on, except those in `before`.
fn go_on(before: &HashSet<i32>) {
    if before.is_empty() {
        sys::signal_everybody(SIGCONT);
        return;
    }
    // A process that cannot be listed stays stopped until the sandbox ends.
    let processes = numbers("/proc").ok().flatten().unwrap_or_default();
    let woken = processes.into_iter().filter(|pid| *pid != 1 && !before.contains(pid));
    woken.for_each(|pid| sys::signal_process(pid, SIGCONT));
}

/// Processes that have a stopped thread and no running one.
fn stopped_processes(threads: &[ThreadStatus]) -> HashSet<i32> {
    let with = |state| {
        let of = threads.iter().filter(move |thread| thread.state == state);
        of.map(|thread| thread.process).collect::<HashSet<_>>()
    };
    &with(ThreadState::Stopped) - &with(ThreadState::Moving)
}

/// Every thread of every process but the guest. A failure to read `/proc` is an error, because
/// no thread may be missed.
fn look() -> io::Result<Vec<ThreadStatus>> {
    let mut threads = Vec::new();
    let processes = numbers("/proc")?.unwrap_or_default();
    for process in processes.into_iter().filter(|process| *process != 1) {
        let tasks = numbers(&format!("/proc/{process}/task"))?.unwrap_or_default();
        for thread in tasks {
            threads.extend(ThreadStatus::read(process, thread)?);
        }
    }
    Ok(threads)
}

impl ThreadStatus {
    /// Reads one thread. None: it is dead or gone.
    fn read(process: i32, thread: i32) -> io::Result<Option<Self>> {
        let place = format!("/proc/{process}/task/{thread}");
        let Some(status) = there(fs::read(format!("{place}/status")))? else { return Ok(None) };
        let state = match value(&status, b"State:").and_then(|value| value.first()) {
            Some(b'Z' | b'X' | b'x') => return Ok(None),
            Some(b'T' | b't') => ThreadState::Stopped,
            Some(b'D') if !is_ending(&place)? => ThreadState::Waiting,
            _ => ThreadState::Moving,
        };
        let counts = [&b"voluntary_ctxt_switches:"[..], b"nonvoluntary_ctxt_switches:"];
        let switches = counts.iter().filter_map(|name| number(value(&status, name)?)).sum();
        Ok(Some(Self { process, thread, state, switches }))
    }
}

/// Whether a thread is about to end, where no signal stops it. A thread that is gone counts.
fn is_ending(place: &str) -> io::Result<bool> {
    let Some(stat) = there(fs::read(format!("{place}/stat")))? else { return Ok(true) };
    // The name in parentheses may hold spaces and parentheses, so the fields are counted from
    // the last one. The flags are the seventh field after it.
    let name_ends = stat.iter().rposition(|byte| *byte == b')').unwrap_or(0);
    let flags = stat[name_ends..].split(|byte| *byte == b' ').nth(7);
    Ok(flags.and_then(number).is_none_or(|flags| flags & PF_EXITING != 0))
}

/// The value of a line of `/proc/PID/status`, such as `T (stopped)`. The kernel escapes line
/// breaks in names, so no program can forge a line.
fn value<'a>(status: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut lines = status.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(name)).map(<[u8]>::trim_ascii)
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The entries of a directory whose names are numbers: processes or threads. None: the
/// directory is gone.
fn numbers(place: &str) -> io::Result<Option<Vec<i32>>> {
    let Some(entries) = there(fs::read_dir(place))? else { return Ok(None) };
    let mut numbers = Vec::new();
    for entry in entries {
        let Some(entry) = there(entry)? else { continue };
        numbers.extend(entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(Some(numbers))
}

/// None: the process or thread that was read is gone. Only other failures are errors.
fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

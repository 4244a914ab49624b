//! Stopping every program while a copy of the workspace is measured elsewhere, and letting
//! them go on afterwards.
//!
//! A program cannot undo a stop for itself: only SIGCONT does, all that could send one are
//! stopped, and the filter refuses the calls by which a program orders one for later. The
//! kernel still sends some by itself, for example to a process group that an ending parent
//! orphans. So the guest looks at every thread, and counts how often each has run: a stop
//! holds only if a later look finds the same threads with the same counts.

use crate::sys;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::time::{Duration, Instant};

const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;
const ESRCH: i32 = 3;
/// How long programs may take to stop, on a processor that is not theirs.
const STOPPING: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_micros(500);
/// How many further looks must find the same.
const LOOKS: u32 = 1;
/// The same while a thread waits in the kernel: most such waits end by themselves at once.
const LOOKS_AT_WAITING: u32 = 20;
/// Of a thread's flags: it is about to be gone, and takes no signal any more.
const PF_EXITING: u64 = 4;

/// Programs that stand still.
pub struct FrozenProcesses {
    /// Had been stopped by somebody else, and stay so.
    before: HashSet<i32>,
    /// Every thread, as it was when the last of them stood.
    still: Vec<ThreadStatus>,
}

/// A thread that is not dead.
#[derive(PartialEq, Eq)]
struct ThreadStatus {
    process: i32,
    thread: i32,
    state: ThreadState,
    /// How often the processor was taken from it. A kernel that does not count this says 0.
    switches: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ThreadState {
    Stopped,
    /// Sleeps in the kernel until something has happened there, as after `vfork`: the signal
    /// waits for it, and it stops before its program goes on.
    Waiting,
    Moving,
}

/// Stops all of them, and returns once each thread has stopped. None: there is nobody.
/// Where that cannot be reached, all go on.
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
    /// Whether nothing has run since. The error says that something has.
    pub fn check(&self) -> io::Result<()> {
        if look()? == self.still {
            return Ok(());
        }
        Err(io::Error::other("a program went on while all were to stand still"))
    }

    /// Lets all go on in any case. The error is that of [`FrozenProcesses::check`].
    pub fn thaw(self) -> io::Result<()> {
        let checked = self.check();
        go_on(&self.before);
        checked
    }
}

/// A signal to a process may be left to a thread that does not act on it, so each thread that
/// moves gets one of its own. Nothing moved between two looks that are equal.
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

fn go_on(before: &HashSet<i32>) {
    if before.is_empty() {
        sys::signal_everybody(SIGCONT);
        return;
    }
    // One that cannot be listed stays stopped until the sandbox ends.
    let processes = numbers("/proc").ok().flatten().unwrap_or_default();
    let woken = processes.into_iter().filter(|pid| *pid != 1 && !before.contains(pid));
    woken.for_each(|pid| sys::signal_process(pid, SIGCONT));
}

/// Processes with a thread that has stopped and none that moves.
fn stopped_processes(threads: &[ThreadStatus]) -> HashSet<i32> {
    let with = |state| {
        let of = threads.iter().filter(move |thread| thread.state == state);
        of.map(|thread| thread.process).collect::<HashSet<_>>()
    };
    &with(ThreadState::Stopped) - &with(ThreadState::Moving)
}

/// Every thread of every process but the guest's. A look that cannot be had is an error: no
/// thread may be missed.
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
    /// None: it is dead or gone.
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

/// Whether it is on its way to its end, where no signal reaches it.
fn is_ending(place: &str) -> io::Result<bool> {
    let Some(stat) = there(fs::read(format!("{place}/stat")))? else { return Ok(true) };
    // The name may hold anything, parentheses too: the rest follows the last one.
    let name_ends = stat.iter().rposition(|byte| *byte == b')').unwrap_or(0);
    let flags = stat[name_ends..].split(|byte| *byte == b' ').nth(7);
    Ok(flags.and_then(number).is_none_or(|flags| flags & PF_EXITING != 0))
}

/// The value of a line of `status`. The kernel lets no name break a line.
fn value<'a>(status: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut lines = status.split(|byte| *byte == b'\n');
    lines.find_map(|line| line.strip_prefix(name)).map(<[u8]>::trim_ascii)
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The entries of a directory that are numbers. None: it is gone.
fn numbers(place: &str) -> io::Result<Option<Vec<i32>>> {
    let Some(entries) = there(fs::read_dir(place))? else { return Ok(None) };
    let mut numbers = Vec::new();
    for entry in entries {
        let Some(entry) = there(entry)? else { continue };
        numbers.extend(entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(Some(numbers))
}

/// None: what it is about has gone.
fn there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

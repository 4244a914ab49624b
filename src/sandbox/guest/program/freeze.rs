//! Stopping every program while a copy of the workspace is measured elsewhere, and letting
//! them go on afterwards.
//!
//! A program cannot undo a stop for itself: only SIGCONT does, all that could send one are
//! stopped, and the filter refuses the calls that make the kernel send one later.

use crate::sys;
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

const SIGCONT: i32 = 18;
const SIGSTOP: i32 = 19;
/// How long programs may take to stop, on a processor that is not theirs.
const STOPPING: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// Programs that stand still.
pub struct Frozen {
    /// Had been stopped by somebody else, and stay so.
    before: HashSet<i32>,
}

/// Stops all of them, and returns once none runs any more. None: there is nobody.
pub fn freeze() -> io::Result<Option<Frozen>> {
    if !sys::signal_everybody(0) {
        return Ok(None);
    }
    let stopped = |pid: &i32| state_of(&format!("/proc/{pid}/stat")) == Some(b'T');
    let frozen = Frozen { before: processes().into_iter().filter(stopped).collect() };
    sys::signal_everybody(SIGSTOP);
    let patience = Instant::now() + STOPPING;
    while processes().into_iter().any(runs) {
        if Instant::now() >= patience {
            frozen.thaw();
            return Err(io::Error::other("a program could not be stopped"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(Some(frozen))
}

impl Frozen {
    pub fn thaw(self) {
        if self.before.is_empty() {
            sys::signal_everybody(SIGCONT);
            return;
        }
        let woken = processes().into_iter().filter(|pid| !self.before.contains(pid));
        woken.for_each(|pid| sys::signal_process(pid, SIGCONT));
    }
}

/// All but the guest.
fn processes() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|pid| *pid != 1).collect()
}

/// Whether a thread of it runs. One that sleeps in the kernel has the signal waiting for it
/// and stops before its program goes on.
fn runs(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().any(|thread| state_of(&thread.path().join("stat")) == Some(b'R'))
}

fn state_of(stat: impl AsRef<Path>) -> Option<u8> {
    let stat = fs::read(stat).ok()?;
    // The name may hold anything, parentheses too: the state follows the last one.
    let name_ends = stat.iter().rposition(|b| *b == b')')?;
    stat.get(name_ends + 2).copied()
}

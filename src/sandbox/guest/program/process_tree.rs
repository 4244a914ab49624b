//! Killing a command with everything it started, however it tried to get away: own
//! sessions, double forks, stopped processes, fork bombs.
//!
//! Processes older than the command (background work of earlier turns) and their
//! descendants are spared; whatever else is younger than the command belongs to it.

use crate::sys;
use std::collections::{HashMap, HashSet};
use std::fs;

/// Passes after which a tree that keeps growing is met with a kill of everything: the
/// kernel does that one atomically.
const PASSES: usize = 8;

#[derive(Clone, Copy)]
struct ProcessEntry {
    parent: i32,
    born: ProcessBirth,
}

/// When a process began: the clock ticks a hundred times a second, and within a tick the
/// numbers tell, which the kernel hands out in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ProcessBirth(u64, i32);

/// Kills the tree below `root`, a child of ours that is alive or not yet reaped, and notes
/// in `killed` whom it has killed: they die when they next run, which may take a while on
/// a processor that is not theirs.
pub fn kill(root: i32, killed: &mut HashSet<i32>) {
    // Unreadable, nobody can be told apart any more.
    let Some(born) = read_process(root).map(|process| process.born) else {
        return sys::kill_process(-1);
    };
    for _ in 0..PASSES {
        let fresh = doomed(root, born).into_iter().filter(|pid| killed.insert(*pid));
        // What has been killed once may still be listed, but forks no more.
        if fresh.map(sys::kill_process).count() == 0 {
            return;
        }
    }
    sys::kill_process(-1);
}

/// The dead among them too: one whose first thread has ended looks dead while its other
/// threads run on.
fn doomed(root: i32, born: ProcessBirth) -> Vec<i32> {
    let processes = all_processes();
    let doomed = processes.keys().filter(|pid| belongs(**pid, root, born, &processes));
    doomed.copied().collect()
}

/// Whether `pid` is `root`, below it, or a stray of it: young, with no elder above it.
fn belongs(pid: i32, root: i32, born: ProcessBirth, processes: &HashMap<i32, ProcessEntry>) -> bool {
    let mut at = pid;
    // Parents form a tree, but it changes while it is read; the bound ends any cycle.
    for _ in 0..=processes.len() {
        if at == root {
            return true;
        }
        match processes.get(&at) {
            Some(process) if at != 1 && process.born < born => return false,
            Some(process) if at != 1 => at = process.parent,
            _ => return pid != 1,
        }
    }
    true
}

fn all_processes() -> HashMap<i32, ProcessEntry> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, read_process(pid)?)))
        .collect()
}

fn read_process(pid: i32) -> Option<ProcessEntry> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, parentheses too: the fields start after the last one.
    let after = stat.iter().rposition(|b| *b == b')')? + 2;
    let text = String::from_utf8_lossy(stat.get(after..)?).into_owned();
    let mut fields = text.split(' ');
    let parent = fields.nth(1)?.parse().ok()?;
    let born = ProcessBirth(fields.nth(17)?.parse().ok()?, pid);
    Some(ProcessEntry { parent, born })
}

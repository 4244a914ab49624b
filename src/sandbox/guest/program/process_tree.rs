//! Kills a command with everything that it has started, however a program tries to escape: own
//! sessions, double forks, stopped processes, fork bombs.
//!
//! `/proc` tells the parent and the start time of each process. A process belongs to the
//! command if the command's shell is among its ancestors. It also belongs to the command if it
//! has lost its parent and is younger than the shell. Processes that are older than the shell,
//! such as background work of earlier commands, are spared with all their descendants.

use crate::sys;
use std::collections::{HashMap, HashSet};
use std::fs;

/// After so many passes in which the tree has still grown, every process is killed. The kernel
/// does that in one call that no fork escapes.
const PASSES: usize = 8;

/// What `/proc` tells of a process.
#[derive(Clone, Copy)]
struct ProcessEntry {
    parent: i32,
    started: ProcessStart,
}

/// When a process began, as (clock ticks since boot, process number). The clock ticks a hundred
/// times a second. For processes of the same tick, the numbers give the order, because the
/// kernel hands them out in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct ProcessStart(u64, i32);

/// Kills the tree below `root`, a child of the guest that is alive or not yet reaped, but nothing
/// that is below a process of `spared`. It adds the numbers of all killed processes to `killed`.
/// They die when they next get a processor, so the caller must still wait for them.
pub fn kill(root: i32, spared: &[i32], killed: &mut HashSet<i32>) {
    // Without the age of the root, nobody can tell which processes belong to it.
    let Some(started) = read_process(root).map(|process| process.started) else {
        return sys::kill_process(-1);
    };
    for _ in 0..PASSES {
        let members = members(root, started, spared).into_iter();
        let fresh = members.filter(|pid| killed.insert(*pid));
        // A pass that finds nobody new is the last one. A killed process may still be listed,
        // but it forks no more.
        if fresh.map(sys::kill_process).count() == 0 {
            return;
        }
    }
    sys::kill_process(-1);
}

/// The processes that belong to the tree. Dead ones are included, because a process whose first
/// thread has ended looks dead while its other threads run on.
fn members(root: i32, started: ProcessStart, spared: &[i32]) -> Vec<i32> {
    let processes = all_processes();
    let members = processes.keys().filter(|pid| belongs(**pid, root, started, spared, &processes));
    members.copied().collect()
}

/// Whether a process belongs to the tree: it is `root`, or `root` is above it, or it is an
/// orphan without an ancestor that is spared or older than `root`. The guest (number 1) never
/// belongs.
fn belongs(
    pid: i32,
    root: i32,
    started: ProcessStart,
    spared: &[i32],
    processes: &HashMap<i32, ProcessEntry>,
) -> bool {
    let mut at = pid;
    // Parents form a tree, but the list was read while it changed. The bound ends the walk if
    // the list has a cycle.
    for _ in 0..=processes.len() {
        if at == root {
            return true;
        }
        if spared.contains(&at) {
            return false;
        }
        match processes.get(&at) {
            Some(process) if at != 1 && process.started < started => return false,
            Some(process) if at != 1 => at = process.parent,
            _ => return pid != 1,
        }
    }
    true
}

/// All processes that can be read, by their numbers.
fn all_processes() -> HashMap<i32, ProcessEntry> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, read_process(pid)?)))
        .collect()
}

/// Reads `/proc/PID/stat`, for example `42 (sh) S 1 42 42 0 ...`. None: the process is gone.
fn read_process(pid: i32) -> Option<ProcessEntry> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces and parentheses, so the fields are counted from
    // the last one. The parent is the second field after it, the start time the twentieth.
    let after = stat.iter().rposition(|b| *b == b')')? + 2;
    let text = String::from_utf8_lossy(stat.get(after..)?).into_owned();
    let mut fields = text.split(' ');
    let parent = fields.nth(1)?.parse().ok()?;
    let started = ProcessStart(fields.nth(17)?.parse().ok()?, pid);
    Some(ProcessEntry { parent, started })
}

//! The cgroups of sandboxes: creates them with their limits, moves builders in, and removes
//! them.
//!
//! Cgroups are written as files: v2 where the host has it, v1 controllers where they are
//! mounted, and none where neither can be written. Every cgroup lies below the engine's own (or,
//! for root, perhaps at the top of the hierarchy), in a directory that is named after its owner, so
//! that a later start can find and remove what a dead owner left (`sweep.rs`). `hierarchy.rs` finds
//! the hierarchies.

use super::hierarchy::{CgroupDiscovery, CgroupEnvironment, create_dir, discover};
use crate::sandbox::namespace::protocol::LaunchPlan;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Microseconds over which the kernel counts a processor share.
const PERIOD: u64 = 100_000;
/// The smallest share of a period, in microseconds, that the kernel accepts.
const LEAST_QUOTA: u64 = 1_000;
/// The pause before the removal of a cgroup is tried again. The kernel releases it a moment
/// after its last process has died.
const KERNEL_PAUSE: Duration = Duration::from_millis(2);

/// The cgroups of one sandbox: one directory in each hierarchy.
pub(super) struct SandboxCgroups {
    directories: Vec<PathBuf>,
    /// Whether one of them limits memory.
    memory: bool,
}

impl SandboxCgroups {
    /// Moves the calling process into the cgroups. Its later children are in them too.
    pub(super) fn join(&self) -> io::Result<()> {
        for directory in &self.directories {
            fs::write(directory.join("cgroup.procs"), "0")?;
        }
        Ok(())
    }

    /// Whether a cgroup limits the memory of this sandbox. If not, resource limits of each
    /// process do.
    pub(super) fn limits_memory(&self) -> bool {
        self.memory
    }
}

/// All cgroups of this launcher.
pub(super) struct CgroupTree {
    found: CgroupDiscovery,
    /// The directories of each sandbox that are not removed yet, by slot.
    groups: HashMap<u64, Vec<PathBuf>>,
}

impl CgroupTree {
    /// Finds out which controllers can be used on this host, by using them.
    pub(super) fn discover() -> Self {
        Self::of(&CgroupEnvironment::this())
    }

    /// The same with what `host` says of the process and its mounts.
    pub(super) fn of(host: &CgroupEnvironment) -> Self {
        Self { found: discover(host), groups: HashMap::new() }
    }

    /// The versions in use: `v2`, `v1`, `v1+v2` or `none`.
    pub(super) fn version(&self) -> &'static str {
        let has = |v2| self.found.hierarchies.iter().any(|h| h.v2 == v2);
        match (has(true), has(false)) {
            (true, true) => "v1+v2",
            (true, false) => "v2",
            (false, true) => "v1",
            (false, false) => "none",
        }
    }

    /// Each controller with the directory in which it is enforced, or with the reason why it is
    /// not.
    pub(super) fn report(&self) -> BTreeMap<String, Result<String, String>> {
        let lacking = self.found.unavailable.iter();
        let mut report: BTreeMap<String, Result<String, String>> =
            lacking.map(|(c, why)| ((*c).to_owned(), Err(why.clone()))).collect();
        for hierarchy in &self.found.hierarchies {
            for controller in &hierarchy.controllers {
                let place = hierarchy.directory.display().to_string();
                report.insert((*controller).to_owned(), Ok(place));
            }
        }
        report
    }

    /// Sandboxes of dead owners that were removed at the start.
    pub(super) fn swept(&self) -> u32 {
        u32::try_from(self.found.swept.len()).unwrap_or(u32::MAX)
    }

    /// Makes the cgroups of a sandbox and writes their limits. An error names the step that
    /// failed; the directories made so far are known, so [`CgroupTree::remove`] removes them.
    pub(super) fn create(
        &mut self,
        slot: u64,
        plan: &LaunchPlan,
    ) -> Result<SandboxCgroups, (&'static str, io::Error)> {
        let mut group = SandboxCgroups { directories: Vec::new(), memory: false };
        for hierarchy in &self.found.hierarchies {
            let directory = hierarchy.directory.join(format!("sb-{slot}"));
            create_dir(&directory).map_err(|e| ("create a cgroup", e))?;
            self.groups.entry(slot).or_default().push(directory.clone());
            for controller in &hierarchy.controllers {
                write_limits(&directory, hierarchy.v2, controller, plan)
                    .map_err(|e| ("limit a cgroup", e))?;
                group.memory |= *controller == "memory";
            }
            group.directories.push(directory);
        }
        Ok(group)
    }

    /// What enforces each limit of a sandbox, and the file with the count of processes that
    /// were killed because memory was exhausted.
    pub(super) fn facts(&self, slot: u64) -> (BTreeMap<String, String>, Option<String>) {
        let mut facts = super::fallback_facts();
        let mut events = None;
        for hierarchy in &self.found.hierarchies {
            let version = if hierarchy.v2 { "v2" } else { "v1" };
            for controller in &hierarchy.controllers {
                let limit = if *controller == "pids" { "processes" } else { controller };
                facts.insert(limit.to_owned(), format!("cgroup {version}"));
                if *controller == "memory" {
                    let file = if hierarchy.v2 { "memory.events" } else { "memory.oom_control" };
                    let path = hierarchy.directory.join(format!("sb-{slot}")).join(file);
                    events = Some(path.display().to_string());
                }
            }
        }
        (facts, events)
    }

    /// Removes the cgroups of a dead sandbox. False: the kernel has not released one yet, so it
    /// must be tried again.
    pub(super) fn remove(&mut self, slot: u64) -> bool {
        let Some(directories) = self.groups.get_mut(&slot) else { return true };
        directories.retain(|directory| {
            let gone = fs::remove_dir(directory);
            gone.is_err_and(|error| error.kind() != io::ErrorKind::NotFound)
        });
        let done = directories.is_empty();
        if done {
            self.groups.remove(&slot);
        }
        done
    }

    /// Removes the cgroups of all these sandboxes and the owner's directories, at the
    /// launcher's end. It waits up to two seconds for the kernel.
    pub(super) fn remove_all(&mut self, slots: &[u64]) {
        for _ in 0..1_000 {
            let all_gone = slots.iter().filter(|slot| !self.remove(**slot)).count() == 0;
            if all_gone {
                break;
            }
            std::thread::sleep(KERNEL_PAUSE);
        }
        for hierarchy in &self.found.hierarchies {
            // It stays only if the kernel has not released a cgroup; the next start removes it.
            fs::remove_dir(&hierarchy.directory).ok();
        }
    }
}

/// Writes the limits of one controller. Swap is turned off where the kernel counts it, so that
/// the memory limit is not exceeded by swapping; a kernel that does not count it is no error.
fn write_limits(directory: &Path, v2: bool, controller: &str, plan: &LaunchPlan) -> io::Result<()> {
    let write = |file: &str, value: String| fs::write(directory.join(file), value);
    let quota = (u64::from(plan.cpu_millis) * 100).max(LEAST_QUOTA);
    let memory = plan.memory_with_areas();
    match (controller, v2) {
        ("memory", true) => {
            write("memory.max", memory.to_string())?;
            write("memory.swap.max", "0".to_owned()).ok();
            Ok(())
        }
        ("memory", false) => {
            write("memory.limit_in_bytes", memory.to_string())?;
            write("memory.memsw.limit_in_bytes", memory.to_string()).ok();
            Ok(())
        }
        ("pids", _) => write("pids.max", plan.processes.to_string()),
        ("cpu", true) => write("cpu.max", format!("{quota} {PERIOD}")),
        ("cpu", false) => {
            write("cpu.cfs_period_us", PERIOD.to_string())?;
            match write("cpu.cfs_quota_us", quota.to_string()) {
                // The share is more than the parent cgroup has, so the parent's limit holds.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
                other => other,
            }
        }
        _ => Ok(()),
    }
}

//! Cgroups, written as files: v2 where the host has it, v1 controllers where they are
//! mounted, nothing where neither can be written. Every group lies below the engine's own,
//! in a directory named after its owner, so that a sweep can tell whose it was.

use super::hierarchy::{CgroupDiscovery, CgroupEnvironment, create_dir, discover};
use crate::sandbox::namespace::protocol::LaunchPlan;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Microseconds in which a processor share is counted, and the least the kernel grants.
const PERIOD: u64 = 100_000;
const LEAST_QUOTA: u64 = 1_000;
/// The kernel lets go of a group a moment after its last process has died.
const KERNEL_PAUSE: Duration = Duration::from_millis(2);

/// The groups of one sandbox.
pub(super) struct SandboxCgroups {
    directories: Vec<PathBuf>,
    memory: bool,
}

impl SandboxCgroups {
    /// Moves the calling process in.
    pub(super) fn join(&self) -> io::Result<()> {
        for directory in &self.directories {
            fs::write(directory.join("cgroup.procs"), "0")?;
        }
        Ok(())
    }

    pub(super) fn limits_memory(&self) -> bool {
        self.memory
    }
}

pub(super) struct CgroupTree {
    found: CgroupDiscovery,
    groups: HashMap<u64, Vec<PathBuf>>,
}

impl CgroupTree {
    /// Finds what can be used, by using it.
    pub(super) fn discover() -> Self {
        Self::of(&CgroupEnvironment::this())
    }

    pub(super) fn of(host: &CgroupEnvironment) -> Self {
        Self { found: discover(host), groups: HashMap::new() }
    }

    pub(super) fn version(&self) -> &'static str {
        let has = |v2| self.found.hierarchies.iter().any(|h| h.v2 == v2);
        match (has(true), has(false)) {
            (true, true) => "v1+v2",
            (true, false) => "v2",
            (false, true) => "v1",
            (false, false) => "none",
        }
    }

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

    pub(super) fn swept(&self) -> u32 {
        u32::try_from(self.found.swept.len()).unwrap_or(u32::MAX)
    }

    /// Makes the groups of a sandbox, with their limits.
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

    /// What enforces each limit of a sandbox, and where its out-of-memory kills are counted.
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

    /// Removes the groups of a dead sandbox. False: the kernel still holds one; try again.
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

    /// Removes everything at the launcher's end, waiting for what the kernel still holds.
    pub(super) fn remove_all(&mut self, slots: &[u64]) {
        for _ in 0..1_000 {
            let all_gone = slots.iter().filter(|slot| !self.remove(**slot)).count() == 0;
            if all_gone {
                break;
            }
            std::thread::sleep(KERNEL_PAUSE);
        }
        for hierarchy in &self.found.hierarchies {
            // Left behind only if the kernel still holds a group; the next start sweeps it.
            fs::remove_dir(&hierarchy.directory).ok();
        }
    }
}

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
                // More than the group above has: then that one is the limit.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
                other => other,
            }
        }
        _ => Ok(()),
    }
}

//! Cgroups, written as files: v2 where the host has it, v1 controllers where they are
//! mounted, nothing where neither can be written. Every group lies below the engine's own,
//! in a directory named after its owner, so that a sweep can tell whose it was.

use super::sweep::{self, Owner};
use crate::sandbox::namespace::protocol::Plan;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
const MOUNTS: &str = "/proc/self/mountinfo";
const MEMBERSHIP: &str = "/proc/self/cgroup";

/// One hierarchy that bounds something here.
struct Hierarchy {
    v2: bool,
    /// The owner's directory in it.
    directory: PathBuf,
    controllers: Vec<&'static str>,
}

/// The groups of one sandbox.
pub(super) struct Group {
    directories: Vec<PathBuf>,
    memory: bool,
}

impl Group {
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

pub(super) struct Cgroups {
    hierarchies: Vec<Hierarchy>,
    unavailable: BTreeMap<&'static str, String>,
    groups: HashMap<u64, Vec<PathBuf>>,
    swept: u32,
}

impl Cgroups {
    /// Finds what can be used, by using it.
    pub(super) fn discover() -> Self {
        let mut found = Self {
            hierarchies: Vec::new(),
            unavailable: BTreeMap::new(),
            groups: HashMap::new(),
            swept: 0,
        };
        let mounts = fs::read_to_string(MOUNTS).unwrap_or_default();
        let membership = fs::read_to_string(MEMBERSHIP).unwrap_or_default();
        let mut missing: Vec<&'static str> = CONTROLLERS.to_vec();
        for place in v2_places(&mounts, &membership) {
            found.try_v2(&place, &mut missing);
        }
        for controller in missing {
            match own_directory(&mounts, &membership, Some(controller)) {
                Some(own) => found.try_v1(&own, controller),
                None => found.lacks(controller, "no cgroup hierarchy offers this controller"),
            }
        }
        found
    }

    fn lacks(&mut self, controller: &'static str, why: &str) {
        self.unavailable.entry(controller).or_insert_with(|| why.to_owned());
    }

    fn try_v2(&mut self, own: &Path, missing: &mut Vec<&'static str>) {
        let offered = fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
        let wanted: Vec<&'static str> = missing
            .iter()
            .copied()
            .filter(|c| offered.split_whitespace().any(|o| o == *c))
            .collect();
        if wanted.is_empty() {
            return;
        }
        match self.claim_v2(own, &wanted) {
            Ok(hierarchy) => {
                missing.retain(|c| !hierarchy.controllers.contains(c));
                self.hierarchies.push(hierarchy);
            }
            Err(error) => {
                for controller in wanted {
                    self.lacks(controller, &format!("{}: {error}", own.display()));
                }
            }
        }
    }

    /// A v2 group with processes of its own may not hand controllers down, so the engine
    /// first moves into a leaf beside the sandboxes.
    fn claim_v2(&mut self, own: &Path, wanted: &[&'static str]) -> io::Result<Hierarchy> {
        self.swept += sweep::groups(own);
        let enable: Vec<String> = wanted.iter().map(|c| format!("+{c}")).collect();
        let switch = own.join("cgroup.subtree_control");
        if fs::write(&switch, enable.join(" ")).is_err() {
            move_engine_aside(own)?;
            fs::write(&switch, enable.join(" "))?;
        }
        let directory = own.join(Owner::this().group_name());
        create_dir(&directory)?;
        fs::write(directory.join("cgroup.subtree_control"), enable.join(" "))?;
        Ok(Hierarchy { v2: true, directory, controllers: wanted.to_vec() })
    }

    fn try_v1(&mut self, own: &Path, controller: &'static str) {
        self.swept += sweep::groups(own);
        let directory = own.join(Owner::this().group_name());
        match create_dir(&directory) {
            Ok(()) => self.hierarchies.push(Hierarchy {
                v2: false,
                directory,
                controllers: vec![controller],
            }),
            Err(error) => self.lacks(controller, &format!("{}: {error}", own.display())),
        }
    }

    pub(super) fn version(&self) -> &'static str {
        let has = |v2| self.hierarchies.iter().any(|h| h.v2 == v2);
        match (has(true), has(false)) {
            (true, true) => "v1+v2",
            (true, false) => "v2",
            (false, true) => "v1",
            (false, false) => "none",
        }
    }

    pub(super) fn report(&self) -> BTreeMap<String, Result<String, String>> {
        let mut report: BTreeMap<String, Result<String, String>> =
            self.unavailable.iter().map(|(c, why)| ((*c).to_owned(), Err(why.clone()))).collect();
        for hierarchy in &self.hierarchies {
            for controller in &hierarchy.controllers {
                let place = hierarchy.directory.display().to_string();
                report.insert((*controller).to_owned(), Ok(place));
            }
        }
        report
    }

    pub(super) fn swept(&self) -> u32 {
        self.swept
    }

    /// Makes the groups of a sandbox, with their limits.
    pub(super) fn create(
        &mut self,
        slot: u64,
        plan: &Plan,
    ) -> Result<Group, (&'static str, io::Error)> {
        let mut group = Group { directories: Vec::new(), memory: false };
        for hierarchy in &self.hierarchies {
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
        for hierarchy in &self.hierarchies {
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
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        for hierarchy in &self.hierarchies {
            // Left behind only if the kernel still holds a group; the next start sweeps it.
            fs::remove_dir(&hierarchy.directory).ok();
        }
    }
}

/// The engine's own group; for root also the top, for an engine that was started from
/// somebody's session among processes that are not ours to move.
fn v2_places(mounts: &str, membership: &str) -> Vec<PathBuf> {
    let own = own_directory(mounts, membership, None);
    let top = own_directory(mounts, "0::/", None).filter(|_| super::sys::effective_uid() == 0);
    own.into_iter().chain(top).collect()
}

/// Moves engine and launcher into a leaf, where the group holds nobody else.
fn move_engine_aside(own: &Path) -> io::Result<()> {
    let ours = [std::process::id(), std::os::unix::process::parent_id()];
    let members = fs::read_to_string(own.join("cgroup.procs"))?;
    if members.lines().any(|pid| !ours.iter().any(|our| our.to_string() == pid)) {
        return Err(io::Error::other("the group holds other processes than the engine"));
    }
    let leaf = own.join("synthd-engine");
    create_dir(&leaf)?;
    for pid in members.lines() {
        fs::write(leaf.join("cgroup.procs"), pid)?;
    }
    Ok(())
}

fn create_dir(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn write_limits(directory: &Path, v2: bool, controller: &str, plan: &Plan) -> io::Result<()> {
    let write = |file: &str, value: String| fs::write(directory.join(file), value);
    // The work areas are memory too; they have caps of their own and must not eat into
    // what processes may use, or filling a disk would kill the guest.
    let memory = plan.memory_bytes.saturating_add(plan.disk_bytes.saturating_mul(2));
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
        ("cpu", true) => write("cpu.max", format!("{} 100000", u64::from(plan.cpu_millis) * 100)),
        ("cpu", false) => {
            write("cpu.cfs_period_us", "100000".to_owned())?;
            write("cpu.cfs_quota_us", (u64::from(plan.cpu_millis) * 100).to_string())
        }
        _ => Ok(()),
    }
}

/// The directory of this process's own group in a hierarchy: v2, or v1 with a controller.
fn own_directory(mounts: &str, membership: &str, controller: Option<&str>) -> Option<PathBuf> {
    let path = membership.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (number, names, path) = (fields.next()?, fields.next()?, fields.next()?);
        let ours = match controller {
            None => number == "0" && names.is_empty(),
            Some(controller) => names.split(',').any(|name| name == controller),
        };
        ours.then(|| path.to_owned())
    })?;
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let left: Vec<&str> = left.split(' ').collect();
        let right: Vec<&str> = right.split(' ').collect();
        let (root, at) = (*left.get(3)?, *left.get(4)?);
        let ours = match controller {
            None => right.first() == Some(&"cgroup2"),
            Some(controller) => {
                right.first() == Some(&"cgroup")
                    && right.get(2)?.split(',').any(|option| option == controller)
            }
        };
        // Inside a container the mount shows only a part of the hierarchy.
        let below = path.strip_prefix(root.trim_end_matches('/')).unwrap_or(&path);
        ours.then(|| Path::new(at).join(below.trim_start_matches('/')))
    })
}

#[cfg(test)]
mod tests {
    use super::own_directory;
    use std::path::PathBuf;

    const MOUNTS: &str = "\
29 20 0:25 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs rw,mode=755
30 29 0:26 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory
31 29 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
32 29 0:28 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
33 29 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw";
    const MEMBERSHIP: &str = "\
9:pids:/docker/abc/task
4:memory:/user/one
3:cpu,cpuacct:/
0::/user.slice/session.scope";

    #[test]
    fn finds_each_hierarchy() {
        let own = |controller| own_directory(MOUNTS, MEMBERSHIP, controller);
        assert_eq!(own(Some("memory")), Some(PathBuf::from("/sys/fs/cgroup/memory/user/one")));
        assert_eq!(own(Some("cpu")), Some(PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/")));
        assert_eq!(own(Some("pids")), Some(PathBuf::from("/sys/fs/cgroup/pids/task")));
        let unified = PathBuf::from("/sys/fs/cgroup/unified/user.slice/session.scope");
        assert_eq!(own(None), Some(unified));
        assert_eq!(own(Some("io")), None);
    }
}

//! Finding the cgroup hierarchies this process may make groups in, by making one.
//!
//! ```text
//!  v2   own group ─ processes in it? ─► engine moves into the leaf synthd-engine
//!          │  +memory +pids +cpu in cgroup.subtree_control
//!          └─ synthd-<pid ns>-<pid>-<start>   the owner, same controllers handed on
//!                └─ sb-<slot>                 a sandbox, with its limits
//!  v1   the same below each controller's own hierarchy; nothing needs to be handed on
//! ```

use super::sweep::{self, CgroupOwner};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// Where the engine goes so that its group may hand controllers down.
const LEAF: &str = "synthd-engine";
const SWITCH: &str = "cgroup.subtree_control";
const NOBODY_OFFERS: &str = "no cgroup hierarchy offers this controller";

/// What the kernel says of this process and its mounts; a test says something else.
pub(super) struct CgroupEnvironment {
    pub(super) mounts: String,
    pub(super) membership: String,
    pub(super) root: bool,
    /// The engine and this launcher, which may be moved.
    pub(super) ours: Vec<u32>,
}

impl CgroupEnvironment {
    pub(super) fn this() -> Self {
        Self {
            mounts: fs::read_to_string("/proc/self/mountinfo").unwrap_or_default(),
            membership: fs::read_to_string("/proc/self/cgroup").unwrap_or_default(),
            root: super::sys::effective_uid() == 0,
            ours: vec![std::process::id(), std::os::unix::process::parent_id()],
        }
    }
}

/// One hierarchy that bounds something here.
pub(super) struct CgroupHierarchy {
    pub(super) v2: bool,
    /// The owner's directory in it.
    pub(super) directory: PathBuf,
    pub(super) controllers: Vec<&'static str>,
}

/// What was found, and why the rest was not.
#[derive(Default)]
pub(super) struct CgroupDiscovery {
    pub(super) hierarchies: Vec<CgroupHierarchy>,
    pub(super) unavailable: BTreeMap<&'static str, String>,
    /// Sandboxes of dead owners that were removed; one may have had several groups.
    pub(super) swept: BTreeSet<String>,
}

/// v2 comes first; v1 only for what it lacks.
pub(super) fn discover(host: &CgroupEnvironment) -> CgroupDiscovery {
    let mut found = CgroupDiscovery::default();
    let mut missing: Vec<&'static str> = CONTROLLERS.to_vec();
    for place in v2_places(host) {
        found.try_v2(&place, &mut missing, host);
    }
    for controller in missing {
        match own_directory(&host.mounts, &host.membership, Some(controller)) {
            Some(own) => found.try_v1(&own, controller),
            None => found.lacks(controller, NOBODY_OFFERS.to_owned()),
        }
    }
    let CgroupDiscovery { hierarchies, unavailable, .. } = &mut found;
    let offered = |c: &&str| hierarchies.iter().any(|h| h.controllers.contains(c));
    unavailable.retain(|controller, _| !offered(controller));
    found
}

impl CgroupDiscovery {
    fn lacks(&mut self, controller: &'static str, why: String) {
        self.unavailable.entry(controller).or_insert(why);
    }

    fn try_v2(&mut self, own: &Path, missing: &mut Vec<&'static str>, host: &CgroupEnvironment) {
        let offered = words(&own.join("cgroup.controllers"));
        let mut wanted = missing.clone();
        wanted.retain(|controller| offered.iter().any(|offer| offer == controller));
        if wanted.is_empty() {
            return;
        }
        self.swept.extend(sweep::remove_dead_groups(own));
        match self.claim_v2(own, &wanted, host) {
            Ok(hierarchy) => {
                missing.retain(|c| !hierarchy.controllers.contains(c));
                self.hierarchies.push(hierarchy);
            }
            Err(error) => {
                for controller in wanted {
                    self.lacks(controller, format!("{}: {error}", own.display()));
                }
            }
        }
    }

    fn claim_v2(
        &mut self,
        own: &Path,
        wanted: &[&'static str],
        host: &CgroupEnvironment,
    ) -> io::Result<CgroupHierarchy> {
        let enabled = words(&own.join(SWITCH));
        if wanted.iter().any(|c| !enabled.iter().any(|e| e == c)) {
            make_room(own, host)?;
        }
        let directory = own.join(CgroupOwner::this().group_name());
        let mut controllers = Vec::new();
        for controller in wanted {
            // One by one: a single word the kernel refuses would refuse them all.
            match hand_down(own, controller) {
                Ok(()) => controllers.push(*controller),
                Err(error) => self.lacks(controller, format!("{}: {error}", own.display())),
            }
        }
        create_dir(&directory)?;
        for controller in &controllers {
            hand_down(&directory, controller)?;
        }
        if controllers.contains(&"cpu") {
            weigh(&directory, "cpu.weight", 100, 10_000);
        }
        Ok(CgroupHierarchy { v2: true, directory, controllers })
    }

    fn try_v1(&mut self, own: &Path, controller: &'static str) {
        self.swept.extend(sweep::remove_dead_groups(own));
        let directory = own.join(CgroupOwner::this().group_name());
        match create_dir(&directory) {
            Ok(()) => {
                if controller == "cpu" {
                    weigh(&directory, "cpu.shares", 1024, 262_144);
                }
                let controllers = vec![controller];
                self.hierarchies.push(CgroupHierarchy { v2: false, directory, controllers });
            }
            Err(error) => self.lacks(controller, format!("{}: {error}", own.display())),
        }
    }
}

/// To the scheduler the owner's group is one process like any other beside it, but many
/// sandboxes have to share what it gets: it counts as two for every processor. A kernel
/// that refuses only makes them slower on a busy host.
fn weigh(owner: &Path, file: &str, one: usize, most: usize) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    fs::write(owner.join(file), (2 * processors * one).min(most).to_string()).ok();
}

fn words(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn hand_down(group: &Path, controller: &str) -> io::Result<()> {
    fs::write(group.join(SWITCH), format!("+{controller}"))
}

/// The engine's own group; for root also the top, for an engine that was started from
/// somebody's session among processes that are not ours to move.
fn v2_places(host: &CgroupEnvironment) -> Vec<PathBuf> {
    let own = own_directory(&host.mounts, &host.membership, None).map(|own| {
        // A launcher started before this one may have moved the engine aside already.
        match own.parent().filter(|_| own.ends_with(LEAF)) {
            Some(parent) => parent.to_owned(),
            None => own,
        }
    });
    let top = own_directory(&host.mounts, "0::/", None).filter(|_| host.root);
    own.into_iter().chain(top).collect()
}

/// A group other than the root may hand controllers down only while no process is in it:
/// engine and launcher move into a leaf, and nobody else may be there.
fn make_room(own: &Path, host: &CgroupEnvironment) -> io::Result<()> {
    // The root, which is exempt, is the one group without a type.
    if !own.join("cgroup.type").exists() {
        return Ok(());
    }
    let members = words(&own.join("cgroup.procs"));
    let ours = |pid: &String| host.ours.iter().any(|our| our.to_string() == *pid);
    if !members.iter().all(ours) {
        return Err(io::Error::other("the group holds other processes than the engine"));
    }
    if members.is_empty() {
        return Ok(());
    }
    let leaf = own.join(LEAF);
    create_dir(&leaf)?;
    // Moving a process moves all its threads; the kernel takes one pid a write.
    members.iter().try_for_each(|pid| fs::write(leaf.join("cgroup.procs"), pid))
}

pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// The directory of this process's own group in a hierarchy: v2, or v1 with a controller.
pub(super) fn own_directory(
    mounts: &str,
    membership: &str,
    controller: Option<&str>,
) -> Option<PathBuf> {
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
        ours.then(|| below(at, root, &path)).flatten()
    })
}

/// The group `path` as seen through a mount at `at` that shows only what is below `root`,
/// as it does inside a container. None: the group is outside of what can be seen.
fn below(at: &str, root: &str, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let shown = path.strip_prefix(root).ok()?;
    let outside = shown.components().any(|part| part == Component::ParentDir);
    (!outside).then(|| Path::new(at).join(shown))
}

//! Finds the cgroup hierarchies in which this process may make cgroups, by making one.
//!
//! Every controller is tried by making a cgroup with it. A controller that cannot be used is
//! noted with the reason, which `synthd doctor` shows.
//!
//! ```text
//!  v2   own group ─ processes in it? ─► engine moves into the leaf synthd-engine
//!          │  +memory +pids +cpu in cgroup.subtree_control
//!          └─ synthd-<pid ns>-<pid>-<start>   the owner, same controllers handed on
//!                └─ sb-<slot>                 a sandbox, with its limits
//!  v1   the same below each controller's own hierarchy; nothing needs to be handed on
//! ```

use super::sweep;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The controllers that limit a sandbox.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// The cgroup into which the engine moves, so that its former cgroup may hand controllers down.
const LEAF: &str = "synthd-engine";
/// The file that names the controllers which a cgroup hands down to its children.
const SWITCH: &str = "cgroup.subtree_control";
/// The reason for a controller that no hierarchy has.
const NOBODY_OFFERS: &str = "no cgroup hierarchy offers this controller";

/// What the kernel says of this process and its mounts. Tests use other values.
pub(super) struct CgroupEnvironment {
    /// The text of `/proc/self/mountinfo`.
    pub(super) mounts: String,
    /// The text of `/proc/self/cgroup`, with lines such as `0::/user.slice`.
    pub(super) membership: String,
    pub(super) root: bool,
    /// The process numbers of the launcher and the engine, which may be moved.
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

/// One hierarchy in which sandboxes get limits.
pub(super) struct CgroupHierarchy {
    pub(super) v2: bool,
    /// The directory of this owner, below which sandboxes get their cgroups.
    pub(super) directory: PathBuf,
    /// The controllers that it enforces.
    pub(super) controllers: Vec<&'static str>,
}

/// The hierarchies that can be used, and why the other controllers cannot.
#[derive(Default)]
pub(super) struct CgroupDiscovery {
    pub(super) hierarchies: Vec<CgroupHierarchy>,
    /// Each controller that nothing enforces, with the first reason that was found.
    pub(super) unavailable: BTreeMap<&'static str, String>,
    /// Sandboxes of dead owners that were removed. It is a set, because one sandbox may have
    /// had a cgroup in each of several hierarchies.
    pub(super) swept: BTreeSet<String>,
}

/// Finds a hierarchy for each controller. Hierarchies of v2 are tried first, and v1 only for
/// the controllers that v2 does not give.
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
    /// Notes why a controller cannot be used. The first reason stays.
    fn lacks(&mut self, controller: &'static str, why: String) {
        self.unavailable.entry(controller).or_insert(why);
    }

    /// Tries a cgroup of v2 as the parent of the owner's directory. On success, the controllers
    /// that it gives are no longer missing.
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

    /// Makes the owner's directory and hands the controllers down to it.
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
        let directory = own.join(sweep::own_group());
        let mut controllers = Vec::new();
        for controller in wanted {
            // One by one, because the kernel refuses a whole write if it refuses one word of
            // it.
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

    /// Tries a cgroup of v1 for one controller.
    fn try_v1(&mut self, own: &Path, controller: &'static str) {
        self.swept.extend(sweep::remove_dead_groups(own));
        let directory = own.join(sweep::own_group());
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

/// Gives the owner's cgroup a higher share of busy processors. The scheduler treats a cgroup
/// like one process, but many sandboxes have to share what this one gets, so it counts as two
/// processes for each processor. A kernel that refuses this only makes sandboxes slower on a
/// busy host.
fn weigh(owner: &Path, file: &str, one: usize, most: usize) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    fs::write(owner.join(file), (2 * processors * one).min(most).to_string()).ok();
}

/// The words in a file. The list is empty if the file cannot be read.
fn words(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// Makes a controller available to the children of a cgroup.
fn hand_down(group: &Path, controller: &str) -> io::Result<()> {
    fs::write(group.join(SWITCH), format!("+{controller}"))
}

/// The cgroups of v2 to try, in this order: the engine's own, and for root also the top. The
/// top serves an engine that was started in a session of a person, among processes that are not
/// the engine's to move.
fn v2_places(host: &CgroupEnvironment) -> Vec<PathBuf> {
    let own = own_directory(&host.mounts, &host.membership, None).map(|own| {
        // An earlier launcher may have moved the engine into the leaf already.
        match own.parent().filter(|_| own.ends_with(LEAF)) {
            Some(parent) => parent.to_owned(),
            None => own,
        }
    });
    let top = own_directory(&host.mounts, "0::/", None).filter(|_| host.root);
    own.into_iter().chain(top).collect()
}

/// Empties a cgroup so that it may hand controllers down. The kernel allows that only to a
/// cgroup without processes, except at the root of the hierarchy. The engine and the launcher
/// move into a leaf. Any other process there is an error, because it is not the engine's to
/// move.
fn make_room(own: &Path, host: &CgroupEnvironment) -> io::Result<()> {
    // Only the root, to which the rule does not apply, lacks this file.
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
    // Moving a process moves all its threads. The kernel takes one process number in a write.
    members.iter().try_for_each(|pid| fs::write(leaf.join("cgroup.procs"), pid))
}

/// Makes a directory. One that exists already is fine.
pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// The directory of this process's own cgroup: in v2 without a controller, in v1 with one.
/// None: there is no such hierarchy, or the cgroup cannot be seen through its mount.
pub(super) fn own_directory(
    mounts: &str,
    membership: &str,
    controller: Option<&str>,
) -> Option<PathBuf> {
    // A line of the membership is `number:controllers:path`. For v2 the number is 0 and there
    // are no controllers.
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

/// The directory of the cgroup `path`, seen through a mount at `at`. Inside a container, the
/// mount shows only the part of the hierarchy below `root`. None: the cgroup is outside of that
/// part.
fn below(at: &str, root: &str, path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let shown = path.strip_prefix(root).ok()?;
    let outside = shown.components().any(|part| part == Component::ParentDir);
    (!outside).then(|| Path::new(at).join(shown))
}

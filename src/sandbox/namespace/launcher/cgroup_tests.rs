//! The cgroup files against directories that look like the kernel's.

use super::cgroup::CgroupTree;
use super::hierarchy::{CgroupEnvironment, own_directory};
use super::sweep::own_group;
use crate::sandbox::namespace::protocol::LaunchPlan;
use std::fs;
use std::path::{Path, PathBuf};

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

/// A v2 group of this process's own, at a temporary place.
struct Fake {
    place: tempfile::TempDir,
    host: CgroupEnvironment,
}

impl Fake {
    fn new(controllers: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let at = place.path().display();
        let mounts = format!(
            "33 29 0:29 / {at}/v2 rw - cgroup2 cgroup2 rw\n\
             30 29 0:26 / {at}/memory rw - cgroup cgroup rw,memory\n"
        );
        let membership = "4:memory:/\n0::/own\n".to_owned();
        let host = CgroupEnvironment { mounts, membership, root: false, ours: vec![41, 42] };
        let fake = Self { place, host };
        fs::create_dir_all(fake.own()).unwrap();
        fs::create_dir_all(fake.place.path().join("memory")).unwrap();
        fake.set("cgroup.controllers", controllers);
        fake.set("cgroup.type", "domain\n");
        fake.set("cgroup.procs", "");
        fake
    }

    fn own(&self) -> PathBuf {
        self.place.path().join("v2/own")
    }

    fn set(&self, file: &str, text: &str) {
        fs::write(self.own().join(file), text).unwrap();
    }

    fn owner(&self) -> PathBuf {
        self.own().join(own_group())
    }
}

fn plan() -> LaunchPlan {
    LaunchPlan {
        memory_bytes: 1 << 30,
        processes: 77,
        disk_bytes: 1 << 20,
        inodes: 100,
        cpu_millis: 1_500,
        root: None,
        sealed: false,
    }
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_default()
}

#[test]
fn v2_hands_controllers_down_twice_and_limits_the_sandbox() {
    let fake = Fake::new("cpuset cpu io memory pids\n");
    let mut cgroups = CgroupTree::of(&fake.host);
    assert_eq!(cgroups.version(), "v2");
    assert!(cgroups.report().values().all(Result::is_ok), "{:?}", cgroups.report());
    let group = cgroups.create(7, &plan()).unwrap();
    assert!(group.limits_memory());
    // The last of three writes is what a plain file keeps.
    assert_eq!(text(&fake.own().join("cgroup.subtree_control")), "+cpu");
    assert_eq!(text(&fake.owner().join("cgroup.subtree_control")), "+cpu");
    let sandbox = fake.owner().join("sb-7");
    let memory = (1_u64 << 30) + (2 << 20);
    assert_eq!(text(&sandbox.join("memory.max")), memory.to_string());
    assert_eq!(text(&sandbox.join("memory.swap.max")), "0");
    assert_eq!(text(&sandbox.join("pids.max")), "77");
    assert_eq!(text(&sandbox.join("cpu.max")), "150000 100000");
    let (facts, events) = cgroups.facts(7);
    assert_eq!(facts["memory"], "cgroup v2");
    assert_eq!(events, Some(sandbox.join("memory.events").display().to_string()));
    group.join().unwrap();
    assert_eq!(text(&sandbox.join("cgroup.procs")), "0");
}

#[test]
fn the_kernel_grants_no_quota_below_a_millisecond() {
    let fake = Fake::new("cpu");
    let mut cgroups = CgroupTree::of(&fake.host);
    cgroups.create(1, &LaunchPlan { cpu_millis: 1, ..plan() }).unwrap();
    assert_eq!(text(&fake.owner().join("sb-1/cpu.max")), "1000 100000");
}

#[test]
fn engine_and_launcher_make_room_in_their_own_group() {
    let fake = Fake::new("memory pids cpu");
    fake.set("cgroup.procs", "42\n41\n");
    let cgroups = CgroupTree::of(&fake.host);
    assert_eq!(cgroups.version(), "v2");
    assert_eq!(text(&fake.own().join("synthd-engine/cgroup.procs")), "41");
}

#[test]
fn a_group_that_hands_down_already_is_left_alone() {
    let fake = Fake::new("memory pids cpu");
    fake.set("cgroup.subtree_control", "cpu memory pids\n");
    fake.set("cgroup.procs", "42\n");
    assert_eq!(CgroupTree::of(&fake.host).version(), "v2");
    assert!(!fake.own().join("synthd-engine").exists());
}

#[test]
fn a_later_launcher_does_not_go_below_the_leaf_of_an_earlier() {
    let mut fake = Fake::new("memory pids cpu");
    fake.set("cgroup.subtree_control", "cpu memory pids\n");
    fs::create_dir(fake.own().join("synthd-engine")).unwrap();
    fake.host.membership = "0::/own/synthd-engine\n".to_owned();
    assert_eq!(CgroupTree::of(&fake.host).version(), "v2");
    assert!(fake.owner().exists());
}

#[test]
fn strangers_in_the_group_are_not_moved_and_v1_takes_over_what_it_can() {
    let fake = Fake::new("memory pids cpu");
    fake.set("cgroup.procs", "42\n1000\n");
    let cgroups = CgroupTree::of(&fake.host);
    assert_eq!(cgroups.version(), "v1");
    let report = cgroups.report();
    assert!(report["memory"].as_ref().unwrap().contains("/memory/"));
    let why = report["pids"].as_ref().unwrap_err();
    assert!(why.contains("other processes than the engine"), "{why}");
    assert!(!fake.own().join("synthd-engine").exists());
}

#[test]
fn the_root_group_needs_no_room() {
    let fake = Fake::new("memory pids cpu");
    fs::remove_file(fake.own().join("cgroup.type")).unwrap();
    fake.set("cgroup.procs", "1\n2\n");
    assert_eq!(CgroupTree::of(&fake.host).version(), "v2");
}

#[test]
fn a_controller_nobody_offers_is_named() {
    let fake = Fake::new("pids");
    let report = CgroupTree::of(&fake.host).report();
    assert!(report["pids"].is_ok() && report["memory"].is_ok());
    assert_eq!(report["cpu"], Err("no cgroup hierarchy offers this controller".to_owned()));
}

#[test]
fn groups_outside_of_what_a_mount_shows_are_not_used() {
    let mounts = "33 29 0:29 /docker/a /sys/fs/cgroup rw - cgroup2 cgroup2 rw";
    assert_eq!(own_directory(mounts, "0::/docker/ab", None), None);
    assert_eq!(own_directory(mounts, "0::/docker/a/../b", None), None);
    assert_eq!(own_directory(mounts, "0::/docker/a/x", None), Some("/sys/fs/cgroup/x".into()));
}

//! What a container engine enforces, as it says of itself.

use crate::sandbox::HostFacts;
use bollard::models::SystemInfo;
use std::collections::BTreeMap;
use synthd_actors::model::Enforcement;

pub(super) fn of(info: &SystemInfo, caps_inodes: bool, swept: u32) -> HostFacts {
    let says = |said: Option<bool>, how: &str, lacks: &str| match said {
        Some(true) => Ok(how.to_owned()),
        _ => Err(format!("the engine says it has no {lacks}")),
    };
    let option = |name: &str| {
        let options = info.security_options.iter().flatten();
        options.into_iter().any(|option| option.contains(&format!("name={name}")))
    };
    let users = if option("userns") || option("rootless") { "user, " } else { "" };
    let version = cgroup_version(info);
    let by = format!("cgroup v{version}");
    let filter = if option("seccomp") {
        Ok("the engine's system-call filter".to_owned())
    } else {
        Err("the engine was built or started without seccomp".to_owned())
    };
    let disk = if caps_inodes {
        Ok("tmpfs size and inode caps; the image is read-only".to_owned())
    } else {
        Err("the engine caps the size of a tmpfs, but not its inodes".to_owned())
    };
    let enforced = BTreeMap::from([
        (Enforcement::Namespaces, Ok(format!("{users}mount, pid, net, ipc, uts, cgroup"))),
        (Enforcement::MemoryCgroup, says(info.memory_limit, &by, "memory limit")),
        (Enforcement::Processes, says(info.pids_limit, &by, "limit of processes")),
        (Enforcement::CpuCgroup, says(info.cpu_cfs_quota, &by, "processor quota")),
        (Enforcement::Disk, disk),
        (Enforcement::Seccomp, filter),
        (Enforcement::Landlock, Err("containers have a read-only root instead".to_owned())),
    ]);
    HostFacts {
        kernel: info.kernel_version.clone().unwrap_or_default(),
        root: !option("rootless"),
        cgroup_version: format!("v{version}"),
        enforced,
        swept,
    }
}

fn cgroup_version(info: &SystemInfo) -> String {
    // Engines before 20.10 know of version 1 alone and do not say so.
    info.cgroup_version.map_or_else(|| "1".to_owned(), |version| version.to_string())
}

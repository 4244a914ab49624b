//! What a container engine enforces, read from what it says about itself (`GET /info`).
//!
//! The result is for `synthd doctor` and for the check of `[sandbox] require`. Nothing is tried
//! here: an engine that claims a limit is believed. A field that the engine leaves out counts as
//! missing.

use crate::sandbox::HostFacts;
use bollard::models::SystemInfo;
use std::collections::BTreeMap;
use synthd_actors::model::SandboxProtection;

/// The facts of the container engine. `caps_inodes` is true for Docker and false for Podman.
/// `swept` is the number of containers of dead owners that were removed at the connection.
pub(super) fn of(info: &SystemInfo, caps_inodes: bool, swept: u32) -> HostFacts {
    let says = |said: Option<bool>, how: &str, lacks: &str| match said {
        Some(true) => Ok(how.to_owned()),
        _ => Err(format!("the engine says it has no {lacks}")),
    };
    let option = |name: &str| has_option(info, name);
    // The engine maps users to other numbers only if it was started so (`userns-remap`), or if it
    // is rootless.
    let users = if option("userns") || option("rootless") { "user, " } else { "" };
    let version = cgroup_version(info);
    let by = format!("cgroup v{version}");
    let filter = if option("seccomp") {
        Ok("a system-call filter, synthd's or the engine's".to_owned())
    } else {
        Err("the engine was built or started without seccomp".to_owned())
    };
    let disk = if caps_inodes {
        Ok("tmpfs size and inode caps; the image is read-only".to_owned())
    } else {
        Err("the engine limits the size of a tmpfs, but not its inodes".to_owned())
    };
    let enforced = BTreeMap::from([
        (SandboxProtection::Namespaces, Ok(format!("{users}mount, pid, net, ipc, uts, cgroup"))),
        (SandboxProtection::MemoryCgroup, says(info.memory_limit, &by, "memory limit")),
        (SandboxProtection::Processes, says(info.pids_limit, &by, "limit of processes")),
        (SandboxProtection::CpuCgroup, says(info.cpu_cfs_quota, &by, "processor quota")),
        (SandboxProtection::Disk, disk),
        (SandboxProtection::Seccomp, filter),
        (SandboxProtection::Landlock, Err("containers have a read-only root instead".to_owned())),
    ]);
    HostFacts {
        kernel: info.kernel_version.clone().unwrap_or_default(),
        root: !option("rootless"),
        cgroup_version: format!("v{version}"),
        enforced,
        engine: engine(info, caps_inodes),
        swept,
        hidden: Vec::new(),
    }
}

/// What an engine may have beyond the protections, by name. A campaign cannot require it;
/// `doctor` prints it. A missing entry of this kind makes a sandbox weaker, but does not prevent
/// it.
fn engine(info: &SystemInfo, docker: bool) -> BTreeMap<String, Result<String, String>> {
    let known = |name: &str, has: Result<&str, &str>| {
        (name.to_owned(), has.map(str::to_owned).map_err(str::to_owned))
    };
    let version = info.server_version.as_deref().unwrap_or("of unknown version");
    let name = format!("{} {version}", if docker { "Docker" } else { "Podman" });
    let remapped = match (has_option(info, "userns"), has_option(info, "rootless")) {
        (true, _) => Ok("userns-remap"),
        (_, true) => Ok("the engine is rootless"),
        _ => Err("user 1000 inside is 1000 outside: start the engine with userns-remap"),
    };
    let gvisor = match info.runtimes.as_ref().is_some_and(|known| known.contains_key("runsc")) {
        true => Ok("runtime = \"runsc\""),
        false => Err("no runtime `runsc` is registered with the engine"),
    };
    let confined = match (has_option(info, "apparmor"), has_option(info, "selinux")) {
        (true, _) => Ok("AppArmor"),
        (_, true) => Ok("SELinux"),
        _ => Err("neither AppArmor nor SELinux"),
    };
    let terminals = match docker {
        true => Ok("at most 64 for each container"),
        false => Err("Podman has no limit: a container may take all terminals of the host"),
    };
    let quota = quota(info);
    BTreeMap::from([
        known("engine", Ok(&name)),
        known("user-remapping", remapped),
        known("gvisor", gvisor),
        known("mandatory-access", confined),
        known("terminals", terminals),
        known("storage-quota", quota.as_deref().map_err(String::as_str)),
    ])
}

/// Whether the engine's storage can limit what a container writes to its disk. No sandbox of
/// synthd needs this: roots are read-only, and all that is written goes to tmpfs with a cap.
fn quota(info: &SystemInfo) -> Result<String, String> {
    let driver = info.driver.as_deref().unwrap_or("unknown");
    // The driver describes itself in pairs, such as `["Backing Filesystem", "xfs"]`.
    let status = info.driver_status.iter().flatten();
    let backing =
        status.into_iter().find(|pair| pair.first().is_some_and(|key| key == "Backing Filesystem"));
    let backing = backing.and_then(|pair| pair.get(1)).map_or("", String::as_str);
    match (driver, backing) {
        ("btrfs" | "zfs" | "windowsfilter", _) => Ok(driver.to_owned()),
        ("overlay2", "xfs") => Ok("overlay2 on xfs, where it is mounted with pquota".to_owned()),
        _ => Err(format!("{driver} on {backing} has no limit; no sandbox writes there")),
    }
}

/// Whether the engine lists a security option. An entry looks like
/// `name=seccomp,profile=default`.
fn has_option(info: &SystemInfo, name: &str) -> bool {
    let options = info.security_options.iter().flatten();
    options.into_iter().any(|option| option.contains(&format!("name={name}")))
}

/// `1` or `2`.
fn cgroup_version(info: &SystemInfo) -> String {
    // Engines before 20.10 know only version 1 and do not name it.
    info.cgroup_version.map_or_else(|| "1".to_owned(), |version| version.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn texts(options: &[&str]) -> Option<Vec<String>> {
        Some(options.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn what_an_engine_lacks_is_said_by_name() {
        let bare = of(&SystemInfo::default(), true, 0);
        assert!(bare.enforced[&SandboxProtection::Seccomp].is_err());
        assert!(bare.enforced[&SandboxProtection::MemoryCgroup].is_err());
        for name in ["user-remapping", "gvisor", "mandatory-access", "storage-quota"] {
            assert!(bare.engine[name].is_err(), "{name}");
        }
    }

    #[test]
    fn what_an_engine_has_is_said_by_what() {
        let status = [["Backing Filesystem", "xfs"]];
        let info = SystemInfo {
            security_options: texts(&[
                "name=seccomp,profile=default",
                "name=userns",
                "name=apparmor",
            ]),
            runtimes: Some(HashMap::from([("runsc".to_owned(), Default::default())])),
            driver: Some("overlay2".to_owned()),
            driver_status: Some(status.iter().filter_map(|pair| texts(pair)).collect()),
            memory_limit: Some(true),
            ..SystemInfo::default()
        };
        let facts = of(&info, true, 0);
        assert!(facts.enforced[&SandboxProtection::Seccomp].is_ok());
        assert!(facts.engine.values().all(Result::is_ok), "{:?}", facts.engine);
        let users = facts.enforced[&SandboxProtection::Namespaces].clone();
        assert!(users.is_ok_and(|how| how.starts_with("user, ")));
    }
}

//! Turns what the launcher found on this host into protections and the means by which they
//! hold.

use super::protocol::HostReport;
use crate::sandbox::HostFacts;
use std::collections::BTreeMap;
use synthd_actors::model::SandboxProtection;

/// The protections of this host for `doctor` and for the `require` of a campaign: each with
/// what enforces it, or with the reason why nothing does.
pub(super) fn facts_of(report: &HostReport) -> HostFacts {
    let controller = |name: &str| match report.controllers.get(name) {
        Some(Ok(place)) => Ok(format!("cgroup {} ({place})", report.cgroup_version)),
        Some(Err(why)) => Err(why.clone()),
        None => Err("no cgroup hierarchy offers this controller".to_owned()),
    };
    // Landlock before version 2 forbids renames between directories, which tasks need, so it is
    // not used.
    let landlock = match report.landlock_abi {
        abi if abi >= 2 => Ok(format!("ABI {abi}")),
        _ => Err("the kernel has no Landlock of version 2 or later".to_owned()),
    };
    // Processes have a second means, so the reason why no cgroup limits them is dropped.
    let rlimit = |_: String| Ok("rlimit per user namespace".to_owned());
    let enforced = BTreeMap::from([
        (SandboxProtection::Namespaces, Ok("user, mount, pid, net, ipc, uts, cgroup".to_owned())),
        (SandboxProtection::MemoryCgroup, controller("memory")),
        (SandboxProtection::Processes, controller("pids").or_else(rlimit)),
        (SandboxProtection::CpuCgroup, controller("cpu")),
        (SandboxProtection::Disk, Ok("tmpfs size and inode caps".to_owned())),
        (SandboxProtection::Seccomp, Ok("system-call filter".to_owned())),
        (SandboxProtection::Landlock, landlock),
    ]);
    HostFacts {
        engine: BTreeMap::new(),
        kernel: report.kernel.clone(),
        root: report.root,
        cgroup_version: report.cgroup_version.clone(),
        enforced,
        swept: report.swept,
        hidden: report.hidden.clone(),
    }
}

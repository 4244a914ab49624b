//! The container of a task of a container: an agent works there as the task's author meant it, as the
//! user of the image and with a root that can be written. It is an ordinary container, as those of
//! [`super::trial_container`] are, with the guest as its first process.
//!
//! What differs from other sandboxes: there are no work areas in memory, so all files are in the
//! container's own layer and can be kept as an image; the user has the capabilities that the engine
//! gives by default; the engine's filter of system calls applies. What stays: no network, limits of
//! memory, processes and processor time, no new privileges, and the labels by which a later synthd
//! finds it.

use super::container::ContainerParts;
use bollard::models::{ContainerCreateBody, HostConfig};
use synthd_actors::model::{ContainerSite, SandboxSpec};

/// The variable that tells the guest that the directory in which it starts is the workspace.
const WORKSPACE: &str = "SYNTHD_WORKSPACE=here";
/// Processes of a container at least: what tasks of others start is not known.
const PROCESSES: i64 = 1_024;

/// The request for an ordinary sandbox, opened as the task needs it.
pub(super) fn opened(
    sandbox: ContainerCreateBody,
    parts: &ContainerParts<'_>,
    site: &ContainerSite,
) -> ContainerCreateBody {
    let variables = site.variables.iter().map(|(name, value)| format!("{name}={value}"));
    let env: Vec<String> = variables.chain([WORKSPACE.to_owned()]).collect();
    ContainerCreateBody {
        // None: the user and the directory of the image.
        user: site.user.clone(),
        working_dir: site.directory.clone(),
        env: Some(env),
        host_config: sandbox.host_config.map(|host| opened_host(host, parts.spec)),
        ..sandbox
    }
}

/// The part of the request about isolation and limits.
fn opened_host(host: HostConfig, spec: &SandboxSpec) -> HostConfig {
    HostConfig {
        cap_drop: None,
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        readonly_rootfs: Some(false),
        tmpfs: None,
        // A limit of the size of files would be that of a work area.
        ulimits: None,
        pids_limit: Some(i64::from(spec.limits.processes).max(PROCESSES)),
        ..host
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    /// What opens the root leaves the limits and the network as they were.
    #[test]
    fn an_open_root_has_the_other_limits_of_a_sandbox() {
        let closed = HostConfig {
            cap_drop: Some(vec!["ALL".to_owned()]),
            readonly_rootfs: Some(true),
            tmpfs: Some(HashMap::from([("/work".to_owned(), String::new())])),
            memory: Some(1 << 30),
            network_mode: Some("none".to_owned()),
            auto_remove: Some(true),
            ..HostConfig::default()
        };
        let open = opened_host(closed, &SandboxSpec::default());
        assert_eq!((open.cap_drop, open.tmpfs, open.ulimits), (None, None, None));
        assert_eq!((open.readonly_rootfs, open.auto_remove), (Some(false), Some(true)));
        assert_eq!((open.memory, open.pids_limit), (Some(1 << 30), Some(PROCESSES)));
        assert_eq!(open.network_mode.as_deref(), Some("none"));
        let security = open.security_opt.unwrap_or_default();
        assert_eq!(security, ["no-new-privileges:true"], "the engine's own filter applies");
    }
}

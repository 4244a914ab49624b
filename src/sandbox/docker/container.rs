//! Builds the request that creates a container, field by field. What `docs/SECURITY.md` promises
//! of a container is written here.
//!
//! `DockerEngine` calls [`container`] for each sandbox. The functions are pure: they turn a
//! specification into a request and ask nobody. A test reads the fields back from a real
//! container engine.
//!
//! The container has a read-only root, no network, no capability, one user, and limits for
//! memory, processes, processor time and files. It writes only to tmpfs areas that have caps.

use super::container_remover::now;
use super::guest_program::GuestMount;
use super::image::ContainerImage;
use super::owner::{CREATION, ContainerOwner, DEADLINE, OWNER};
use super::site_container;
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    Mount, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig, ResourcesUlimits,
};
use std::collections::HashMap;
use synthd_actors::model::{SEALED, SandboxLimits, SandboxSpec, SeccompProfile};

/// The user and group of the agent inside. Outside, the number is the same, unless the engine
/// remaps users.
const USER: &str = "1000:1000";
/// The workspace and the other work areas. Each is a tmpfs with the disk cap of the specification
/// (`SandboxLimits::disk_bytes`).
const AREAS: [&str; 3] = ["/work", "/tmp", "/home/agent"];
/// The environment variable that tells the guest which areas it must empty besides the usual
/// ones: the volumes of the image, separated by colons. The guest does not pass it on to
/// commands.
const SCRATCH: &str = "SYNTHD_SCRATCH";
/// Mount options of the container's own terminals: 64 at most, as in a namespace sandbox. Without
/// them, a program could take all terminals of the host.
const TERMINALS: &str = "newinstance,ptmxmode=0666,mode=0620,max=64";
/// The size in bytes of `/run` and of `/dev/shm`, 16 MiB each.
const SMALL: u64 = 16 << 20;
/// Bytes of memory that another runtime (such as gVisor) needs for itself.
const RUNTIMES_OWN: u64 = 256 << 20;
/// Threads that another runtime needs for itself.
const RUNTIMES_THREADS: i64 = 512;
/// Files of the kernel that would show facts of the whole host. They are hidden. The list has all
/// that container engines hide by default, and more.
const MASKED: [&str; 18] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/vmallocinfo",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
];

/// Seconds after which no owner needs a container any more: eight days, because an episode may
/// take a week.
const LONGEST_LIFE: u64 = 8 * 24 * 60 * 60;
/// The period, in microseconds, in which the processor share is counted.
const CPU_PERIOD: i64 = 100_000;

/// All that decides the fields of one container.
pub(super) struct ContainerParts<'a> {
    /// The limits, the seccomp choice and the runtime.
    pub(super) spec: &'a SandboxSpec,
    /// The image, already checked and pinned by its digest.
    pub(super) image: &'a ContainerImage,
    /// Where the container engine finds the guest program.
    pub(super) guest: &'a GuestMount,
    /// The synthd process that makes the container.
    pub(super) owner: &'a ContainerOwner,
    /// The number of this creation, for the label [`CREATION`].
    pub(super) creation: &'a str,
    /// The strict filter as this engine takes it: its JSON text, or the path of a file.
    pub(super) seccomp: &'a str,
    /// Whether the engine takes all options of a tmpfs. Docker does. Podman takes neither a cap
    /// on the inodes nor an owner.
    pub(super) caps_inodes: bool,
}

/// The whole request for one container.
pub(super) fn container(parts: &ContainerParts<'_>) -> ContainerCreateBody {
    let sandbox = closed(parts);
    match &parts.spec.site {
        Some(site) => site_container::opened(sandbox, parts, site),
        None => sandbox,
    }
}

/// The request for an ordinary sandbox.
fn closed(parts: &ContainerParts<'_>) -> ContainerCreateBody {
    ContainerCreateBody {
        // By its digest, because a name may move to another image.
        image: Some(parts.image.digest.clone()),
        hostname: Some("sandbox".to_owned()),
        user: Some(USER.to_owned()),
        entrypoint: Some(vec![parts.guest.entrypoint().to_owned(), "stdio".to_owned()]),
        cmd: Some(Vec::new()),
        working_dir: Some("/".to_owned()),
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        // The container engine closes the input when the stream breaks, and the guest then ends.
        stdin_once: Some(true),
        // The guest is process 1, which ignores SIGTERM, and it has nothing to save. So a stop
        // kills at once.
        stop_signal: Some("SIGKILL".to_owned()),
        stop_timeout: Some(0),
        // A terminal would change the bytes of the protocol, and the engine sends it without
        // frames.
        tty: Some(false),
        // For the guest alone: the areas that it must empty besides its own.
        env: Some(vec![format!("{SCRATCH}={}", parts.image.volumes.join(":"))]),
        network_disabled: Some(true),
        // A health check of the image would start commands that the guest does not know of.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..Default::default()
        }),
        labels: Some(HashMap::from([
            (OWNER.to_owned(), parts.owner.label()),
            (CREATION.to_owned(), parts.creation.to_owned()),
            (DEADLINE.to_owned(), (now() + LONGEST_LIFE).to_string()),
        ])),
        host_config: Some(host(parts)),
        ..Default::default()
    }
}

/// The part of the request about isolation and limits.
fn host(parts: &ContainerParts<'_>) -> HostConfig {
    let limits = &parts.spec.limits;
    let memory = signed(memory(parts.spec, parts.image));
    let own_threads = if parts.spec.runtime.is_some() { RUNTIMES_THREADS } else { 0 };
    HostConfig {
        privileged: Some(false),
        cap_drop: Some(vec!["ALL".to_owned()]),
        security_opt: Some(security(parts)),
        readonly_rootfs: Some(true),
        masked_paths: Some(MASKED.map(str::to_owned).to_vec()),
        tmpfs: Some(areas(parts)),
        mounts: Some(mounts(parts)),
        memory: Some(memory),
        // The sum of memory and swap. Equal values mean no swap.
        memory_swap: Some(memory),
        pids_limit: Some(i64::from(limits.processes) + own_threads),
        cpu_period: Some(CPU_PERIOD),
        // A thousand microseconds is the least that the kernel accepts.
        cpu_quota: Some((i64::from(limits.cpu_millis) * CPU_PERIOD / 1_000).max(1_000)),
        ulimits: Some(ulimits(limits, parts.caps_inodes)),
        network_mode: Some("none".to_owned()),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        // The output is the protocol. As a log it would fill the disk of the host.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        // When the host itself runs out of memory, the kernel kills sandboxes before other
        // programs.
        oom_score_adj: Some(500),
        // The container engine removes the container when it ends, even if synthd is dead by
        // then.
        auto_remove: Some(true),
        publish_all_ports: Some(false),
        runtime: parts.spec.runtime.clone(),
        ..Default::default()
    }
}

/// The mounts: the guest program, and the container's own terminals.
///
/// The terminals that an engine provides are limited only by the number of the whole host. A
/// volume of the type devpts has a limit of its own; it has no name, so it is removed with the
/// container. It is left out for Podman, which has no such volumes, and for another runtime,
/// which is a kernel with terminals of its own.
fn mounts(parts: &ContainerParts<'_>) -> Vec<Mount> {
    let mut mounts = vec![parts.guest.mount()];
    if parts.caps_inodes && parts.spec.runtime.is_none() {
        let options = [("type", "devpts"), ("device", "devpts"), ("o", TERMINALS)];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let driver = MountVolumeOptionsDriverConfig {
            name: Some("local".to_owned()),
            options: Some(HashMap::from(options)),
        };
        let volume = MountVolumeOptions {
            no_copy: Some(true),
            driver_config: Some(driver),
            ..Default::default()
        };
        mounts.push(Mount {
            typ: Some(MountType::VOLUME),
            target: Some("/dev/pts".to_owned()),
            volume_options: Some(volume),
            ..Default::default()
        });
    }
    mounts
}

/// The security options. Without the strict filter, the engine uses its own filter.
fn security(parts: &ContainerParts<'_>) -> Vec<String> {
    let mut options = vec!["no-new-privileges:true".to_owned()];
    if parts.spec.filter == SeccompProfile::Strict {
        options.push(format!("seccomp={}", parts.seccomp));
    }
    options
}

/// The memory limit of the whole container, in bytes.
///
/// Work areas are tmpfs, so their content counts as memory of the container. Each area has its
/// own cap, and all caps are added to what the processes may use. Otherwise a full work area
/// could make the kernel kill the guest.
pub(super) fn memory(spec: &SandboxSpec, image: &ContainerImage) -> u64 {
    let limits = &spec.limits;
    // Another runtime is a kernel of its own, and runs in the same cgroup as the programs.
    let own = if spec.runtime.is_some() { RUNTIMES_OWN } else { 0 };
    if spec.site.is_some() {
        // Its files are on the disk of the engine.
        return limits.memory_bytes.saturating_add(own);
    }
    let areas = work_areas(spec).count() + image.volumes.len();
    let areas = limits.disk_bytes.saturating_mul(areas as u64);
    limits.memory_bytes.saturating_add(areas).saturating_add(2 * SMALL + own)
}

/// The work areas. A judge's sandbox has one for sealed files too.
fn work_areas(spec: &SandboxSpec) -> impl Iterator<Item = &'static str> {
    AREAS.into_iter().chain(spec.sealed.then_some(SEALED))
}

/// The tmpfs areas: path and mount options, such as
/// `rw,exec,nosuid,nodev,size=268435456,nr_inodes=65536,uid=1000,gid=1000,mode=0755`.
fn areas(parts: &ContainerParts<'_>) -> HashMap<String, String> {
    let (limits, caps_inodes) = (&parts.spec.limits, parts.caps_inodes);
    let options = |size: u64, mode: &str| {
        let owned = format!("nr_inodes={},uid=1000,gid=1000,mode={mode}", limits.inodes);
        // An engine that cannot set the owner gets areas that everybody may write to; there is
        // only one user inside. `notmpcopyup` keeps the engine from copying the image's files
        // there, which would belong to root.
        let rest = if caps_inodes { owned.as_str() } else { "mode=1777,notmpcopyup" };
        format!("rw,exec,nosuid,nodev,size={size},{rest}")
    };
    // A volume of the image becomes one more area. Otherwise it would have no limit.
    let ours = work_areas(parts.spec).map(str::to_owned);
    let mut areas: HashMap<String, String> = (ours.chain(parts.image.volumes.iter().cloned()))
        .map(|area| (area, options(limits.disk_bytes, "0755")))
        .collect();
    areas.insert("/tmp".to_owned(), options(limits.disk_bytes, "1777"));
    areas.insert("/run".to_owned(), options(SMALL, "0755"));
    // The engine's own `/dev/shm` has no cap on inodes.
    areas.insert("/dev/shm".to_owned(), options(SMALL, "1777"));
    areas
}

/// The limit of processes of one user (`nproc`) for Podman. Without a number from us, Podman asks
/// for more than its own limit allows, and fails. The number is no real limit, since it counts
/// all processes of the user; the cgroup limits the container's processes.
const PLENTY: i64 = 16_384;

/// Resource limits of each process in the container.
fn ulimits(limits: &SandboxLimits, caps_inodes: bool) -> Vec<ResourcesUlimits> {
    let limit = |name: &str, value: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(value),
        hard: Some(value),
    };
    let processes = (!caps_inodes).then(|| limit("nproc", PLENTY));
    let all = [
        limit("nofile", 1_024),
        // A limit of zero still starts the core-dump helper of the host, if it has one. One byte
        // tells the kernel to write and start nothing.
        limit("core", 1),
        limit("fsize", signed(limits.disk_bytes)),
        limit("memlock", 64 << 10),
        limit("msgqueue", 64 << 10),
        limit("sigpending", 4_096),
        limit("rtprio", 0),
        limit("nice", 0),
    ];
    all.into_iter().chain(processes).collect()
}

/// The same number as the API takes it; too large numbers become the largest.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

//! A container, field by field: what `docs/SECURITY.md` promises of one is written here.

use super::container_remover::now;
use super::guest_program::GuestMount;
use super::image::ContainerImage;
use super::owner::{CREATION, ContainerOwner, DEADLINE, OWNER};
use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    Mount, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig, ResourcesUlimits,
};
use std::collections::HashMap;
use synthd_actors::model::{SandboxLimits, SandboxSpec, SeccompProfile};

/// The agent's, inside: nobody's on the host.
const USER: &str = "1000:1000";
/// Work areas beside the workspace, each with the disk cap of its own.
const AREAS: [&str; 4] = ["/work", "/tmp", "/home/agent", "/sealed"];
/// Names the variable with the areas that only some images have.
const SCRATCH: &str = "SYNTHD_SCRATCH";
/// As many as a namespace sandbox has.
const TERMINALS: &str = "newinstance,ptmxmode=0666,mode=0620,max=64";
/// For what programs keep in `/run` and `/dev/shm`.
const SMALL: u64 = 16 << 20;
/// For what a runtime of another kind needs itself.
const RUNTIMES_OWN: u64 = 256 << 20;
const RUNTIMES_THREADS: i64 = 512;
/// What the kernel shows of the whole host: all that engines hide by themselves, and more.
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

/// Seconds after which no owner needs a container any more.
/// An episode may take a week.
const LONGEST_LIFE: u64 = 8 * 24 * 60 * 60;
/// Microseconds in which a processor share is counted.
const CPU_PERIOD: i64 = 100_000;

pub(super) struct ContainerParts<'a> {
    pub(super) spec: &'a SandboxSpec,
    pub(super) image: &'a ContainerImage,
    pub(super) guest: &'a GuestMount,
    pub(super) owner: &'a ContainerOwner,
    pub(super) creation: &'a str,
    /// The strict filter, as this engine takes it: its text, or the path of a file.
    pub(super) seccomp: &'a str,
    /// Whether the engine takes all options of a tmpfs; Podman knows no cap on its inodes,
    /// and no owner.
    pub(super) caps_inodes: bool,
}

pub(super) fn container(parts: &ContainerParts<'_>) -> ContainerCreateBody {
    ContainerCreateBody {
        // By its digest: names move.
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
        // The stream that closes is the container's end.
        stdin_once: Some(true),
        // There is nothing to say goodbye to, and the first process heeds no polite signal.
        stop_signal: Some("SIGKILL".to_owned()),
        stop_timeout: Some(0),
        // With a terminal the frames of the protocol would be mistaken for the engine's.
        tty: Some(false),
        // The guest's, which keeps it from programs: what it must empty beside its own areas.
        env: Some(vec![format!("{SCRATCH}={}", parts.image.volumes.join(":"))]),
        network_disabled: Some(true),
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
        // Equal: no swap.
        memory_swap: Some(memory),
        pids_limit: Some(i64::from(limits.processes) + own_threads),
        cpu_period: Some(CPU_PERIOD),
        cpu_quota: Some((i64::from(limits.cpu_millis) * CPU_PERIOD / 1_000).max(1_000)),
        ulimits: Some(ulimits(limits, parts.caps_inodes)),
        network_mode: Some("none".to_owned()),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        // What it prints is the protocol, and would fill the host's disk as a log.
        log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
        oom_score_adj: Some(500),
        auto_remove: Some(true),
        publish_all_ports: Some(false),
        runtime: parts.spec.runtime.clone(),
        ..Default::default()
    }
}

/// The guest, and the container's own terminals: those that an engine gives it by itself are
/// bounded by the host's number alone. A volume without a name, which goes with the container.
/// Podman has no such volumes; a runtime that is a kernel of its own has terminals of its own.
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

fn security(parts: &ContainerParts<'_>) -> Vec<String> {
    let mut options = vec!["no-new-privileges:true".to_owned()];
    if parts.spec.filter == SeccompProfile::Strict {
        options.push(format!("seccomp={}", parts.seccomp));
    }
    options
}

/// Work areas are memory too; they have caps of their own and must not eat into what
/// processes may use, or filling a disk would kill the guest.
pub(super) fn memory(spec: &SandboxSpec, image: &ContainerImage) -> u64 {
    let limits = &spec.limits;
    // A runtime that is a kernel of its own lives in the same group as what it runs.
    let own = if spec.runtime.is_some() { RUNTIMES_OWN } else { 0 };
    let areas = AREAS.len() + image.volumes.len();
    let areas = limits.disk_bytes.saturating_mul(areas as u64);
    limits.memory_bytes.saturating_add(areas).saturating_add(2 * SMALL + own)
}

fn areas(parts: &ContainerParts<'_>) -> HashMap<String, String> {
    let (limits, caps_inodes) = (&parts.spec.limits, parts.caps_inodes);
    let options = |size: u64, mode: &str| {
        let owned = format!("nr_inodes={},uid=1000,gid=1000,mode={mode}", limits.inodes);
        // Where the owner cannot be said, anybody may write: there is only one inside. And
        // what the image has there is not copied, or it would be root's to keep.
        let rest = if caps_inodes { owned.as_str() } else { "mode=1777,notmpcopyup" };
        format!("rw,exec,nosuid,nodev,size={size},{rest}")
    };
    // What an image calls a volume is one more, or it would be a place without a bound.
    let volumes = parts.image.volumes.iter().map(String::as_str);
    let mut areas: HashMap<String, String> = (AREAS.into_iter().chain(volumes))
        .map(|area| (area.to_owned(), options(limits.disk_bytes, "0755")))
        .collect();
    areas.insert("/tmp".to_owned(), options(limits.disk_bytes, "1777"));
    areas.insert("/run".to_owned(), options(SMALL, "0755"));
    // The engine's own has no cap on inodes.
    areas.insert("/dev/shm".to_owned(), options(SMALL, "1777"));
    areas
}

/// Podman asks for more processes than its own limit allows where it is told no number; ours
/// is no bound, since it counts all of a user's: that is for the cgroup.
const PLENTY: i64 = 16_384;

fn ulimits(limits: &SandboxLimits, caps_inodes: bool) -> Vec<ResourcesUlimits> {
    let limit = |name: &str, value: i64| ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(value),
        hard: Some(value),
    };
    let processes = (!caps_inodes).then(|| limit("nproc", PLENTY));
    let all = [
        limit("nofile", 1_024),
        // Zero would feed a helper of the host's where it has one for core dumps; one byte
        // is the kernel's word for none at all.
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

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

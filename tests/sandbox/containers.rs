//! What is a container engine's alone: its fields, its failures, and what must not be left.

use super::lab::{RUNTIME, ok, request, works};
use crate::support::{OwnEngine, TINY, skip, synthd};
use bollard::Docker;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    CreateContainerOptions, KillContainerOptions, ListContainersOptions, ListNetworksOptions,
    RemoveContainerOptions,
};
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use synthd::sandbox::SandboxBackends;
use synthd_actors::model::{BackendKind, FaultKind, SandboxLimits, SandboxSpec};
use synthd_actors::ports::SandboxBackend;

/// An image of Debian packages with Python, git and make; CI builds it.
pub(crate) const BASE: &str = "synthd-test/base:latest";
const OWNER: &str = "synthd.owner";
/// Another image than that.
const OTHER_IMAGE: &str = "SYNTHD_TEST_OTHER_IMAGE";
/// Makes the test binary make and drop containers.
const CHURN: &str = "SYNTHD_TEST_CHURN";
/// Makes the test binary hold containers until it is killed.
const HOLD: &str = "SYNTHD_TEST_HOLD";

/// The image containers are tested with, where there is an engine that has it.
pub(crate) fn image() -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let docker = Docker::connect_with_defaults().ok()?;
        docker.inspect_image(BASE).await.ok().map(|_| BASE.to_owned())
    })
}

struct Engine {
    docker: Docker,
    backend: SandboxBackends,
}

impl Engine {
    /// None, said aloud, where there is none.
    async fn new(what: &str) -> Option<Self> {
        let docker = Docker::connect_with_defaults().ok();
        let there = match &docker {
            Some(docker) => docker.inspect_image(BASE).await.is_ok(),
            None => false,
        };
        if !there {
            skip(what, "no container engine with the test image");
            return None;
        }
        Some(Self { docker: docker?, backend: backends() })
    }

    /// The containers of a process.
    async fn of(&self, pid: u32) -> Vec<String> {
        let filters = HashMap::from([("label".to_owned(), vec![OWNER.to_owned()])]);
        let options =
            ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        let found = self.docker.list_containers(Some(options)).await.unwrap();
        let owner = format!(":{pid}:");
        let theirs = found.into_iter().filter(|container| {
            container.labels.as_ref().is_some_and(|labels| labels[OWNER].contains(&owner))
        });
        theirs.filter_map(|container| container.id).collect()
    }

    /// The containers of this process with so many processes allowed, by which each test
    /// tells its own from the others'. Those may go while we look.
    async fn own(&self, processes: u32) -> Vec<ContainerInspectResponse> {
        let mut own = Vec::new();
        for id in self.of(std::process::id()).await {
            let Ok(facts) = self.docker.inspect_container(&id, None).await else { continue };
            let limit = facts.host_config.as_ref().and_then(|host| host.pids_limit);
            if limit == Some(i64::from(processes)) {
                own.push(facts);
            }
        }
        own
    }
}

fn backends() -> SandboxBackends {
    SandboxBackends::new(synthd(), &std::env::temp_dir().join("synthd-test-guest-containers"))
}

fn spec() -> SandboxSpec {
    let image = std::env::var(OTHER_IMAGE).unwrap_or_else(|_| BASE.to_owned());
    let runtime = std::env::var(RUNTIME).ok();
    SandboxSpec { backend: BackendKind::Docker, image, runtime, ..SandboxSpec::default() }
}

fn marked(processes: u32) -> SandboxSpec {
    SandboxSpec { limits: SandboxLimits { processes, ..SandboxLimits::default() }, ..spec() }
}

/// Every field of the contract, as the engine itself tells it.
#[tokio::test]
async fn a_container_is_hardened_field_by_field() {
    let Some(engine) = Engine::new("hardening of containers").await else { return };
    let mut sandbox = engine.backend.create(&marked(71)).await.unwrap();
    let facts = engine.own(71).await.remove(0);
    let (host, config) = facts.host_config.zip(facts.config).unwrap();
    assert_eq!(host.privileged, Some(false));
    assert_eq!((host.cap_add, host.cap_drop), (None, Some(vec!["ALL".to_owned()])));
    let security = host.security_opt.unwrap();
    assert_eq!((security.len(), security[0].as_str()), (2, "no-new-privileges:true"));
    assert!(security[1].starts_with("seccomp={") && !security[1].contains("unconfined"));
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(host.network_mode.as_deref(), Some("none"));
    assert_eq!(host.ipc_mode.as_deref(), Some("private"));
    assert_eq!((host.pid_mode.as_deref(), host.uts_mode.as_deref()), (Some(""), Some("")));
    assert_eq!(host.userns_mode.as_deref(), Some(""));
    assert_eq!(host.memory, host.memory_swap);
    assert!(host.memory.unwrap() > 0 && host.pids_limit == Some(71));
    assert_eq!((host.cpu_period, host.cpu_quota), (Some(100_000), Some(100_000)));
    assert_eq!(host.log_config.unwrap().typ.as_deref(), Some("none"));
    assert_eq!((host.auto_remove, host.oom_score_adj), (Some(true), Some(500)));
    assert_eq!(host.publish_all_ports, Some(false));
    assert!(host.devices.is_none_or(|devices| devices.is_empty()));
    assert!(host.binds.is_none_or(|binds| binds.is_empty()));
    let mounts = host.mounts.unwrap();
    assert_eq!((mounts.len(), mounts[0].read_only), (2, Some(true)));
    assert_eq!(mounts[1].target.as_deref(), Some("/dev/pts"));
    let mut areas: Vec<String> = host.tmpfs.unwrap().into_keys().collect();
    areas.sort();
    assert_eq!(areas, ["/dev/shm", "/home/agent", "/run", "/tmp", "/work"]);
    let limits = host.ulimits.unwrap();
    let limit = |name: &str| limits.iter().find(|l| l.name.as_deref() == Some(name)).unwrap().hard;
    assert_eq!((limit("nofile"), limit("core")), (Some(1_024), Some(1)));
    // The defaults of what is masked and read-only in /proc.
    assert!(!host.masked_paths.unwrap().is_empty() && !host.readonly_paths.unwrap().is_empty());
    assert_eq!((config.user.as_deref(), config.tty), (Some("1000:1000"), Some(false)));
    assert_eq!((config.open_stdin, config.stdin_once), (Some(true), Some(true)));
    let inside =
        ok(&mut *sandbox, "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status").await;
    assert_eq!(
        inside.split_whitespace().collect::<Vec<_>>(),
        ["CapEff:", "0000000000000000", "NoNewPrivs:", "1", "Seccomp:", "2",]
    );
    drop(sandbox);
    engine.backend.settle().await.unwrap();
}

#[tokio::test]
async fn a_container_killed_from_outside_is_a_lost_sandbox() {
    let Some(engine) = Engine::new("a container killed from outside").await else { return };
    let mut sandbox = engine.backend.create(&marked(72)).await.unwrap();
    works(&mut *sandbox).await;
    let id = engine.own(72).await.remove(0).id.unwrap();
    engine.docker.kill_container(&id, None::<KillContainerOptions>).await.unwrap();
    let lost = sandbox.exec(&request("true", Duration::from_secs(20))).await.unwrap_err();
    assert_eq!(lost.kind, FaultKind::SandboxLost, "{lost}");
    drop(sandbox);
    engine.backend.settle().await.unwrap();
    assert!(engine.own(72).await.is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_a_way_out() {
    let Some(engine) = Engine::new("missing images and runtimes").await else { return };
    let missing = SandboxSpec { image: "synthd-test/none:1".to_owned(), ..spec() };
    for spec in [missing, SandboxSpec { runtime: Some("nonesuch".to_owned()), ..spec() }] {
        let told = engine.backend.check(&spec).await.unwrap_err();
        assert_eq!(told.kind, FaultKind::SandboxRefused, "{told}");
        let made = engine.backend.create(&spec).await.err().unwrap();
        assert_eq!(made.kind, FaultKind::SandboxRefused, "{made}");
    }
    engine.backend.settle().await.unwrap();
}

/// Whoever stops waiting for a sandbox, at whatever moment, leaves no container.
#[tokio::test]
async fn a_creation_given_up_leaves_nothing() {
    let Some(engine) = Engine::new("giving up the creation of containers").await else { return };
    let spec = marked(73);
    engine.backend.check(&spec).await.unwrap();
    for wait in (0..300).step_by(20).map(Duration::from_millis) {
        drop(tokio::time::timeout(wait, engine.backend.create(&spec)).await);
    }
    engine.backend.settle().await.unwrap();
    assert!(engine.own(73).await.is_empty());
}

/// Run by the next test in a process of its own.
#[tokio::test]
async fn holds_containers_until_it_is_killed() {
    let Ok(count) = std::env::var(HOLD) else { return };
    let backend = backends();
    let mut held = Vec::new();
    for _ in 0..count.parse().unwrap() {
        held.push(backend.create(&spec()).await.unwrap());
    }
    use std::io::Write;
    writeln!(std::io::stdout(), "\nholding").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn nothing_of_a_killed_engine_is_left_and_strangers_are_left_alone() {
    let Some(engine) = Engine::new("reaping containers").await else { return };
    let stranger = stranger(&engine).await;
    let mut holder = Command::new(std::env::current_exe().unwrap());
    holder.args(["holds_containers_until_it_is_killed", "--nocapture"]).env(HOLD, "20");
    let mut holder = holder.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "holding"));
    assert_eq!(engine.of(holder.id()).await.len(), 20);
    holder.kill().unwrap();
    holder.wait().unwrap();
    // The next engine's first question.
    engine.backend.host_facts(BackendKind::Docker).await.unwrap();
    let left = engine.of(holder.id()).await;
    assert!(left.is_empty(), "{left:?}");
    assert!(engine.docker.inspect_container(&stranger, None).await.is_ok());
    let options = RemoveContainerOptions { force: true, ..Default::default() };
    engine.docker.remove_container(&stranger, Some(options)).await.unwrap();
}

/// A container of an owner on another host, who may well live.
async fn stranger(engine: &Engine) -> String {
    let body = bollard::models::ContainerCreateBody {
        image: Some(BASE.to_owned()),
        cmd: Some(vec!["true".to_owned()]),
        labels: Some(HashMap::from([(OWNER.to_owned(), "elsewhere:1:1".to_owned())])),
        ..Default::default()
    };
    engine.docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id
}

/// What grows when something is forgotten.
#[derive(Debug, PartialEq, Eq)]
struct Traces {
    descriptors: usize,
    mounts: usize,
    shims: usize,
    networks: usize,
}

impl Traces {
    async fn now(docker: &Docker) -> Self {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let networks = docker.list_networks(None::<ListNetworksOptions>).await.unwrap();
        let line = |entry: &std::fs::DirEntry| {
            std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default()
        };
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        // Of this engine alone: its directory is in both.
        let host = std::env::var("DOCKER_HOST").unwrap();
        let own = Path::new(host.trim_start_matches("unix://")).parent().unwrap();
        let own = own.display().to_string();
        let shim = |line: &str| line.contains("containerd-shim") && line.contains(&own);
        Self {
            descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count(),
            mounts: mounts.lines().filter(|line| line.contains(&own)).count(),
            shims: processes.filter(|entry| shim(&line(entry))).count(),
            networks: networks.len(),
        }
    }
}

/// In a process of its own, so that no other test's containers count.
#[tokio::test]
async fn churns_containers() {
    if std::env::var_os(CHURN).is_none() {
        return;
    }
    let docker = Docker::connect_with_defaults().unwrap();
    let backend = std::sync::Arc::new(backends());
    let small =
        SandboxLimits { disk_bytes: 1 << 20, memory_bytes: 16 << 20, ..SandboxLimits::default() };
    let spec = SandboxSpec { limits: small, ..spec() };
    works(&mut *backend.create(&spec).await.unwrap()).await;
    backend.settle().await.unwrap();
    let before = Traces::now(&docker).await;
    let mut resident = 0;
    // Two hundred at once, then in smaller flocks.
    for (round, flock) in [200, 50, 50, 50, 50, 50, 50].into_iter().enumerate() {
        let mut live = brought_up(&backend, &spec, flock).await;
        for sandbox in &mut live {
            works(&mut **sandbox).await;
        }
        let now = Traces::now(&docker).await;
        assert!(now.shims >= flock && now.mounts >= flock, "what is counted is there: {now:?}");
        drop(live);
        backend.settle().await.unwrap();
        assert_eq!(Traces::now(&docker).await, before, "round {round}");
        if round == 0 {
            resident = resident_kib();
        }
    }
    let grown = resident_kib().saturating_sub(resident);
    assert!(grown < 8 << 10, "{grown} KiB more after as many containers again and more");
}

/// So many, eight at a time.
async fn brought_up(
    backend: &std::sync::Arc<SandboxBackends>,
    spec: &SandboxSpec,
    count: usize,
) -> Vec<Box<dyn synthd_actors::ports::Sandbox>> {
    use futures_util::StreamExt;
    let creations = (0..count).map(|_| {
        let (backend, spec) = (backend.clone(), spec.clone());
        async move { backend.create(&spec).await.unwrap() }
    });
    futures_util::stream::iter(creations).buffer_unordered(8).collect().await
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// On an engine of its own: nobody else's containers come and go there.
#[test]
fn five_hundred_containers_leave_no_trace() {
    let Some(engine) = OwnEngine::start("five hundred containers", None, &[]) else { return };
    let mut churn = Command::new(std::env::current_exe().unwrap());
    churn.args(["churns_containers", "--nocapture"]).env(CHURN, "1");
    churn.env(OTHER_IMAGE, TINY).env("DOCKER_HOST", engine.address().host);
    let output = churn.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}\n{}", said[0], said[1]);
    assert_eq!(engine.containers(), [""; 0]);
}

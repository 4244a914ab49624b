//! Builds a running engine: gives the adapters of `src/` to the actors of `synthd-actors`, starts
//! the actors, and shuts them down.
//!
//! The commands (`cli::daemon::serve`, `cli::run`, `cli::dry_run`) call [`RunningEngine::start`]
//! inside [`run_in_actor_system`]. A [`RunningEngine`] owns the store, the sandbox backends, the
//! agent gateway and the handles of all actors (the root of them is `synthd_actors::engine`). The
//! rest of this file checks what a host enforces before a campaign begins, and turns faults of the
//! core into errors for the user.
//!
//! Shutdown runs these steps in this order (`docs/ARCHITECTURE.md` has the same list):
//! 1. stop admission: nothing new is taken, campaigns launch no more episodes (`cli::daemon::shutdown`)
//! 2. grace: running episodes finish; a line every five seconds says what remains (`cli::daemon::shutdown`)
//! 3. cut off what still runs; the journal has every turn of it
//! 4. close the agent gateway, then the router, then the pool: no call is admitted, calls that were
//!    admitted are settled, warm sandboxes end; wait until the launcher and the
//!    container engine have reaped everything
//! 5. quality and collector have finished the work of their campaigns: nothing is in flight
//! 6. store barrier: everything that was acknowledged is on the disk
//! 7. close the control socket; its clients wait for this
//! 8. stop the system and join its threads; dropping the store checkpoints and unlocks it
//!
//! A second signal skips from 2 to 3. In both cases nothing is corrupted and everything can be
//! resumed.

use crate::container_tasks::ProofFiles;
use crate::dataset::ParquetSink;
use crate::error::{Code, Error, Result};
use crate::gateway::{self, AgentGateway};
use crate::llm::AdapterFactory;
use crate::sandbox::docker::PullProgress;
use crate::sandbox::{HostFacts, SandboxBackends, egress};
use crate::store::Store;
use crate::workspaces::WorkspaceFiles;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::collector::CollectorHandle;
use synthd_actors::engine::{EngineHandle, EngineResources};
use synthd_actors::model::BASE_IMAGE;
use synthd_actors::model::{
    BackendKind, BackendSign, Fault, FaultKind, ImagePullPolicy, SandboxSpec,
};
use synthd_actors::policy::PauseSlot;
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::{Clock, Journal, SandboxBackend};
use synthd_actors::quality::{QualityHandle, QualityServices};
use synthd_actors::router::RouterHandle;
use synthd_actors::supervisor::{ActorCounters, ActorExit};
use synthd_actors::task::Catalog;
use synthd_actors::work::{EngineServices, WorkInputs};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How long [`RunningEngine::shut_down`] waits for episodes that were cut off. After that it goes on
/// with the shutdown; the next start resumes those episodes.
const CUT_PATIENCE: Duration = Duration::from_secs(15);

/// The settings that an engine is started with.
#[derive(Clone)]
pub struct EngineOptions {
    /// The data directory: store, high-water mark, datasets, and the guest program for containers.
    pub data_dir: PathBuf,
    /// The synthd binary. The sandbox launcher is the same binary, executed again.
    pub executable: PathBuf,
    /// The most episodes that run at once, over all campaigns.
    pub max_episodes: usize,
    /// The limits of the sandbox pool. `max_live` is raised where it is too low for `max_episodes`.
    pub pool: PoolConfig,
    /// The templates that campaigns use unless they bring their own catalog.
    pub catalog: Arc<Catalog>,
}

/// A running engine. Clones share the same actors and the same store.
#[derive(Clone)]
pub struct RunningEngine {
    /// Submits campaigns, finds running ones, and drains.
    pub handle: EngineHandle,
    /// The services that every campaign shares: pool, router, collector, quality, journal, clock,
    /// agent access.
    pub services: EngineServices,
    /// The store itself, for queries. Writes go through the collector.
    pub store: Store,
    /// The sandbox backends, both `namespace` and `docker`.
    pub backend: Arc<SandboxBackends>,
    /// The gateway through which external agents call their models. It is closed before the pool.
    agent_gateway: AgentGateway,
    /// The message of the first actor that panicked more often than its restart intensity allows.
    /// None while there is no such actor. After such a message the process must end.
    pub escalated: watch::Receiver<Option<String>>,
}

/// The clock of the operating system, for the port `Clock`.
pub struct SystemClock;

impl Clock for SystemClock {
    /// Milliseconds since 1970 in UTC. A system clock that is set before 1970 counts as 0.
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }

    /// The time in the form of RFC 3339 in UTC, such as `2026-03-01T12:00:00.000Z`.
    fn stamp(&self, at_ms: i64) -> String {
        crate::dataset::rfc3339(at_ms)
    }
}

/// Runs a future in a new actor system and returns what the future returns. All actors run on this
/// thread; tasks run on worker threads, one for each core. An error means that the runtime could
/// not be started, for example because there are no threads left.
pub fn run_in_actor_system<T>(work: impl Future<Output = T>) -> Result<T> {
    let build = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    // A runtime is built once here as a test, where a failure can be returned as an error. Actix
    // builds its runtime in a closure that must not fail.
    drop(
        build()
            .map_err(|e| Error::new(Code::Unexpected, "cannot start a runtime").with_source(e))?,
    );
    #[expect(
        clippy::expect_used,
        reason = "actix wants a runtime, not a result; one was just made"
    )]
    let runner = actix::System::with_tokio_rt(|| build().expect("a runtime, as a moment ago"));
    Ok(runner.block_on(work))
}

impl RunningEngine {
    /// Opens the store and starts all actors. Must be called inside [`run_in_actor_system`]. Fails
    /// if the store cannot be opened, for example because another process holds the data directory.
    ///
    /// The order follows the dependencies: the collector needs the journal, the router needs the
    /// collector, the engine actor needs all the others.
    pub async fn start(options: EngineOptions) -> Result<Self> {
        raise_descriptor_limit();
        let store = open_store(&options).await?;
        let backend = Arc::new(SandboxBackends::new(
            options.executable.clone(),
            &options.data_dir.join("guest"),
        ));
        let journal: Arc<dyn Journal> = Arc::new(store.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut exits: Vec<JoinHandle<ActorExit>> = Vec::new();
        let collector = CollectorHandle::new(journal.clone());
        let (router, exit) = RouterHandle::start(collector.clone(), clock.clone());
        exits.push(exit);
        let (pool, exit) = PoolHandle::start(backend.clone(), roomy(&options));
        exits.push(exit);
        let tools = QualityServices {
            collector: collector.clone(),
            journal: journal.clone(),
            sink: Arc::new(ParquetSink::new(&options.data_dir)),
            clock: clock.clone(),
        };
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let (quality, more) = QualityHandle::start(workers, &tools);
        exits.extend(more);
        let tools = gateway::GatewayServices {
            router: router.clone(),
            collector: collector.clone(),
            journal: journal.clone(),
            clock: clock.clone(),
        };
        let guests = options.data_dir.join("guest");
        let prepare_socket = Box::new(move || egress::prepare_agents_socket(&guests));
        let agent_gateway = AgentGateway::new(
            tools,
            AdapterFactory::new(crate::store::open_archive),
            prepare_socket,
        );
        let agents = Arc::new(agent_gateway.clone());
        let units = Arc::new(ActorCounters::new("unit"));
        let services = EngineServices {
            pool,
            router,
            collector,
            quality,
            journal,
            workspaces: Arc::new(WorkspaceFiles::new(&options.data_dir)),
            proofs: Arc::new(ProofFiles::new(&options.data_dir)),
            clock,
            agents,
            units,
            pause_slot: PauseSlot::default(),
        };
        let (handle, exit) = EngineHandle::start(EngineResources {
            services: services.clone(),
            inputs: WorkInputs { catalog: options.catalog, ..WorkInputs::default() },
            models: Arc::new(AdapterFactory::new(crate::store::open_archive)),
            slots: Arc::new(Semaphore::new(options.max_episodes)),
        });
        exits.push(exit);
        let escalated = watch_exits(exits);
        Ok(Self { handle, services, store, backend, agent_gateway, escalated })
    }

    /// Does steps 3 to 6 of the shutdown list: cuts off everything that still runs and closes the
    /// agent gateway, the pool and the sandboxes. A caller that wants running episodes to finish
    /// first waits for them before (`cli::daemon::shutdown`). An error of the store is returned before one
    /// of the sandboxes.
    pub async fn shut_down(self) -> Result<()> {
        self.handle.drain(true).await;
        if tokio::time::timeout(CUT_PATIENCE, self.handle.wait_until_settled()).await.is_err() {
            tracing::error!("episodes did not end in time; the next start resumes them");
        }
        self.agent_gateway.close().await;
        self.close_router().await;
        if let Err((calls, fault)) = self.services.router.flush_backlog().await {
            tracing::error!(calls, %fault, "calls are not recorded");
        }
        self.services.pool.shut_down().await;
        let settled = self.backend.settle().await.map_err(|fault| fault_error(&fault));
        // The barrier runs even if the sandboxes could not be cleaned up: acknowledged records
        // must be on the disk in any case.
        let kept = self.store.barrier().await.map_err(store_error);
        kept.and(settled)
    }
}

impl RunningEngine {
    /// Admits no more calls and waits until those that were admitted are settled. Their callers have
    /// been cut off, so they end soon.
    async fn close_router(&self) {
        let router = &self.services.router;
        match tokio::time::timeout(CUT_PATIENCE, router.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => tracing::error!(%fault, "the router does not close"),
            Err(_) => tracing::error!(calls = router.open_calls(), "calls are not settled in time"),
        }
    }
}

/// Raises the limit of sandboxes alive (`max_live`) to three for each episode plus the warm ones.
/// An attempt holds one sandbox while it waits for another one to measure milestones in. Later it
/// holds none and waits for two to verify in. With fewer places, the episodes could wait for each
/// other forever.
fn roomy(options: &EngineOptions) -> PoolConfig {
    let least = options.max_episodes.saturating_mul(3).saturating_add(options.pool.warm);
    PoolConfig { max_live: options.pool.max_live.max(least), ..options.pool.clone() }
}

/// Opens the store on a blocking thread, because opening may read the whole database.
async fn open_store(options: &EngineOptions) -> Result<Store> {
    let data_dir = options.data_dir.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&data_dir)).await;
    opened.map_err(|e| Error::new(Code::Unexpected, "opening the store panicked").with_source(e))?
}

/// Watches the supervisors of all actors and publishes the first escalation. `lives` has one join
/// handle for each supervised actor.
fn watch_exits(exits: Vec<JoinHandle<ActorExit>>) -> watch::Receiver<Option<String>> {
    let (publish, escalated) = watch::channel(None);
    let publish = Arc::new(publish);
    for exit in exits {
        let publish = publish.clone();
        // The task ends with the actor it watches, or at the latest with the actor system.
        #[expect(clippy::disallowed_methods, reason = "watches the joins themselves")]
        tokio::task::spawn_local(async move {
            if let Ok(ActorExit::Escalated { name, panic }) = exit.await {
                publish.send_replace(Some(format!("the {name} actor keeps panicking: {panic}")));
            }
        });
    }
    escalated
}

/// Raises the soft limit of open files to the hard limit. Each sandbox needs two descriptors, so
/// the usual soft limit of 1,024 is soon reached. A failure is only a warning.
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// Asks a backend what it can enforce on this host. The error is `LauncherFailed` (SYN-0402) for
/// the namespace backend and `EngineUnavailable` (SYN-0405) for the container backend.
pub async fn host_facts(backends: &SandboxBackends, backend: BackendKind) -> Result<HostFacts> {
    backends.host_facts(backend).await.map_err(|fault| match backend {
        BackendKind::Namespace => {
            Error::new(Code::LauncherFailed, "the sandbox launcher does not start")
                .with_source(fault.message)
                .hint("`synthd doctor` shows what this host can run")
        }
        BackendKind::Docker => {
            Error::new(Code::EngineUnavailable, "there is no container engine to use")
                .with_source(fault.message)
                .hint("start an engine, or name one with DOCKER_HOST; `synthd doctor` tries it")
        }
    })
}

/// The pull policy of a campaign, and a callback that hears the progress of each pull.
pub type ImagePullOptions<'a> = (ImagePullPolicy, &'a (dyn Fn(&PullProgress) + Send + Sync));

/// Checks that this host enforces every protection that the campaign requires, and that the image
/// exists. Nothing is downgraded silently: a missing protection is an error. Returns the digest of
/// the image, or None if the image has none (a namespace root has no digest). With `fetch`, a
/// missing image is pulled if the policy says so.
pub async fn ensure_sandbox(
    backends: &SandboxBackends,
    sandbox: &SandboxSpec,
    fetch: Option<ImagePullOptions<'_>>,
) -> Result<Option<String>> {
    check_enforcement(backends, sandbox).await?;
    ensure_image(backends, sandbox, fetch).await
}

/// Checks that this host enforces all that `[sandbox] require` names. The error `HostCannotEnforce`
/// (SYN-0401) lists each missing protection with the reason. With the namespace backend, one sandbox
/// is made as a test.
pub async fn check_enforcement(backends: &SandboxBackends, sandbox: &SandboxSpec) -> Result<()> {
    let facts = host_facts(backends, sandbox.backend).await?;
    let missing = facts.missing(&sandbox.require);
    if missing.is_empty() {
        // The campaign does not require the limit, so that its absence is only a warning.
        if let Some(warning) = facts.memory_warning() {
            tracing::warn!("{warning}");
        }
        return sandboxes_run(backends, sandbox.backend).await;
    }
    let lines: Vec<String> =
        missing.iter().map(|(what, why)| format!("{}: {why}", what.as_str())).collect();
    let what = format!("this host does not enforce {}", lines.join("; "));
    Err(Error::new(Code::HostCannotEnforce, what).hint(
        "run the campaign on a host where `synthd doctor` says yes, or remove it from \
               [sandbox] require",
    ))
}

/// Checks that the image of a sandbox exists, and pulls it first if `fetch` allows that. Returns
/// the digest of the image, where it has one.
pub async fn ensure_image(
    backends: &SandboxBackends,
    sandbox: &SandboxSpec,
    fetch: Option<ImagePullOptions<'_>>,
) -> Result<Option<String>> {
    // A campaign that was begun with a digest goes on with exactly that image. A pull by name
    // could bring another one, so nothing is pulled.
    if let Some((pull, told)) = fetch.filter(|_| sandbox.digest.is_none()) {
        backends.fetch(sandbox, pull, told).await.map_err(no_sandbox)?;
    }
    backends.check(sandbox).await.map_err(no_sandbox)
}

/// Creates one sandbox of the namespace backend as a test. The facts of a host may all be fine
/// while something that nobody asked for still prevents a sandbox.
async fn sandboxes_run(backends: &SandboxBackends, backend: BackendKind) -> Result<()> {
    if backend != BackendKind::Namespace {
        // For containers, the check of each image shows whether it runs.
        return Ok(());
    }
    let spec = SandboxSpec { image: BASE_IMAGE.to_owned(), ..SandboxSpec::default() };
    match backends.create(&spec).await {
        Ok(_) => Ok(()),
        Err(fault) => Err(Error::new(Code::HostCannotEnforce, "no sandbox runs here")
            .with_source(fault)
            .hint("`synthd doctor` shows what this host can run")),
    }
}

/// The user's error for an image or a sandbox that a backend refused. A backend that is down is
/// another error (SYN-0405) than an image that does not exist (SYN-0404).
fn no_sandbox(fault: Fault) -> Error {
    if fault.kind.policy().backend == BackendSign::Down {
        return Error::new(Code::EngineUnavailable, "the container engine does not answer")
            .with_source(fault.message)
            .hint("start the engine again, or name another one with DOCKER_HOST");
    }
    Error::new(Code::ImageUnavailable, "no sandbox can be made as [sandbox] describes it")
        .with_source(fault.message)
        .hint("`synthd image list` shows all images; `build` and `pull` add one")
}

/// Turns a fault of the store into the error that the user sees.
pub fn store_error(fault: synthd_actors::ports::StoreFault) -> Error {
    fault_error(&fault.into())
}

/// Turns a fault into the error that the user sees. The table of faults gives the code, the
/// statement and the hint; the fault's own message becomes the cause.
pub fn fault_error(fault: &Fault) -> Error {
    error_for_kind(fault.kind, fault.kind.policy().told).with_source(fault.message.clone())
}

/// An error with the code and the hint that the table of faults has for `kind`, and with `what` as
/// the statement. Kinds that users normally never see have no code in the table; they become
/// `Unexpected` (SYN-0001).
pub fn error_for_kind(kind: FaultKind, what: impl Into<String>) -> Error {
    let policy = kind.policy();
    let code = policy.code.and_then(Code::named).unwrap_or(Code::Unexpected);
    let error = Error::new(code, what);
    if policy.hint.is_empty() { error } else { error.hint(policy.hint) }
}

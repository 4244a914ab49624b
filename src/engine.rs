//! Wiring: ports to adapters, actors to handles; the start and the shutdown list.
//!
//! Shutdown, in this order (and so in `docs/ARCHITECTURE.md`):
//!  1. stop admission: nothing new is taken, campaigns launch no more episodes (`cli::leaving`)
//!  2. grace: running episodes finish; a line every five seconds says what remains (the same)
//!  3. cut off what still runs; the journal has every turn of it
//!  4. close the agents' gateway, then the pool: warm sandboxes die; wait until the launcher has reaped everything
//!  5. quality and collector are at rest with their campaigns: nothing is in flight
//!  6. store barrier: what was acknowledged is on the disk
//!  7. close the control socket, whose clients wait for this moment
//!  8. stop the system and join; dropping the store checkpoints and unlocks
//!
//! A second signal skips from 2 to 3. Nothing is corrupted either way.

use crate::dataset::ParquetSink;
use crate::error::{Code, Error, Result};
use crate::gateway::{self, AgentGateway};
use crate::llm::AdapterFactory;
use crate::sandbox::docker::PullProgress;
use crate::sandbox::{HostFacts, SandboxBackends, egress};
use crate::store::Store;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::collector::CollectorHandle;
use synthd_actors::engine::{EngineHandle, EngineResources};
use synthd_actors::episode::EngineServices;
use synthd_actors::model::BASE_IMAGE;
use synthd_actors::model::{
    BackendKind, BackendSign, Fault, FaultKind, ImagePullPolicy, SandboxProtection, SandboxSpec,
};
use synthd_actors::pool::{PoolConfig, PoolHandle};
use synthd_actors::ports::{Clock, Journal, SandboxBackend};
use synthd_actors::quality::{QualityHandle, QualityServices};
use synthd_actors::router::RouterHandle;
use synthd_actors::supervisor::ActorExit;
use synthd_actors::task::Catalog;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// How long cutting off may take before it is given up.
const CUT_PATIENCE: Duration = Duration::from_secs(15);

/// What an engine is started with.
#[derive(Clone)]
pub struct EngineOptions {
    pub data_dir: PathBuf,
    /// The synthd binary, from which the sandbox launcher is re-executed.
    pub executable: PathBuf,
    pub max_episodes: usize,
    pub pool: PoolConfig,
    pub catalog: Arc<Catalog>,
}

/// A running engine.
#[derive(Clone)]
pub struct Engine {
    pub handle: EngineHandle,
    pub world: EngineServices,
    pub store: Store,
    pub backend: Arc<SandboxBackends>,
    agent_gateway: AgentGateway,
    /// The first escalation of an actor, after which the engine must end.
    pub escalated: watch::Receiver<Option<String>>,
}

/// Time as the operating system has it.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }

    fn stamp(&self, at_ms: i64) -> String {
        crate::dataset::rfc3339(at_ms)
    }
}

/// Runs a future in an actor system that uses every core: actors on this thread, tasks on
/// the workers.
pub fn run_in_actor_system<T>(work: impl Future<Output = T>) -> Result<T> {
    let build = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    // Tried once here, where its failure is an error and not a panic.
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

impl Engine {
    /// Starts every actor. Must be called inside [`in_system`].
    pub async fn start(options: EngineOptions) -> Result<Self> {
        raise_descriptor_limit();
        let store = open_store(&options).await?;
        let backend = Arc::new(SandboxBackends::new(
            options.executable.clone(),
            &options.data_dir.join("guest"),
        ));
        let journal: Arc<dyn Journal> = Arc::new(store.clone());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut lives: Vec<JoinHandle<ActorExit>> = Vec::new();
        let (collector, life) = CollectorHandle::start(journal.clone());
        lives.push(life);
        let (router, life) = RouterHandle::start(collector.clone(), clock.clone());
        lives.push(life);
        let (pool, life) = PoolHandle::start(backend.clone(), roomy(&options));
        lives.push(life);
        let tools = QualityServices {
            collector: collector.clone(),
            journal: journal.clone(),
            sink: Arc::new(ParquetSink::new(&options.data_dir)),
            clock: clock.clone(),
        };
        let workers = std::thread::available_parallelism().map_or(2, usize::from);
        let (quality, more) = QualityHandle::start(workers, &tools);
        lives.extend(more);
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
        let world = EngineServices { pool, router, collector, quality, journal, clock, agents };
        let (handle, life) = EngineHandle::start(EngineResources {
            world: world.clone(),
            catalog: options.catalog,
            models: Arc::new(AdapterFactory::new(crate::store::open_archive)),
            places: Arc::new(Semaphore::new(options.max_episodes)),
        });
        lives.push(life);
        let escalated = watch_lives(lives);
        Ok(Self { handle, world, store, backend, agent_gateway, escalated })
    }

    /// Cuts off everything that still runs and closes everything. A caller that wants running
    /// episodes to finish first brings them to rest (`cli::leaving`).
    pub async fn shut_down(self) -> Result<()> {
        self.handle.drain(true).await;
        if tokio::time::timeout(CUT_PATIENCE, self.handle.wait_until_settled()).await.is_err() {
            tracing::error!("episodes did not end in time; the next start resumes them");
        }
        if let Err((calls, fault)) = self.agent_gateway.close().await {
            tracing::error!(calls, %fault, "calls were answered but are not recorded");
        }
        self.world.pool.shut_down().await;
        let settled = self.backend.settle().await.map_err(|fault| fault_error(&fault));
        // Whatever became of the sandboxes: what was acknowledged must be on the disk.
        let kept = self.store.barrier().await.map_err(store_error);
        kept.and(settled)
    }
}

/// An attempt holds one sandbox while it waits for another to measure milestones in, and
/// then none while it waits for two to verify in; with fewer places than episodes need
/// together, they could wait for each other for ever.
fn roomy(options: &EngineOptions) -> PoolConfig {
    let least = options.max_episodes.saturating_mul(3).saturating_add(options.pool.warm);
    PoolConfig { max_live: options.pool.max_live.max(least), ..options.pool.clone() }
}

async fn open_store(options: &EngineOptions) -> Result<Store> {
    let data_dir = options.data_dir.clone();
    let opened = tokio::task::spawn_blocking(move || Store::open(&data_dir)).await;
    opened.map_err(|e| Error::new(Code::Unexpected, "opening the store panicked").with_source(e))?
}

/// Publishes the first escalation.
fn watch_lives(lives: Vec<JoinHandle<ActorExit>>) -> watch::Receiver<Option<String>> {
    let (publish, escalated) = watch::channel(None);
    let publish = Arc::new(publish);
    for life in lives {
        let publish = publish.clone();
        // Ends with the actor it watches, and with the system at the latest.
        #[expect(clippy::disallowed_methods, reason = "watches the joins themselves")]
        tokio::task::spawn_local(async move {
            if let Ok(ActorExit::Escalated { name, panic }) = life.await {
                publish.send_replace(Some(format!("the {name} actor keeps panicking: {panic}")));
            }
        });
    }
    escalated
}

/// A sandbox holds two descriptors, and the usual limit is meant for programs that hold few.
fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

/// What a backend enforces on this host.
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

/// When an image is brought from its registry, and who hears how far that is.
pub type ImagePullOptions<'a> = (ImagePullPolicy, &'a (dyn Fn(&PullProgress) + Send + Sync));

/// What the campaign insists on must be enforced here, and what it names must be there;
/// nothing is downgraded silently. The digest of the image, where it has one.
pub async fn ensure_sandbox(
    backends: &SandboxBackends,
    sandbox: &SandboxSpec,
    fetch: Option<ImagePullOptions<'_>>,
) -> Result<Option<String>> {
    check_enforcement(backends, sandbox).await?;
    ensure_image(backends, sandbox, fetch).await
}

/// What the sandbox insists on must be enforced here.
pub async fn check_enforcement(backends: &SandboxBackends, sandbox: &SandboxSpec) -> Result<()> {
    let facts = host_facts(backends, sandbox.backend).await?;
    let missing = facts.missing(&sandbox.require);
    if missing.is_empty() {
        say_what_is_unbounded(&facts);
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

/// What the sandbox is made of must be there. The digest of its image, where it has one.
pub async fn ensure_image(
    backends: &SandboxBackends,
    sandbox: &SandboxSpec,
    fetch: Option<ImagePullOptions<'_>>,
) -> Result<Option<String>> {
    // What it was begun with is there, or nowhere.
    if let Some((pull, told)) = fetch.filter(|_| sandbox.digest.is_none()) {
        backends.fetch(sandbox, pull, told).await.map_err(no_sandbox)?;
    }
    backends.check(sandbox).await.map_err(no_sandbox)
}

/// A campaign that does not insist on a bound runs without; its user is to know.
fn say_what_is_unbounded(facts: &HostFacts) {
    if let Some(Err(why)) = facts.enforced.get(&SandboxProtection::MemoryCgroup) {
        tracing::warn!(
            "on this host, each process of a sandbox has a memory limit, but the whole sandbox \
             has none ({why}); `require = [\"memory-cgroup\"]` refuses such hosts"
        );
    }
}

/// Nothing convinces like a sandbox that ran.
async fn sandboxes_run(backends: &SandboxBackends, backend: BackendKind) -> Result<()> {
    if backend != BackendKind::Namespace {
        // Whether an image runs is found with its own.
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

/// A store's fault as the user meets it.
pub fn store_error(fault: synthd_actors::ports::StoreFault) -> Error {
    fault_error(&fault.into())
}

/// A fault as the user meets it, by the table of faults.
pub fn fault_error(fault: &Fault) -> Error {
    error_for_kind(fault.kind, fault.kind.policy().told).with_source(fault.message.clone())
}

/// An error with the code and the way out that the table has for a kind of fault. A kind that
/// the table shows nobody is unforeseen where it is shown.
pub fn error_for_kind(kind: FaultKind, what: impl Into<String>) -> Error {
    let policy = kind.policy();
    let code = policy.code.and_then(Code::named).unwrap_or(Code::Unexpected);
    let error = Error::new(code, what);
    if policy.hint.is_empty() { error } else { error.hint(policy.hint) }
}

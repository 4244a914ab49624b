//! A system for one test: everything wired over fakes, on one thread with paused time, and
//! a panic at the end when an actor, a task or a sandbox is left.

use super::{
    FakeAgents, FakeArchive, FakeBackend, FakeClock, FakeModels, FakeSink, MemoryJournal,
    ProofMemory, catalog,
};
use crate::campaign::{CampaignHandle, CampaignProgress, ReopenFilter, RestartOptions};
use crate::collector::CollectorHandle;
use crate::engine::{EngineHandle, EngineResources};
use crate::model::CampaignConfig;
use crate::policy::PauseSlot;
use crate::pool::{PoolConfig, PoolHandle};
use crate::ports::{Clock, Journal};
use crate::quality::{QualityHandle, QualityServices};
use crate::router::RouterHandle;
use crate::supervisor::{ActorCounters, ActorExit, LiveCounts};
use crate::task::Catalog;
use crate::work::completion::PromptSet;
use crate::work::{EngineServices, WorkInputs};
use std::cell::RefCell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Virtual time after which a test hangs.
const PATIENCE: Duration = Duration::from_secs(100_000);

/// How the system is built.
#[derive(Clone)]
pub struct Options {
    pub pool: PoolConfig,
    /// Episodes at once, over all campaigns.
    pub slots: usize,
    pub workers: usize,
    /// A journal of an earlier life.
    pub journal: Arc<MemoryJournal>,
    /// How coarse pauses are. None by default, so that an episode takes no time.
    pub pause_slot: PauseSlot,
}

impl Default for Options {
    fn default() -> Self {
        let pool = PoolConfig { warm: 2, parallel_creation: 3, ..PoolConfig::default() };
        let pause_slot = PauseSlot::NONE;
        Self { pool, slots: 64, workers: 2, journal: Arc::default(), pause_slot }
    }
}

type ActorExits = Rc<RefCell<Vec<(&'static str, JoinHandle<ActorExit>)>>>;

/// The wired engine and the fakes behind it.
#[derive(Clone)]
pub struct Kit {
    pub journal: Arc<MemoryJournal>,
    pub backend: FakeBackend,
    pub models: Arc<FakeModels>,
    pub sink: Arc<FakeSink>,
    pub archive: Arc<FakeArchive>,
    pub services: EngineServices,
    pub engine: EngineHandle,
    pub slots: Arc<Semaphore>,
    exits: ActorExits,
}

/// Runs a test.
pub fn in_test_system<F: Future<Output = ()>>(options: Options, test: impl FnOnce(Kit) -> F) {
    let runner = actix::System::with_tokio_rt(paused_runtime);
    runner.block_on(async {
        let census = LiveCounts::here();
        let kit = Kit::start(options);
        let hung = timeout(PATIENCE, test(kit.clone())).await.is_err();
        assert!(!hung, "the test hangs");
        let (backend, journal) = (kit.backend.clone(), kit.journal.clone());
        kit.shut_down().await;
        all_gone(&census, &backend).await;
        drop(journal);
    });
}

#[expect(clippy::expect_used, reason = "actix wants a runtime, not a result; this is a test's")]
fn paused_runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().expect("a runtime")
}

async fn all_gone(census: &LiveCounts, backend: &FakeBackend) {
    for _ in 0..100 {
        if census.actors() + census.tasks() + backend.live() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (actors, tasks, sandboxes) = (census.actors(), census.tasks(), backend.live());
    assert_eq!((actors, tasks, sandboxes), (0, 0, 0), "actors, tasks and sandboxes are left");
}

impl Kit {
    fn start(options: Options) -> Self {
        let Options { pool, slots, workers, journal, pause_slot } = options;
        let (backend, sink) = (FakeBackend::default(), Arc::<FakeSink>::default());
        let models = Arc::<FakeModels>::default();
        let archive = Arc::<FakeArchive>::default();
        let store: Arc<dyn Journal> = journal.clone();
        let clock: Arc<dyn Clock> = Arc::new(FakeClock::default());
        let mut exits = Vec::new();
        let collector = CollectorHandle::new(store.clone());
        let (router, exit) = RouterHandle::start(collector.clone(), clock.clone());
        exits.push(("router", exit));
        let (pool, exit) = PoolHandle::start(Arc::new(backend.clone()), pool);
        exits.push(("pool", exit));
        let tools = QualityServices {
            collector: collector.clone(),
            journal: store.clone(),
            sink: sink.clone(),
            clock: clock.clone(),
        };
        let (quality, mut more) = QualityHandle::start(workers, &tools);
        // The publisher is the last one.
        exits.extend(more.pop().map(|exit| ("publisher", exit)));
        exits.extend(more.into_iter().map(|exit| ("quality", exit)));
        let agents = Arc::new(FakeAgents {
            backend: backend.clone(),
            models: models.clone(),
            sessions: Default::default(),
        });
        let units = Arc::new(ActorCounters::new("unit"));
        let services = EngineServices {
            pool,
            router,
            collector,
            quality,
            journal: store,
            workspaces: archive.clone(),
            proofs: Arc::new(ProofMemory::default()),
            clock,
            agents,
            units,
            pause_slot,
        };
        let slots = Arc::new(Semaphore::new(slots));
        let (engine, exit) = EngineHandle::start(EngineResources {
            services: services.clone(),
            inputs: WorkInputs { catalog: Arc::new(catalog()), ..WorkInputs::default() },
            models: models.clone(),
            slots: slots.clone(),
        });
        exits.push(("engine", exit));
        let exits = Rc::new(RefCell::new(exits));
        Self { journal, backend, models, sink, archive, services, engine, slots, exits }
    }

    /// Starts a campaign.
    pub async fn submit(&self, config: &CampaignConfig) -> CampaignHandle {
        self.submit_again(config, ReopenFilter::Nothing).await
    }

    /// Starts a campaign, and tries some of its faulted episodes again.
    #[expect(clippy::panic, reason = "a test's")]
    pub async fn submit_again(
        &self,
        config: &CampaignConfig,
        again: impl Into<RestartOptions>,
    ) -> CampaignHandle {
        let config = Arc::new(config.clone());
        let submitted = self.engine.submit_again(config, String::new(), again).await;
        submitted.unwrap_or_else(|error| panic!("not submitted: {error}"))
    }

    /// Starts a campaign of completions over these prompts.
    pub async fn submit_prompts(
        &self,
        config: &CampaignConfig,
        prompts: PromptSet,
    ) -> CampaignHandle {
        let inputs = WorkInputs { prompts: Arc::new(prompts), ..WorkInputs::default() };
        self.submit_with(config, inputs).await
    }

    /// Runs a campaign over other templates until it rests.
    pub async fn run_with(&self, config: &CampaignConfig, catalog: Catalog) -> CampaignProgress {
        let inputs = WorkInputs { catalog: Arc::new(catalog), ..WorkInputs::default() };
        self.submit_with(config, inputs).await.wait_until_settled().await
    }

    #[expect(clippy::panic, reason = "a test's")]
    async fn submit_with(&self, config: &CampaignConfig, inputs: WorkInputs) -> CampaignHandle {
        let (config, again) = (Arc::new(config.clone()), ReopenFilter::Nothing.into());
        let submitted = self.engine.submit_with(inputs, config, String::new(), again).await;
        submitted.unwrap_or_else(|error| panic!("not submitted: {error}"))
    }

    /// Runs a campaign until it rests.
    pub async fn run(&self, config: &CampaignConfig) -> CampaignProgress {
        self.submit(config).await.wait_until_settled().await
    }

    /// The exit of an actor, to be awaited.
    #[expect(clippy::panic, reason = "a test's")]
    pub fn exit(&self, name: &str) -> JoinHandle<ActorExit> {
        let mut exits = self.exits.borrow_mut();
        match exits.iter().position(|(known, _)| *known == name) {
            Some(at) => exits.remove(at).1,
            None => panic!("no exit of {name} is left"),
        }
    }

    /// The shutdown list; everything ends when the last handle goes.
    async fn shut_down(self) {
        self.engine.drain(true).await;
        let rested = timeout(PATIENCE, self.engine.wait_until_settled()).await;
        assert!(rested.is_ok(), "a campaign does not come to rest");
        self.services.pool.shut_down().await;
        let exits = self.exits.take();
        drop(self);
        for (name, exit) in exits {
            let ended = timeout(PATIENCE, exit).await;
            assert!(ended.is_ok(), "the {name} actor does not end");
        }
    }
}

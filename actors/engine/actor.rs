//! The engine actor.

use super::messages::{EngineResources, SubmitCampaign, SubmitError};
use crate::campaign::{
    CampaignActor, CampaignHandle, CampaignPlanner, PreparedCampaign, prepare, state_change_entry,
};
use crate::model::{
    CampaignConfig, CampaignName, CampaignState, Fault, FaultKind, JournalEntry, ModelConfig,
    day_of,
};
use crate::ports::ModelFactory;
use crate::router::ModelClients;
use crate::supervisor::{panic_text, spawn};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, WrapFuture};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The campaigns of this engine. It outlives the actor, as the campaigns do.
#[derive(Clone, Default)]
pub struct CampaignRegistry(Arc<RegistryState>);

#[derive(Default)]
struct RegistryState {
    campaigns: Mutex<BTreeMap<CampaignName, CampaignHandle>>,
    /// Changed only with `campaigns` locked: what is started is either known to who drains,
    /// or refused.
    draining: AtomicBool,
}

impl CampaignRegistry {
    fn campaigns(&self) -> std::sync::MutexGuard<'_, BTreeMap<CampaignName, CampaignHandle>> {
        self.0.campaigns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, name: &CampaignName) -> Option<CampaignHandle> {
        self.campaigns().get(name).cloned()
    }

    pub(super) fn all(&self) -> Vec<CampaignHandle> {
        self.campaigns().values().cloned().collect()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    pub(super) fn set_draining(&self) {
        let _campaigns = self.campaigns();
        self.0.draining.store(true, Ordering::Release);
    }

    /// Starts a campaign and knows it, unless the engine drains.
    fn start<T>(
        &self,
        name: &CampaignName,
        start: impl FnOnce() -> (CampaignHandle, T),
    ) -> Option<(CampaignHandle, T)> {
        let mut campaigns = self.campaigns();
        if self.is_draining() {
            return None;
        }
        let (handle, rest) = start();
        campaigns.insert(name.clone(), handle.clone());
        Some((handle, rest))
    }

    /// Whether a campaign of that name still moves or may be moved.
    fn is_live(&self, name: &CampaignName) -> bool {
        self.get(name).is_some_and(|campaign| campaign.is_alive())
    }
}

pub struct EngineActor {
    tools: EngineResources,
    registry: CampaignRegistry,
    /// Being prepared: a second one of that name must not slip in meanwhile.
    starting: HashSet<CampaignName>,
}

impl EngineActor {
    pub(super) fn new(tools: EngineResources, registry: CampaignRegistry) -> Self {
        Self { tools, registry, starting: HashSet::new() }
    }

    fn refuse(&self, name: &CampaignName) -> Option<SubmitError> {
        if self.registry.is_draining() {
            return Some(SubmitError::Draining);
        }
        let taken = self.starting.contains(name) || self.registry.is_live(name);
        taken.then(|| SubmitError::AlreadyRunning(name.to_string()))
    }

    /// The campaign's actor belongs to this thread; a panic in it is seen here.
    fn adopt(
        &mut self,
        name: &CampaignName,
        prepared: PreparedCampaign,
        ctx: &mut Context<Self>,
    ) -> SubmitResult {
        let EngineResources { mut world, places, .. } = self.tools.clone();
        world.pool = world.pool.for_campaign(name);
        let before = prepared.before.clone();
        let starting = || {
            let (handle, joined, progress) = CampaignActor::start(world, prepared, places);
            (handle, (joined, progress))
        };
        let Some((handle, (joined, progress))) = self.registry.start(name, starting) else {
            self.write(state_change_entry(name, before.0, before.1), ctx);
            return Err(Arc::new(SubmitError::Draining));
        };
        let campaign = name.clone();
        ctx.spawn(joined.into_actor(self).map(move |ended, this, ctx| {
            if let Err(failure) = ended {
                let panic = crate::supervisor::panic_text(failure);
                tracing::error!(%campaign, %panic, "the campaign's actor died; it can be submitted again");
                let reason = Some(format!("its actor died: {panic}"));
                this.write(state_change_entry(&campaign, CampaignState::Paused, reason), ctx);
                progress.send_modify(|progress| progress.mark_dead(panic));
            }
        }));
        Ok(handle)
    }

    /// Writes where a campaign without an actor stands.
    fn write(&self, entry: JournalEntry, ctx: &mut Context<Self>) {
        let collector = self.tools.world.collector.clone();
        let written = async move { collector.record(vec![entry]).await };
        ctx.spawn(written.into_actor(self).map(|written, _, _| {
            if let Err(fault) = written {
                tracing::error!(%fault, "a campaign's state could not be written");
            }
        }));
    }
}

impl Actor for EngineActor {
    type Context = Context<Self>;
}

type SubmitResult = Result<CampaignHandle, Arc<SubmitError>>;

impl Handler<SubmitCampaign> for EngineActor {
    type Result = ResponseActFuture<Self, SubmitResult>;

    fn handle(&mut self, submit: SubmitCampaign, _: &mut Self::Context) -> Self::Result {
        let name = submit.config.name.clone();
        if let Some(refusal) = self.refuse(&name) {
            return Box::pin(actix::fut::ready(Err(Arc::new(refusal))));
        }
        self.starting.insert(name.clone());
        let tools = self.tools.clone();
        let ready = async move { make_ready(&tools, submit).await };
        Box::pin(ready.into_actor(self).map(move |ready, this, ctx| {
            this.starting.remove(&name);
            this.adopt(&name, ready.map_err(Arc::new)?, ctx)
        }))
    }
}

async fn make_ready(
    tools: &EngineResources,
    submit: SubmitCampaign,
) -> Result<PreparedCampaign, SubmitError> {
    let config = submit.config;
    let catalog = submit.catalog.unwrap_or_else(|| tools.catalog.clone());
    let planner = Arc::new(CampaignPlanner { config: config.clone(), catalog });
    let models = build_models(tools.models.clone(), config.clone()).await?;
    let prepared = prepare(&tools.world, planner, submit.source, &submit.again).await?;
    let today = day_of(tools.world.clock.now_ms());
    let before = tools.world.journal.spending(&config.name, today).await;
    let before = before.map_err(crate::model::Fault::from)?;
    tools.world.router.open(config.name.clone(), models, config.caps(), before);
    Ok(prepared)
}

/// Clients of models read certificates and start pools: work for the workers, not for the one
/// thread of the actors.
async fn build_models(
    factory: Arc<dyn ModelFactory>,
    config: Arc<CampaignConfig>,
) -> Result<Vec<ModelClients>, Fault> {
    let building = spawn("models", async move {
        let build = |model: &ModelConfig| {
            let able = model.standing.has(&config.needs);
            Ok(ModelClients::new(model, &*factory)?.able(able))
        };
        config.models.iter().map(build).collect()
    });
    building.await.unwrap_or_else(|died| Err(Fault::new(FaultKind::Panicked, panic_text(died))))
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for EngineActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into the engine");
    }
}

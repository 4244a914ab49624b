//! The engine actor. It takes submitted campaigns, prepares them in the background, starts their
//! actors, and sees when one of them dies.
//!
//! ```text
//!  SubmitCampaign ─► refuse? ─► build model clients ─► prepare ─► open account ─► start its actor
//! ```
//! A campaign's actor is joined here. If it panics, the journal and the progress say that the
//! campaign is paused with the reason, and it can be submitted again.

use super::messages::{EngineResources, SubmitCampaign, SubmitError};
use crate::campaign::{
    CampaignActor, CampaignHandle, PreparedCampaign, prepare, state_change_entry,
};
use crate::model::{
    CampaignConfig, CampaignName, CampaignState, Fault, FaultKind, JournalEntry, ModelConfig,
    day_of,
};
use crate::ports::ModelFactory;
use crate::router::ModelClients;
use crate::supervisor::{ActorCounters, ActorStats, assert_may_block, panic_text, spawn};
use crate::work::kind_of;
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, ResponseActFuture, WrapFuture};
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The campaigns that this engine has run, by name. The factory of the actor shares it, so it
/// outlives the actor as the campaigns do.
#[derive(Clone, Default)]
pub struct CampaignRegistry(Arc<RegistryState>);

/// The shared part of [`CampaignRegistry`].
struct RegistryState {
    /// Counts the campaigns whose actor has died.
    counters: ActorCounters,
    campaigns: Mutex<BTreeMap<CampaignName, CampaignHandle>>,
    /// Changed only while `campaigns` is locked. So a campaign is either in the map before the
    /// drain begins, or it is refused. None can start unseen.
    draining: AtomicBool,
}

impl Default for RegistryState {
    fn default() -> Self {
        let counters = ActorCounters::new("campaign");
        Self { counters, campaigns: Mutex::default(), draining: AtomicBool::new(false) }
    }
}

impl CampaignRegistry {
    /// The counts of the campaigns' actors.
    pub(super) fn stats(&self) -> ActorStats {
        self.0.counters.stats()
    }

    /// Counts a campaign whose actor has died.
    fn panicked(&self) {
        self.0.counters.panicked();
    }

    /// Locks the map. A panic while it is locked cannot leave it half changed, so poisoning is
    /// ignored.
    fn campaigns(&self) -> std::sync::MutexGuard<'_, BTreeMap<CampaignName, CampaignHandle>> {
        self.0.campaigns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The campaign of that name, whether it still runs or not.
    pub(super) fn get(&self, name: &CampaignName) -> Option<CampaignHandle> {
        self.campaigns().get(name).cloned()
    }

    /// Every campaign that this engine has run.
    pub(super) fn all(&self) -> Vec<CampaignHandle> {
        self.campaigns().values().cloned().collect()
    }

    /// Whether new campaigns are refused.
    pub(super) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Refuses every new campaign from now on. It cannot be taken back.
    pub(super) fn set_draining(&self) {
        let _campaigns = self.campaigns();
        self.0.draining.store(true, Ordering::Release);
    }

    /// Starts a campaign and adds it to the map. None if the engine drains; then `start` is not
    /// called. Both happen under one lock, so a drain cannot come in between.
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

    /// Whether a campaign of that name has an actor: it runs, or it can be resumed.
    fn is_live(&self, name: &CampaignName) -> bool {
        self.get(name).is_some_and(|campaign| campaign.is_alive())
    }
}

/// The state of the engine actor.
pub struct EngineActor {
    tools: EngineResources,
    registry: CampaignRegistry,
    /// Campaigns that are being prepared. A second one of the same name is refused meanwhile.
    starting: HashSet<CampaignName>,
}

impl EngineActor {
    pub(super) fn new(tools: EngineResources, registry: CampaignRegistry) -> Self {
        Self { tools, registry, starting: HashSet::new() }
    }

    /// Why a campaign of that name may not start now. None if it may.
    fn refuse(&self, name: &CampaignName) -> Option<SubmitError> {
        if self.registry.is_draining() {
            return Some(SubmitError::Draining);
        }
        let taken = self.starting.contains(name) || self.registry.is_live(name);
        taken.then(|| SubmitError::AlreadyRunning(name.to_string()))
    }

    /// Starts the actor of a prepared campaign, and has its end watched: if it panics, the journal
    /// and the progress say so.
    fn adopt(
        &mut self,
        name: &CampaignName,
        prepared: PreparedCampaign,
        ctx: &mut Context<Self>,
    ) -> SubmitResult {
        let EngineResources { mut services, slots, .. } = self.tools.clone();
        services.pool = services.pool.for_campaign(name);
        let undo = prepared.undo.clone();
        let starting = || {
            let (handle, joined, progress) = CampaignActor::start(services, prepared, slots);
            (handle, (joined, progress))
        };
        let Some((handle, (joined, progress))) = self.registry.start(name, starting) else {
            // `prepare` has recorded the campaign as running, and has reopened episodes. It does not
            // run, so its earlier state and their outcomes are written back.
            self.write(undo, ctx);
            return Err(Arc::new(SubmitError::Draining));
        };
        // The watcher is a task of its own: it must outlive this actor, as the campaign does.
        let (registry, collector) = (self.registry.clone(), self.tools.services.collector.clone());
        let campaign = name.clone();
        let watcher = async move {
            let Err(failure) = joined.await else { return };
            registry.panicked();
            let panic = panic_text(failure);
            tracing::error!(%campaign, %panic, "the campaign's actor died; it can be submitted again");
            let reason = Some(format!("its actor died: {panic}"));
            let entry = state_change_entry(&campaign, CampaignState::Paused, reason);
            // The dead actor cannot publish its progress any more.
            progress.send_modify(|progress| progress.mark_dead(panic));
            if let Err(fault) = collector.record(vec![entry]).await {
                tracing::error!(%fault, "a campaign's state could not be written");
            }
        };
        spawn("campaign watcher", watcher).detach();
        Ok(handle)
    }

    /// Writes the state of a campaign that has no actor. A fault is only logged: nobody waits for
    /// it.
    fn write(&self, entries: Vec<JournalEntry>, ctx: &mut Context<Self>) {
        let collector = self.tools.services.collector.clone();
        let written = async move { collector.record(entries).await };
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

crate::takes_deliveries!(EngineActor);

type SubmitResult = Result<CampaignHandle, Arc<SubmitError>>;

impl Handler<SubmitCampaign> for EngineActor {
    type Result = ResponseActFuture<Self, SubmitResult>;

    fn handle(&mut self, submit: SubmitCampaign, _: &mut Self::Context) -> Self::Result {
        let name = submit.config.name.clone();
        if let Some(refusal) = self.refuse(&name) {
            return Box::pin(actix::fut::ready(Err(Arc::new(refusal))));
        }
        // The name is taken before the first await, so two submissions at once cannot both pass.
        self.starting.insert(name.clone());
        let tools = self.tools.clone();
        // Preparing plans thousands of units and reads certificates. It runs on the worker threads.
        let ready = spawn("prepare", async move { make_ready(&tools, submit).await });
        let ready = async move { ready.await.unwrap_or_else(|died| Err(panicked(died).into())) };
        Box::pin(ready.into_actor(self).map(move |ready, this, ctx| {
            // From here on no await follows: the campaign is in the registry before another message
            // is handled.
            this.starting.remove(&name);
            this.adopt(&name, ready.map_err(Arc::new)?, ctx)
        }))
    }
}

/// Builds the model clients, prepares the campaign, and opens its account at the router with what
/// was spent before.
async fn make_ready(
    tools: &EngineResources,
    submit: SubmitCampaign,
) -> Result<PreparedCampaign, SubmitError> {
    let config = submit.config;
    let inputs = submit.inputs.unwrap_or_else(|| tools.inputs.clone());
    let kind = kind_of(config.clone(), inputs);
    let models = build_models(&*tools.models, &config)?;
    // What an earlier account of this campaign owes the store goes first. Otherwise the new account
    // would count it in full for ever.
    tools.services.router.flush_campaign(&config.name).await?;
    let prepared = prepare(&tools.services, kind, submit.source, &submit.again).await?;
    let today = day_of(tools.services.clock.now_ms());
    // What earlier runs have spent counts against the caps of this one.
    let before = tools.services.journal.spending(&config.name, today).await;
    let before = before.map_err(crate::model::Fault::from)?;
    tools.services.router.open(config.name.clone(), models, config.caps(), before).await?;
    Ok(prepared)
}

/// Builds the clients of the campaign's models. They read certificates and open connection pools.
fn build_models(
    factory: &dyn ModelFactory,
    config: &CampaignConfig,
) -> Result<Vec<ModelClients>, Fault> {
    assert_may_block("build the clients of models");
    let build = |model: &ModelConfig| {
        let able = model.routing.has(&config.needs);
        Ok(ModelClients::new(model, factory)?.able(able))
    };
    config.models.iter().map(build).collect()
}

/// The fault of a preparation that panicked.
fn panicked(failure: tokio::task::JoinError) -> Fault {
    Fault::new(FaultKind::Panicked, panic_text(failure))
}

#[cfg(any(test, feature = "testkit"))]
impl Handler<crate::testkit::Panic> for EngineActor {
    type Result = ();

    #[expect(clippy::panic, reason = "the fault that tests inject")]
    fn handle(&mut self, _: crate::testkit::Panic, _: &mut Self::Context) {
        panic!("injected into the engine");
    }
}

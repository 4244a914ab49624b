//! What the engine is asked, and the handle through which.

use super::actor::{CampaignRegistry, EngineActor};
use crate::campaign::{
    CampaignHandle, CampaignProgress, PrepareError, ReopenFilter, RestartOptions,
};
use crate::episode::EngineServices;
use crate::model::{CampaignConfig, CampaignName, Fault};
use crate::policy::RestartIntensity;
use crate::ports::ModelFactory;
use crate::supervisor::{ActorExit, ActorGoneError, ActorHandle, supervise};
use crate::task::Catalog;
use actix::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What campaigns are started with.
#[derive(Clone)]
pub struct EngineResources {
    pub world: EngineServices,
    pub catalog: Arc<Catalog>,
    pub models: Arc<dyn ModelFactory>,
    /// Episodes at once, over all campaigns.
    pub places: Arc<Semaphore>,
}

/// Start a campaign. One of that name must not be running.
#[derive(Clone, Message)]
#[rtype(result = "Result<CampaignHandle, Arc<SubmitError>>")]
pub struct SubmitCampaign {
    pub config: Arc<CampaignConfig>,
    pub source: String,
    /// Which of its faulted episodes are tried again.
    pub again: RestartOptions,
    /// The templates it is planned from; the engine's where it has none of its own.
    pub catalog: Option<Arc<Catalog>>,
}

/// Why a campaign was not started.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error("the engine is draining and accepts no new campaign")]
    Draining,
    #[error("campaign {0} is running already")]
    AlreadyRunning(String),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Gone(#[from] ActorGoneError),
}

/// The engine, for everybody else.
#[derive(Clone)]
pub struct EngineHandle {
    handle: ActorHandle<EngineActor>,
    registry: CampaignRegistry,
}

impl EngineHandle {
    pub fn start(tools: EngineResources) -> (Self, JoinHandle<ActorExit>) {
        let registry = CampaignRegistry::default();
        let shared = registry.clone();
        let intensity = RestartIntensity::new(5, Duration::from_secs(10));
        let (handle, joined) =
            supervise("engine", intensity, move || EngineActor::new(tools.clone(), shared.clone()));
        (Self { handle, registry }, joined)
    }

    pub async fn submit(
        &self,
        config: Arc<CampaignConfig>,
        source: String,
    ) -> Result<CampaignHandle, Arc<SubmitError>> {
        self.submit_again(config, source, ReopenFilter::Nothing).await
    }

    /// The same, and some of its faulted episodes are tried again.
    pub async fn submit_again(
        &self,
        config: Arc<CampaignConfig>,
        source: String,
        again: impl Into<RestartOptions>,
    ) -> Result<CampaignHandle, Arc<SubmitError>> {
        self.ask(SubmitCampaign { config, source, again: again.into(), catalog: None }).await
    }

    /// The same with these templates.
    pub async fn submit_with(
        &self,
        catalog: Arc<Catalog>,
        config: Arc<CampaignConfig>,
        source: String,
        again: RestartOptions,
    ) -> Result<CampaignHandle, Arc<SubmitError>> {
        self.ask(SubmitCampaign { config, source, again, catalog: Some(catalog) }).await
    }

    async fn ask(&self, submit: SubmitCampaign) -> Result<CampaignHandle, Arc<SubmitError>> {
        let asked = self.handle.ask(submit).await;
        asked.unwrap_or_else(|gone| Err(Arc::new(gone.into())))
    }

    /// The campaign of that name, if this engine has run it.
    pub fn campaign(&self, name: &CampaignName) -> Option<CampaignHandle> {
        self.registry.get(name)
    }

    pub fn campaigns(&self) -> Vec<CampaignProgress> {
        self.registry.all().iter().map(|c| c.progress().borrow().clone()).collect()
    }

    pub fn is_draining(&self) -> bool {
        self.registry.is_draining()
    }

    /// Refuses what is new; every campaign comes to rest. With `cut`, running episodes are
    /// cut off instead of finished.
    pub async fn drain(&self, cut: bool) {
        self.registry.set_draining();
        for campaign in self.registry.all() {
            campaign.drain(cut).await;
        }
    }

    /// Waits until every campaign rests.
    pub async fn wait_until_settled(&self) {
        for campaign in self.registry.all() {
            campaign.wait_until_settled().await;
        }
    }

    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<EngineActor> {
        &self.handle
    }

    /// Episodes that still run.
    pub fn running(&self) -> u64 {
        self.campaigns().iter().map(|p| p.running).sum()
    }
}

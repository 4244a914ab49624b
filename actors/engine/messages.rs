//! The messages to the engine, and the handle through which others send them.

use super::actor::{CampaignRegistry, EngineActor};
use crate::campaign::{
    CampaignHandle, CampaignProgress, PrepareError, ReopenFilter, RestartOptions,
};
use crate::model::{CampaignConfig, CampaignName, Fault};
use crate::policy::RestartIntensity;
use crate::ports::ModelFactory;
use crate::supervisor::{ActorExit, ActorHandle, ActorStats, AskError, supervise};
use crate::work::EngineServices;
use crate::work::WorkInputs;
use actix::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// What campaigns are started with.
#[derive(Clone)]
pub struct EngineResources {
    /// The services that all campaigns share.
    pub services: EngineServices,
    /// The templates for campaigns that bring none of their own.
    pub inputs: WorkInputs,
    /// Makes the clients of a campaign's models.
    pub models: Arc<dyn ModelFactory>,
    /// The limit of episodes at once, over all campaigns.
    pub slots: Arc<Semaphore>,
}

/// Start a campaign. It is refused if one of that name is running. The answer is the handle of the
/// started campaign.
#[derive(Clone, Message)]
#[rtype(result = "Result<CampaignHandle, Arc<SubmitError>>")]
pub struct SubmitCampaign {
    pub config: Arc<CampaignConfig>,
    /// The text of the campaign file, for the record.
    pub source: String,
    /// Which of its faulted episodes are tried again.
    pub again: RestartOptions,
    /// The templates and prompts to plan from. None: the engine's own templates.
    pub inputs: Option<WorkInputs>,
}

/// Why a campaign was not started.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The engine is about to stop.
    #[error("the engine is draining and accepts no new campaign")]
    Draining,
    /// The field is the campaign's name.
    #[error("campaign {0} is running already")]
    AlreadyRunning(String),
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The engine actor is gone, or died twice of the message.
    #[error(transparent)]
    Unasked(#[from] AskError),
}

/// What others hold of the engine. Clones are cheap. The actor ends when the last clone is dropped.
#[derive(Clone)]
pub struct EngineHandle {
    handle: ActorHandle<EngineActor>,
    registry: CampaignRegistry,
}

impl EngineHandle {
    /// Starts the engine actor. It is restarted after a panic, up to 5 times in 10 s; the join
    /// handle reports one panic more as an escalation.
    pub fn start(tools: EngineResources) -> (Self, JoinHandle<ActorExit>) {
        let registry = CampaignRegistry::default();
        let shared = registry.clone();
        let intensity = RestartIntensity::new(5, Duration::from_secs(10));
        let (handle, joined) =
            supervise("engine", intensity, move || EngineActor::new(tools.clone(), shared.clone()));
        (Self { handle, registry }, joined)
    }

    /// Starts a campaign, or resumes it. Its faulted episodes stay as they are.
    pub async fn submit(
        &self,
        config: Arc<CampaignConfig>,
        source: String,
    ) -> Result<CampaignHandle, Arc<SubmitError>> {
        self.submit_again(config, source, ReopenFilter::Nothing).await
    }

    /// Starts a campaign, and tries some of its faulted episodes again.
    pub async fn submit_again(
        &self,
        config: Arc<CampaignConfig>,
        source: String,
        again: impl Into<RestartOptions>,
    ) -> Result<CampaignHandle, Arc<SubmitError>> {
        self.ask(SubmitCampaign { config, source, again: again.into(), inputs: None }).await
    }

    /// Starts a campaign with these templates in place of the engine's own, and with these prompts.
    pub async fn submit_with(
        &self,
        inputs: WorkInputs,
        config: Arc<CampaignConfig>,
        source: String,
        again: RestartOptions,
    ) -> Result<CampaignHandle, Arc<SubmitError>> {
        self.ask(SubmitCampaign { config, source, again, inputs: Some(inputs) }).await
    }

    /// Sends the message. A message without an answer becomes
    /// [`SubmitError::Unasked`].
    async fn ask(&self, submit: SubmitCampaign) -> Result<CampaignHandle, Arc<SubmitError>> {
        let asked = self.handle.ask(submit).await;
        asked.unwrap_or_else(|error| Err(Arc::new(error.into())))
    }

    /// The campaign of that name. None if this engine has not run it.
    pub fn campaign(&self, name: &CampaignName) -> Option<CampaignHandle> {
        self.registry.get(name)
    }

    /// The progress of every campaign that this engine has run.
    pub fn campaigns(&self) -> Vec<CampaignProgress> {
        self.registry.all().iter().map(|c| c.progress().borrow().clone()).collect()
    }

    /// Whether [`EngineHandle::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.registry.is_draining()
    }

    /// Refuses new campaigns and tells every campaign to come to rest. With `cut`, running episodes
    /// are cut off instead of finished. It returns when every campaign has the command; use
    /// [`EngineHandle::wait_until_settled`] to wait for the rest itself.
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

    /// The counts of the engine's own actor and of the campaigns' actors.
    pub fn actor_stats(&self) -> [ActorStats; 2] {
        [self.handle.stats(), self.registry.stats()]
    }

    /// The handle of the actor itself, for tests that make it panic.
    #[cfg(any(test, feature = "testkit"))]
    pub fn raw(&self) -> &ActorHandle<EngineActor> {
        &self.handle
    }

    /// The number of attempts that run now, over all campaigns.
    pub fn running(&self) -> u64 {
        self.campaigns().iter().map(|p| p.running).sum()
    }
}

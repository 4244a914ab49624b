//! What a campaign is told, and the handle through which.

use super::actor::CampaignActor;
use super::progress::CampaignProgress;
use crate::model::BackendKind;
use crate::pool::DownBackends;
use crate::router::RouterHandle;
use actix::{Addr, Message};
use tokio::sync::watch;

/// Admit nothing more; what runs goes on.
#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub struct PauseCampaign(pub String);

#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub struct ResumeCampaign;

/// Stop for good: running episodes are cut off.
#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub struct CancelCampaign;

/// Admit nothing more and come to rest; with `cut`, cut off what runs. Resumable.
#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub struct DrainCampaign {
    pub cut: bool,
}

/// One running campaign, for everybody else.
#[derive(Clone)]
pub struct CampaignHandle {
    pub(super) address: Addr<CampaignActor>,
    pub(super) progress: watch::Receiver<CampaignProgress>,
    /// What isolates its sandboxes, and what is down of that.
    pub(super) backend: BackendKind,
    pub(super) down: watch::Receiver<DownBackends>,
    pub(super) router: RouterHandle,
}

impl CampaignHandle {
    pub fn progress(&self) -> watch::Receiver<CampaignProgress> {
        self.progress.clone()
    }

    /// Where it stands at this moment, with what it waits for.
    pub fn current_progress(&self) -> CampaignProgress {
        let mut standing = self.progress.borrow().clone();
        if !standing.settled {
            let down = self.down.borrow().get(&self.backend).cloned();
            let down = down.map(|why| format!("{}: {why}", self.backend.as_str()));
            standing.waiting_for = down.or_else(|| self.router.problem(&standing.campaign));
        }
        standing
    }

    /// Whether its actor still lives: a campaign that is complete has none.
    pub fn is_alive(&self) -> bool {
        self.address.connected()
    }

    /// Whether the campaign was in a state to obey. One that is gone is not.
    pub async fn pause(&self, why: &str) -> bool {
        self.address.send(PauseCampaign(why.to_owned())).await.unwrap_or(false)
    }

    pub async fn resume(&self) -> bool {
        self.address.send(ResumeCampaign).await.unwrap_or(false)
    }

    pub async fn cancel(&self) -> bool {
        self.address.send(CancelCampaign).await.unwrap_or(false)
    }

    pub async fn drain(&self, cut: bool) -> bool {
        self.address.send(DrainCampaign { cut }).await.unwrap_or(false)
    }

    #[cfg(any(test, feature = "testkit"))]
    pub async fn panic(&self) {
        self.address.send(crate::testkit::Panic).await.ok();
    }

    /// Waits until nothing runs any more and nothing will by itself.
    pub async fn wait_until_settled(&self) -> CampaignProgress {
        let mut progress = self.progress.clone();
        let settled = progress.wait_for(|progress| progress.settled).await;
        settled.map(|progress| progress.clone()).unwrap_or_else(|_| self.progress.borrow().clone())
    }
}

//! The commands that a campaign obeys, and the handle through which others send them.
//!
//! Each command is answered with a bool: true if the campaign was in a state to obey and, except
//! for a drain, the store has the new state.

use super::actor::CampaignActor;
use super::progress::CampaignProgress;
use crate::model::BackendKind;
use crate::pool::DownBackends;
use crate::router::RouterHandle;
use actix::{Addr, Message};
use tokio::sync::watch;

/// Launch no more episodes; running ones go on. The text is the reason that people see. Refused if
/// the campaign is not running, or is being published.
#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub struct PauseCampaign(pub String);

/// Go on after a pause. Refused if the campaign is not paused, or drains.
#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub struct ResumeCampaign;

/// Stop, and do not go on by itself. Running episodes are cut off. Refused if the campaign is complete, or is being
/// published.
#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub struct CancelCampaign;

/// Launch no more episodes and come to rest. The campaign can be resumed later. It is never
/// refused.
#[derive(Clone, Debug, Message)]
#[rtype(result = "bool")]
pub struct DrainCampaign {
    /// True: cut off running episodes. False: let them finish.
    pub cut: bool,
}

/// What others hold of one campaign. Clones are cheap. The handle outlives the actor: the last
/// progress can still be read.
#[derive(Clone)]
pub struct CampaignHandle {
    pub(super) address: Addr<CampaignActor>,
    pub(super) progress: watch::Receiver<CampaignProgress>,
    /// The sandbox backend of this campaign. None if its kind of work needs no sandbox.
    pub(super) backend: Option<BackendKind>,
    /// The backends that are down now, from the pool.
    pub(super) down: watch::Receiver<DownBackends>,
    pub(super) router: RouterHandle,
}

impl CampaignHandle {
    /// A receiver that sees every change of the progress.
    pub fn progress(&self) -> watch::Receiver<CampaignProgress> {
        self.progress.clone()
    }

    /// The progress at this moment. For a campaign that is not at rest, it says what the campaign
    /// waits for: a backend that is down, or else a problem of its models.
    pub fn current_progress(&self) -> CampaignProgress {
        let mut progress = self.progress.borrow().clone();
        if !progress.settled {
            let down = self.backend.and_then(|backend| {
                let why = self.down.borrow().get(&backend).cloned()?;
                Some(format!("{}: {why}", backend.as_str()))
            });
            progress.waiting_for = down.or_else(|| self.router.problem(&progress.campaign));
        }
        progress
    }

    /// Whether the campaign's actor lives. A complete, cancelled, stopped or drained campaign at
    /// rest has no actor any more. A paused one has.
    pub fn is_alive(&self) -> bool {
        self.address.connected()
    }

    /// Pauses the campaign. False if it was in no state to obey, its actor is gone, or the store
    /// did not take the new state.
    pub async fn pause(&self, why: &str) -> bool {
        self.address.send(PauseCampaign(why.to_owned())).await.unwrap_or(false)
    }

    /// Resumes a paused campaign. False as for [`CampaignHandle::pause`].
    pub async fn resume(&self) -> bool {
        self.address.send(ResumeCampaign).await.unwrap_or(false)
    }

    /// Cancels the campaign for good. False as for [`CampaignHandle::pause`].
    pub async fn cancel(&self) -> bool {
        self.address.send(CancelCampaign).await.unwrap_or(false)
    }

    /// Brings the campaign to rest. False only if its actor is gone.
    pub async fn drain(&self, cut: bool) -> bool {
        self.address.send(DrainCampaign { cut }).await.unwrap_or(false)
    }

    /// Makes the actor panic, for tests.
    #[cfg(any(test, feature = "testkit"))]
    pub async fn panic(&self) {
        self.address.send(crate::testkit::Panic).await.ok();
    }

    /// Waits until nothing runs any more and nothing will start by itself. Returns the progress at
    /// that time. If the actor is gone without that, returns its last progress.
    pub async fn wait_until_settled(&self) -> CampaignProgress {
        let mut progress = self.progress.clone();
        let settled = progress.wait_for(|progress| progress.settled).await;
        settled.map(|progress| progress.clone()).unwrap_or_else(|_| self.progress.borrow().clone())
    }
}

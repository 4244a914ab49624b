//! What an episode needs of the rest of the engine.

use super::phase::Phase;
use crate::collector::CollectorHandle;
use crate::model::{CampaignConfig, PlannedEpisode, Task};
use crate::pool::PoolHandle;
use crate::ports::{Clock, Journal};
use crate::quality::QualityHandle;
use crate::router::RouterHandle;
use crate::scaffold::Scaffold;
use std::sync::Arc;
use tokio::sync::watch;

/// The engine's services, shared by every campaign.
#[derive(Clone)]
pub struct World {
    pub pool: PoolHandle,
    pub router: RouterHandle,
    pub collector: CollectorHandle,
    pub quality: QualityHandle,
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<dyn Clock>,
}

/// One attempt's orders.
#[derive(Clone)]
pub struct Assignment {
    pub plan: PlannedEpisode,
    pub attempt: crate::model::Attempt,
    /// Play the recorded turns of an earlier attempt again before asking for new ones.
    pub replay: bool,
    pub task: Arc<Task>,
    pub scaffold: Arc<dyn Scaffold>,
    pub config: Arc<CampaignConfig>,
}

/// Publishes where an attempt stands.
#[derive(Clone)]
pub(super) struct Standing(Arc<watch::Sender<Phase>>);

impl Standing {
    pub(super) fn new() -> (Self, watch::Receiver<Phase>) {
        let (sender, receiver) = watch::channel(Phase::Provisioning);
        (Self(Arc::new(sender)), receiver)
    }

    /// Moves on; an arrow the machine does not have is a bug worth a loud line, not a lost
    /// episode.
    pub(super) fn become_phase(&self, next: Phase) {
        self.0.send_modify(|phase| {
            if *phase != next && !phase.may_become(next) {
                tracing::error!(from = ?phase, to = ?next, "an impossible step of an episode");
                debug_assert!(false, "{phase:?} may not become {next:?}");
            }
            *phase = next;
        });
    }
}

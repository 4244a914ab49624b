//! What an episode needs of the rest of the engine.

use super::phase::AttemptPhase;
use crate::agent_access::AgentAccess;
use crate::collector::CollectorHandle;
use crate::model::{
    AgentProgram, AttemptNumber, CampaignConfig, PlannedEpisode, SandboxSpec, Task,
};
use crate::pool::PoolHandle;
use crate::ports::{Clock, Journal};
use crate::quality::QualityHandle;
use crate::router::RouterHandle;
use crate::scaffold::Scaffold;
use std::sync::{Arc, Mutex, PoisonError};

/// The engine's services, shared by every campaign.
#[derive(Clone)]
pub struct EngineServices {
    pub pool: PoolHandle,
    pub router: RouterHandle,
    pub collector: CollectorHandle,
    pub quality: QualityHandle,
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<dyn Clock>,
    pub agents: Arc<dyn AgentAccess>,
}

/// One attempt's orders.
#[derive(Clone)]
pub struct AttemptOrders {
    pub plan: PlannedEpisode,
    pub attempt: AttemptNumber,
    /// Recorded turns are played again before new ones are asked for, but only those of
    /// attempts after this one: up to it they do not repeat.
    pub replay_after: AttemptNumber,
    pub task: Arc<Task>,
    pub scaffold: Arc<dyn Scaffold>,
    /// What the scaffold runs, where it is somebody else's.
    pub program: Option<Arc<AgentProgram>>,
    pub spec: Arc<SandboxSpec>,
    /// Of the sandboxes in which the agent's work is checked.
    pub checking: Arc<SandboxSpec>,
    pub config: Arc<CampaignConfig>,
}

/// Where an attempt stands.
#[derive(Debug)]
pub(super) struct AttemptState(Mutex<AttemptPhase>);

impl AttemptState {
    pub(super) fn new() -> Self {
        Self(Mutex::new(AttemptPhase::Provisioning))
    }

    /// Moves on; an arrow the machine does not have is a bug worth a loud line, not a lost
    /// episode.
    pub(super) fn enter_phase(&self, next: AttemptPhase) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase != next && !phase.may_become(next) {
            tracing::error!(from = ?*phase, to = ?next, "an impossible step of an episode");
            debug_assert!(false, "{phase:?} may not become {next:?}");
        }
        *phase = next;
    }
}

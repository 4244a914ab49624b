//! What an episode needs of the rest of the engine.

use super::phase::Phase;
use crate::agents::AgentDoor;
use crate::collector::CollectorHandle;
use crate::model::{AgentProgram, Attempt, CampaignConfig, PlannedEpisode, SandboxSpec, Task};
use crate::pool::PoolHandle;
use crate::ports::{Clock, Journal};
use crate::quality::QualityHandle;
use crate::router::RouterHandle;
use crate::scaffold::Scaffold;
use std::sync::{Arc, Mutex, PoisonError};

/// The engine's services, shared by every campaign.
#[derive(Clone)]
pub struct World {
    pub pool: PoolHandle,
    pub router: RouterHandle,
    pub collector: CollectorHandle,
    pub quality: QualityHandle,
    pub journal: Arc<dyn Journal>,
    pub clock: Arc<dyn Clock>,
    pub agents: Arc<dyn AgentDoor>,
}

/// One attempt's orders.
#[derive(Clone)]
pub struct Assignment {
    pub plan: PlannedEpisode,
    pub attempt: Attempt,
    /// Recorded turns are played again before new ones are asked for, but only those of
    /// attempts after this one: up to it they do not repeat.
    pub replay_after: Attempt,
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
pub(super) struct Standing(Mutex<Phase>);

impl Standing {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Phase::Provisioning))
    }

    /// Moves on; an arrow the machine does not have is a bug worth a loud line, not a lost
    /// episode.
    pub(super) fn become_phase(&self, next: Phase) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase != next && !phase.may_become(next) {
            tracing::error!(from = ?*phase, to = ?next, "an impossible step of an episode");
            debug_assert!(false, "{phase:?} may not become {next:?}");
        }
        *phase = next;
    }
}

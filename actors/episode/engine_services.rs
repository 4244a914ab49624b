//! What an attempt gets: the services of the engine, and the orders of its campaign.

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

/// The services that all campaigns of an engine share. Clones are cheap.
#[derive(Clone)]
pub struct EngineServices {
    /// Warm sandboxes. A campaign has a clone with its own name, so that campaigns take turns.
    pub pool: PoolHandle,
    /// Model calls and money.
    pub router: RouterHandle,
    /// Writes to the journal, without the entries of dead attempts.
    pub collector: CollectorHandle,
    /// Rows and datasets.
    pub quality: QualityHandle,
    /// For reading. Writes go through the collector.
    pub journal: Arc<dyn Journal>,
    /// Times for records.
    pub clock: Arc<dyn Clock>,
    /// Gateway sessions for external agents.
    pub agents: Arc<dyn AgentAccess>,
}

/// Everything that one attempt needs to know, after its task was rendered.
#[derive(Clone)]
pub struct AttemptOrders {
    pub plan: PlannedEpisode,
    pub attempt: AttemptNumber,
    /// Recorded turns are replayed before new ones are asked for, but only turns of attempts after
    /// this one. The turns up to it did not repeat.
    pub replay_after: AttemptNumber,
    pub task: Arc<Task>,
    pub scaffold: Arc<dyn Scaffold>,
    /// The program to run, for an external agent. None for a native one.
    pub program: Option<Arc<AgentProgram>>,
    /// The sandbox in which the agent works.
    pub spec: Arc<SandboxSpec>,
    /// The sandboxes in which its work is checked. They have no network.
    pub checking: Arc<SandboxSpec>,
    pub config: Arc<CampaignConfig>,
}

/// The current phase of an attempt.
#[derive(Debug)]
pub(super) struct AttemptState(Mutex<AttemptPhase>);

impl AttemptState {
    pub(super) fn new() -> Self {
        Self(Mutex::new(AttemptPhase::Provisioning))
    }

    /// Enters the next phase. A transition that the state machine does not have is a bug. It is
    /// logged as an error, and the episode goes on (a debug build panics).
    pub(super) fn enter_phase(&self, next: AttemptPhase) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase != next && !phase.may_become(next) {
            tracing::error!(from = ?*phase, to = ?next, "an impossible step of an episode");
            debug_assert!(false, "{phase:?} may not become {next:?}");
        }
        *phase = next;
    }
}

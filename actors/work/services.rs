//! What the engine gives to every attempt, of whatever kind of work.

use crate::agent_access::AgentAccess;
use crate::collector::CollectorHandle;
use crate::container_judge::ProofRecords;
use crate::policy::PauseSlot;
use crate::pool::PoolHandle;
use crate::ports::{Clock, Journal, WorkspaceArchive};
use crate::quality::QualityHandle;
use crate::router::RouterHandle;
use crate::supervisor::{ActorCounters, ActorStats};
use std::sync::Arc;

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
    /// The final workspaces of finished episodes.
    pub workspaces: Arc<dyn WorkspaceArchive>,
    /// What proofs of tasks of containers have found.
    pub proofs: Arc<dyn ProofRecords>,
    /// Times for records.
    pub clock: Arc<dyn Clock>,
    /// Gateway sessions for external agents.
    pub agents: Arc<dyn AgentAccess>,
    /// Counts the panics and kills of attempts. The actors of attempts are not restarted: the
    /// campaign decides whether another attempt follows.
    pub units: Arc<ActorCounters>,
    /// How coarse the pauses are in which agents' programs stand still. No setting changes it.
    pub pause_slot: PauseSlot,
}

impl EngineServices {
    /// The counts of the actors that all campaigns share, and those of all attempts.
    pub fn actor_stats(&self) -> Vec<ActorStats> {
        let [judges, publisher] = self.quality.actor_stats();
        vec![
            self.router.actor_stats(),
            self.pool.actor_stats(),
            judges,
            publisher,
            self.units.stats(),
        ]
    }
}

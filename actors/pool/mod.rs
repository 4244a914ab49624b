//! Warm sandboxes per specification: leases, refill by demand, limits of age and idleness,
//! and patience with a backend that is down.

mod actor;
mod creation;
mod demand;
mod fair_queue;
mod messages;
mod metrics;
mod state;
#[cfg(test)]
mod tests;

pub use actor::PoolActor;
pub use messages::{
    AcquireSandbox, DownBackends, PoolHandle, PoolStats, PoolStatsQuery, SandboxLease, ShutDownPool,
};
pub use metrics::{SpecStats, TimingStats};
pub use state::PoolConfig;

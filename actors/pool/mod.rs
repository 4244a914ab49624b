//! The sandbox pool: keeps sandboxes warm for each specification, so that an episode need not wait
//! for the creation of one.
//!
//! An episode takes a sandbox through [`PoolHandle::acquire`] and gets a [`SandboxLease`]; dropping
//! the lease ends the sandbox. `state.rs` decides without I/O (who waits, what is warm, what to
//! create next), `actor.rs` and `creation.rs` carry it out, `demand.rs` says how many sandboxes to
//! keep warm, `fair_queue.rs` lets campaigns take turns, and `metrics.rs` counts for status
//! reports.
//!
//! The invariants: no more than `PoolConfig::max_live` sandboxes are alive at the same time, leased
//! ones included, and a sandbox is used by one lease only and never returned. If a backend fails
//! repeatedly, a circuit breaker stops further creations; if it is down, everybody waits until it
//! is back.

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

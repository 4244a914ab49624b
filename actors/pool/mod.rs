//! Warm sandboxes per specification: leases, refill, age limits.

mod actor;
mod messages;
mod state;
#[cfg(test)]
mod tests;

pub use actor::PoolActor;
pub use messages::{Acquire, Lease, PoolHandle, PoolStats, Shutdown, Snapshot};
pub use state::PoolConfig;

//! The collector: every durable record passes through it on its way to the store's one writer.
//!
//! It keeps the fences. A fence is the number of the newest attempt of an episode. An entry with a
//! lower number comes from a dead attempt and is dropped before it costs a write. The store checks
//! the same once more, so the fences here may be lost at any time.
//!
//! Callers use [`CollectorHandle::record`]. It returns when the entries are durable. At most 4,096
//! records are in flight; more callers wait.

mod actor;
mod messages;
#[cfg(test)]
mod tests;

pub use actor::CollectorActor;
pub use messages::{CollectorHandle, CollectorStats, CollectorStatsQuery, FindStaleEntries};

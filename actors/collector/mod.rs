//! The collector: every durable record passes through it on its way to the one writer. It
//! holds the fences, so that what a dead attempt still says is dropped before it costs a
//! write.

mod actor;
mod messages;
#[cfg(test)]
mod tests;

pub use actor::CollectorActor;
pub use messages::{CollectorHandle, CollectorStats, CollectorStatsQuery, FindStaleEntries};

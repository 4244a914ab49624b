//! Supervision: everything that runs is started here, named, and joined or aborted.

mod child;
mod handle;
mod live_counts;
mod spawn;
#[cfg(test)]
mod tests;

pub use child::{ActorExit, panic_text, payload_text, spawn_actor, supervise};
pub use handle::{ActorGoneError, ActorHandle};
#[cfg(any(test, feature = "testkit"))]
pub use live_counts::LiveCounts;
pub use spawn::spawn;

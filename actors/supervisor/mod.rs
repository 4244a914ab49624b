//! Supervision: everything that runs is started here, named, and joined or aborted.

mod census;
mod child;
mod handle;
mod spawn;
#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "testkit"))]
pub use census::LiveCounts;
pub use child::{ActorExit, panic_text, payload_text, spawn_actor, supervise};
pub use handle::{ActorGoneError, ActorHandle};
pub use spawn::spawn;

//! Supervision: every actor and every task is started here. Each one has a name and is joined or
//! aborted, so nothing runs unseen.
//!
//! Only this module and the message handlers know actix. `clippy.toml` forbids the other ways to
//! start something (`tokio::spawn`, `actix::spawn`, `Actor::start`).
//!
//! - [`spawn()`] starts a task. Dropping its handle aborts the task.
//! - [`spawn_actor`] starts an actor once and returns its join handle.
//! - [`supervise`] starts an actor and starts it again after a panic. Others hold an
//!   [`ActorHandle`], which stays valid over restarts. A message of which two actors died is set
//!   aside, with a fault for its sender.
//! - [`assert_may_block`] finds blocking work on the actors' thread, in tests.
//! - [`ActorStats`] says how often actors panicked, were started again or were killed.

mod blocking;
mod child;
mod counts;
mod delivery;
mod handle;
mod live_counts;
mod spawn;
#[cfg(test)]
mod tests;

pub use blocking::assert_may_block;
pub use child::{ActorExit, panic_text, payload_text, spawn_actor, supervise};
pub use counts::{ActorCounters, ActorStats};
pub use delivery::Delivery;
pub use handle::{ActorHandle, AskError};
#[cfg(any(test, feature = "testkit"))]
pub use live_counts::LiveCounts;
pub use spawn::spawn;

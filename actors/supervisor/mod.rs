//! Supervision: every actor and every task is started here. Each one has a name and is joined or
//! aborted, so nothing runs unseen.
//!
//! Only this module and the message handlers know actix. `clippy.toml` forbids the other ways to
//! start something (`tokio::spawn`, `actix::spawn`, `Actor::start`).
//!
//! - [`spawn()`] starts a task. Dropping its handle aborts the task.
//! - [`spawn_actor`] starts an actor once and returns its join handle.
//! - [`supervise`] starts an actor and starts it again after a panic. Others hold an
//!   [`ActorHandle`], which stays valid over restarts.

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

//! Supervision: everything that runs is started here, named, and joined or aborted.

mod census;
mod child;
mod handle;
mod spawn;
#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "testkit"))]
pub use census::Census;
pub use child::{Ended, panic_text, payload_text, spawn_actor, supervise};
pub use handle::{Gone, Handle};
pub use spawn::spawn;

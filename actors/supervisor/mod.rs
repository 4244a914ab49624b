//! Supervision: everything that runs is started here, named, and joined or aborted.

mod child;
mod handle;
mod spawn;

pub use child::{Ended, panic_text, spawn_actor, supervise};
pub use handle::{Gone, Handle};
pub use spawn::spawn;

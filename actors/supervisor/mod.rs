//! Supervision: everything that runs is started here, named, and joined or aborted.

mod spawn;

pub use spawn::spawn;

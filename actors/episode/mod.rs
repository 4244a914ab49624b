//! An episode's attempt: provision, turns, verify, done.

mod actor;
mod milestones;
mod own;
mod phase;
mod repeat;
mod run;
mod turns;
mod verify;
mod visits;
mod world;

pub use actor::{EpisodeActor, Exit, Orders, launch};
pub use milestones::potential;
pub(crate) use own::{answered, run_own};
pub use phase::Phase;
pub use repeat::repeats;
pub use run::{Conclusion, lay_task};
pub use verify::verify_snapshot;
pub use world::{Assignment, World};

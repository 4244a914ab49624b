//! An episode's attempt: provision, turns, verify, done.

mod actor;
mod changes;
mod milestones;
mod own;
mod phase;
mod programs;
mod repeat;
mod run;
mod turns;
mod verify;
mod visits;
mod world;

pub use actor::{EpisodeActor, Exit, Orders, launch};
pub use milestones::potential;
pub use phase::Phase;
pub(crate) use programs::missing_programs;
pub use repeat::repeats;
pub use run::{Conclusion, lay_task};
pub use verify::verify_snapshot;
pub use world::{Assignment, World};

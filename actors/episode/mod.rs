//! An episode's attempt: provision, turns, verify, done.

mod actor;
mod milestones;
mod phase;
mod repeat;
mod run;
mod turns;
mod verify;
mod world;

pub use actor::{EpisodeActor, Exit, Inspect, launch};
pub use milestones::potential;
pub use phase::Phase;
pub use repeat::repeats;
pub use run::{Conclusion, lay_task};
pub use verify::verify_snapshot;
pub use world::{Assignment, World};

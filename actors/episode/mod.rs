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

pub use actor::{AttemptExit, AttemptSpec, EpisodeActor, launch};
pub use milestones::milestone_potential;
pub use phase::AttemptPhase;
pub(crate) use programs::missing_programs;
pub use repeat::matches_recorded;
pub use run::{AttemptResult, provision_task};
pub use verify::verify_snapshot;
pub use world::{AttemptOrders, EngineServices};

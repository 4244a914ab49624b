//! An episode's attempt: provision, turns, verify, done.

mod actor;
mod changes;
mod engine_commands;
mod engine_services;
mod external_agent;
mod milestones;
mod phase;
mod replay_match;
mod required_programs;
mod run;
mod turns;
mod verify;

pub use actor::{AttemptExit, AttemptSpec, EpisodeActor, launch};
pub use engine_services::{AttemptOrders, EngineServices};
pub use milestones::milestone_potential;
pub use phase::AttemptPhase;
pub use replay_match::matches_recorded;
pub(crate) use required_programs::missing_programs;
pub use run::{AttemptResult, provision_task};
pub use verify::verify_snapshot;

//! An attempt at an episode: one task, tried once by one model and scaffold.
//!
//! [`launch`] starts an actor for the attempt. Its work is one future (`run.rs`): take a sandbox,
//! lay the task, replay recorded turns of an earlier attempt, take new turns until the agent stops,
//! verify the final workspace in fresh sandboxes, and record the verdict. It ends with
//! [`AttemptExit`], which the campaign gets. If the future is dropped, its sandbox and its calls
//! end with it.
//!
//! - `phase`: the state machine of an attempt.
//! - `run`: the whole attempt. `turns`: the turns of a native agent. `external_agent`: the turns of
//!   an agent that is a program.
//! - `replay_match`: whether a recorded turn has repeated.
//! - `milestones`, `verify`: measuring and judging a workspace.
//! - `engine_commands`, `required_programs`: commands of the engine itself in a sandbox.
//! - `engine_services`: what an attempt gets from the engine and from its campaign.

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

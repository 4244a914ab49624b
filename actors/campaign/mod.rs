//! A campaign: plan, admission, progress, pause, drain, and the dataset at its end.

mod actor;
mod admission;
mod exits;
mod messages;
mod pending;
mod plan;
mod prepare;
mod progress;
mod reopen;
mod rest;
mod samples;
#[cfg(test)]
mod tests;

pub use actor::CampaignActor;
pub use messages::{CampaignHandle, Cancel, Drain, Pause, Resume};
pub use plan::{Planner, Skipped};
pub(crate) use prepare::moved;
pub use prepare::{PrepareError, Prepared, prepare, runnable};
pub use progress::{EpisodeCounts, FaultCounts, Figures, Progress, Rows, Tokens};
pub use reopen::{Again, ChangedTemplates, Reopen};

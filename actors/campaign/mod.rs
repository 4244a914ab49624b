//! A campaign: plan, admission, progress, pause, drain, and the dataset at its end.

mod actor;
mod admission;
mod exits;
mod messages;
mod plan;
mod prepare;
mod progress;
mod rest;
#[cfg(test)]
mod tests;

pub use actor::CampaignActor;
pub use messages::{CampaignHandle, Cancel, Drain, Pause, Resume};
pub use plan::{Planner, Skipped};
pub(crate) use prepare::moved;
pub use prepare::{PrepareError, Prepared, prepare, runnable};
pub use progress::{EpisodeCounts, Figures, Progress, Rows, Tokens};

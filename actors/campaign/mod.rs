//! A campaign: plan, admission, progress, pause, drain, and the dataset at its end.

mod actor;
mod messages;
mod plan;
mod prepare;
mod progress;

pub use actor::CampaignActor;
pub use messages::{CampaignHandle, Cancel, Drain, Pause, Resume};
pub use plan::{Planner, Skipped};
pub use prepare::{PrepareError, Prepared, prepare};
pub use progress::{EpisodeCounts, Progress, Rows, Tokens};

//! A campaign: plan, admission, progress, pause, drain, and the dataset at its end.

mod actor;
mod admission;
mod exits;
mod finish;
mod messages;
mod pending;
mod plan;
mod prepare;
mod progress;
mod reopen;
mod samples;
#[cfg(test)]
mod tests;

pub use actor::CampaignActor;
pub use messages::{CampaignHandle, CancelCampaign, DrainCampaign, PauseCampaign, ResumeCampaign};
pub use plan::{CampaignPlanner, SkippedTemplate};
pub(crate) use prepare::state_change_entry;
pub use prepare::{PrepareError, PreparedCampaign, prepare, runnable_templates};
pub use progress::CampaignProgress;
pub use reopen::{ChangedTemplates, ReopenFilter, RestartOptions};

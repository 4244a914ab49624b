//! A campaign: its plan, its episodes, its progress, and the dataset at its end. What an episode is,
//! and how an attempt at it goes, is a matter of the [kind of work](crate::work).
//!
//! The engine calls [`prepare()`] for a submitted campaign. `prepare` checks the campaign against
//! the store, makes the plan and writes it down. Then the engine starts a [`CampaignActor`] and
//! keeps a [`CampaignHandle`]. The actor launches episodes while the engine has places, decides
//! what follows each end of an attempt, has finished episodes judged, and publishes the dataset
//! when every episode has ended.
//!
//! The campaign can be paused, resumed, drained and cancelled. Nothing is lost if its actor or the
//! whole process dies: everything that counts is in the journal. The same campaign, submitted
//! again, resumes from there.
//!
//! - `prepare`, `reopen`: what happens before the start.
//! - `samples`, `choices`: further samples, and choices of an informative draw, planned while the
//!   campaign runs.
//! - `actor`, `admission`, `pending`: the state, and the launch of episodes.
//! - `diversity`: watches whether the newest episodes repeat each other.
//! - `exits`: what follows the end of an attempt.
//! - `finish`: publication, and coming to rest.
//! - `waits`: what the actor waits for.
//! - `messages`, `progress`: what others send and see.

mod actor;
mod admission;
mod choices;
mod diversity;
mod exits;
mod finish;
mod messages;
mod pending;
mod prepare;
mod progress;
mod reopen;
mod samples;
#[cfg(test)]
mod tests;
mod waits;

pub use actor::CampaignActor;
pub use messages::{CampaignHandle, CancelCampaign, DrainCampaign, PauseCampaign, ResumeCampaign};
pub(crate) use prepare::state_change_entry;
pub use prepare::{PrepareError, PreparedCampaign, find_changes, prepare};
pub use progress::CampaignProgress;
pub use reopen::{ChangedTemplates, ReopenFilter, RestartOptions};

//! The engine: the root of the actors. It starts campaigns, knows the running ones, and brings them
//! to rest.
//!
//! The command line and the control socket talk to it through [`EngineHandle`]. It owns no data of
//! its own. The [`CampaignRegistry`] outlives the actor, so a restart of the engine actor loses
//! nothing.

mod actor;
mod messages;

pub use actor::{CampaignRegistry, EngineActor};
pub use messages::{EngineHandle, EngineResources, SubmitCampaign, SubmitError};

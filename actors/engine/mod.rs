//! The engine: root of the tree. It starts campaigns, knows the running ones, and brings
//! them to rest.

mod actor;
mod messages;

pub use actor::{CampaignRegistry, EngineActor};
pub use messages::{EngineHandle, EngineResources, SubmitCampaign, SubmitError};

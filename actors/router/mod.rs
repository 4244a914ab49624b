//! The router: every model call goes through it. It limits, holds, calls, settles.

mod account;
mod actor;
#[cfg(test)]
mod admission_tests;
mod call;
mod campaign_model;
mod key_limiter;
mod messages;
mod provider_limiter;
mod rate_limiter;
mod route;
#[cfg(test)]
mod tests;
mod ticket;
mod unanswered_calls;

pub use account::CampaignAccount;
pub use actor::RouterActor;
pub use campaign_model::{ModelClients, ModelStats};
pub use key_limiter::KeyStats;
pub use messages::{AccountStats, FindAccount, ModelAnswer, ModelCall, RouterHandle};
pub use provider_limiter::ProviderStats;
pub use route::{failure_of, failure_of_call};
pub use ticket::{CallTicket, UnrecordedCall};

//! The router: every model call goes through it. It limits, holds, calls, settles.

mod account;
mod actor;
#[cfg(test)]
mod admission_tests;
mod call;
mod lane;
mod messages;
mod pace;
mod route;
mod slot;
#[cfg(test)]
mod tests;
mod ticket;
mod unanswered;
mod way;

pub use account::CampaignAccount;
pub use actor::RouterActor;
pub use lane::ProviderStats;
pub use messages::{AccountStats, FindAccount, ModelAnswer, ModelCall, RouterHandle};
pub use route::{failure_of, failure_of_call};
pub use slot::{ModelClients, ModelStats};
pub use ticket::{CallTicket, UnrecordedCall};
pub use way::KeyStats;

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

pub use account::Account;
pub use actor::RouterActor;
pub use lane::LaneStats;
pub use messages::{AccountStats, Call, Called, Route, RouterHandle};
pub use route::{failure_of, failure_of_call};
pub use slot::{Manned, ModelStats};
pub use ticket::{Ticket, Unkept};
pub use way::WayStats;

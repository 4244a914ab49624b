//! The router: every model call goes through it. It limits, holds, calls, settles.

mod account;
mod actor;
mod call;
mod messages;
mod ticket;

pub use account::{Account, ModelStats};
pub use actor::RouterActor;
pub use messages::{AccountStats, Call, Called, Route, RouterHandle};
pub use ticket::Ticket;

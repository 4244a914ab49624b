//! The control socket: how other processes talk to a running engine.
//!
//! ```text
//! client ─► socket ─► session ─► Request ─► desk ─► engine
//!    ▲                   │                    │
//!    └──── outlet ◄──────┴──── answer, events ┘
//! ```
//! One task a client, one request at a time, one line in flight. The protocol is described
//! in `docs/control-protocol.md`.

mod actor;
mod admission;
mod changes;
pub mod client;
mod dispatcher;
mod follow;
mod limits;
mod lines;
mod messages;
pub mod protocol;
mod reply_writer;
mod report;
mod server;
mod session;
pub mod socket;
mod status;

#[cfg(test)]
mod tests;

pub use actor::ControlActor;
pub use admission::start_campaign;
pub use dispatcher::ShutdownRequest;
pub use follow::is_over;
pub use limits::{ControlLimits, MAX_CLIENTS, MAX_LINE};
pub use messages::{CloseControl, ControlHandle, ControlStats, ControlStatsQuery};
pub use reply_writer::{ClientGone, ReplyWriter};
pub use report::{ProcessDescription, ProcessMode};
pub use server::ControlServer;
pub use session::{ControlDispatcher, DispatchError};

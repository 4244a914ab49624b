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
mod console;
mod desk;
mod follow;
mod limits;
mod lines;
mod messages;
mod outlet;
pub mod protocol;
mod report;
mod session;
pub mod socket;
mod standings;

#[cfg(test)]
mod tests;

pub use actor::ControlActor;
pub use admission::start_campaign;
pub use console::ControlServer;
pub use desk::ShutdownRequest;
pub use follow::is_over;
pub use limits::{ControlLimits, MAX_CLIENTS, MAX_LINE};
pub use messages::{CloseControl, ControlHandle, ControlStats, ControlStatsQuery};
pub use outlet::{ClientGone, ReplyWriter};
pub use report::{ProcessDescription, ProcessMode};
pub use session::{ControlDispatcher, DispatchError};

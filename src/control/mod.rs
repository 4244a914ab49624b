//! The control socket: the Unix socket through which other processes control a running engine.
//! `synthd serve` and `synthd run` listen on it; `synthd submit`, `status`, `watch`, `pause` and
//! the others are clients.
//!
//! ```text
//! client ─► socket ─► session ─► ControlCommand ─► dispatcher ─► engine
//!    ▲                   │                             │
//!    └── ReplyWriter ◄───┴────── answer, events ───────┘
//! ```
//!
//! There is one task for each client, which handles one request at a time and writes one line at a
//! time. `docs/control-protocol.md` describes the protocol.
//!
//! Where to start: `server` opens the socket, `actor` accepts clients, `session` serves one client,
//! `protocol` parses requests, `dispatcher` carries out commands, `client` is the other end.

mod actor;
mod admission;
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

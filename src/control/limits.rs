//! The limits of one client of the control socket. They keep one client from using up what the
//! others and the engine need: places, memory and time.

use std::time::Duration;

/// The most clients that are connected at once. A further client is told so and disconnected.
pub const MAX_CLIENTS: usize = 128;
/// The most bytes of a request, without its newline: 1 MiB.
pub const MAX_LINE: usize = 1 << 20;
/// The most bytes of a request's id, because every reply repeats the id.
pub(super) const MAX_ID: usize = 128;

/// The limits of one control socket. Tests shorten them.
#[derive(Clone, Debug)]
pub struct ControlLimits {
    /// The most clients at once.
    pub clients: usize,
    /// The most bytes of a request.
    pub line: usize,
    /// The most time from the first byte of a request to its newline.
    pub read: Duration,
    /// The most time that a client may be silent between two requests.
    pub idle: Duration,
    /// The most time for a client to take one reply. Nothing is queued for a client: the next line
    /// is made when this one is written. So a slow client costs the memory of one reply.
    pub write: Duration,
    /// The interval at which a waiting command sends an event.
    pub heartbeat: Duration,
    /// The most time that closing the socket waits for commands that are being answered.
    pub shutdown: Duration,
}

impl Default for ControlLimits {
    fn default() -> Self {
        Self {
            clients: MAX_CLIENTS,
            line: MAX_LINE,
            read: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            write: Duration::from_secs(10),
            heartbeat: Duration::from_secs(5),
            shutdown: Duration::from_secs(2),
        }
    }
}

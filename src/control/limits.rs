//! What one client may take, so that no client costs the others anything.

use std::time::Duration;

/// Clients at once; one more is told so and let go.
pub const MAX_CLIENTS: usize = 128;
/// Bytes of a request, its newline not counted.
pub const MAX_LINE: usize = 1 << 20;
/// Bytes of a request's id as it is echoed.
pub(super) const MAX_ID: usize = 128;

/// Bounds of the control socket. Tests shorten them.
#[derive(Clone, Debug)]
pub struct ControlLimits {
    pub clients: usize,
    pub line: usize,
    /// A request that has begun must be whole within this.
    pub read: Duration,
    /// A client may be silent between requests for this long.
    pub idle: Duration,
    /// A line must be taken by the client within this. Nothing is queued for it meanwhile,
    /// so the bound of a client's queue is the one line being written.
    pub write: Duration,
    /// Waiting commands say that they still wait this often.
    pub heartbeat: Duration,
    /// How long closing waits for commands in progress.
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

//! Sandboxes: isolated environments in which agents run commands and in which work is verified.
//!
//! A backend starts the guest (a small static program) inside isolation and returns the guest's
//! byte stream. One protocol (`docs/guest-protocol.md`) and one client (`guest`) then serve every
//! backend, so nothing above this module depends on how a sandbox is isolated.
//!
//! - `namespace`: sandboxes of Linux namespaces on this host, forked by a launcher process.
//! - `docker`: sandboxes in containers of Docker or Podman, on this host or another one.
//! - `egress`: the HTTP proxy for sandboxes whose campaign allows hosts by name.
//! - `guest`: the guest program, its protocol and the tunnel.
//!
//! - `system_calls`: the one allow-list of system calls for both backends.
//! - `process_owner`: whose something is that was left behind, and whether that process is dead.
//! - `stored_copies`: copies of workspaces that wait for their checks, on the disk.
//! - `facts`: what this host enforces, as `synthd doctor` prints it.
//!
//! Invariant: a program in a sandbox reaches no file of the host, no network but the hosts that
//! the campaign allows, and no other sandbox; it is bounded in memory, processes, disk and time;
//! and nothing of a sandbox outlives its stream. `docs/SECURITY.md` has the threats and what
//! answers them.
//!
//! [`SandboxBackends`] joins the two backends and implements the port `SandboxBackend` of the
//! core.

mod backends;
pub mod docker;
pub mod egress;
mod facts;
pub mod guest;
pub mod namespace;
mod process_owner;
mod stored_copies;
mod system_calls;

pub use backends::SandboxBackends;
pub use facts::HostFacts;

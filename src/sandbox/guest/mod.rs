//! The guest as the host sees it: the embedded guest program, the wire format of the guest
//! protocol, and the client that speaks it.
//!
//! A backend starts [`PROGRAM`] inside isolation and gives the byte stream of the guest to
//! `GuestSandbox`, which implements the engine's `Sandbox` port. Everything below that port is
//! in this folder: requests and answers (`client.rs`), operations of the agent
//! (`operations.rs`), trees of files (`entries.rs`), reports of commands (`report.rs`), the tunnel (`tunnel/`), and the bound on the memory of copies
//! (`copy_memory.rs`). The folder `program/` is the guest itself. It is compiled by `build.rs`
//! and shares only `wire.rs` with the host. `docs/guest-protocol.md` describes the protocol.

mod client;
mod copy_memory;
mod entries;
mod operations;
mod report;
mod sandbox;
mod tunnel;
#[path = "program/wire.rs"]
#[allow(unreachable_pub, reason = "compiled into the guest too, where it is a whole program")]
pub mod wire;

pub use client::{AvailableShells, GuestClient};
pub use copy_memory::COPY_MEMORY;
pub(crate) use copy_memory::reserve_copy;
pub(crate) use entries::memory_of;
pub(crate) use sandbox::{GuestSandbox, SandboxGuard, with_limits};

/// The guest program as an executable file (ELF), built by `build.rs`.
pub const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest"));

/// `static` or `dynamic`: how `build.rs` linked the guest. `synthd doctor` prints it. A dynamic
/// guest runs only in sandboxes that show the host's `/usr`.
pub const LINKAGE: &str = env!("SYNTHD_GUEST_LINKAGE");

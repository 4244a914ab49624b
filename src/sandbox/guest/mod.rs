//! The guest, as the host sees it: its embedded program, the wire and the client.

mod client;
mod copy_memory;
mod entries;
mod report;
mod sandbox;
mod tunnel;
#[path = "program/wire.rs"]
#[allow(unreachable_pub, reason = "compiled into the guest too, where it is a whole program")]
pub mod wire;

pub use client::{AvailableShells, GuestClient};
pub use copy_memory::COPY_MEMORY;
pub(crate) use sandbox::{GuestSandbox, SandboxGuard, with_limits};

/// The guest program, built by `build.rs`.
pub const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest"));

/// `static` or `dynamic`, for `doctor`.
pub const LINKAGE: &str = env!("SYNTHD_GUEST_LINKAGE");

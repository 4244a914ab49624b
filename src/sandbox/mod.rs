//! Sandboxes: a backend starts a guest inside isolation and hands back its stream; one
//! protocol and one client then serve every backend.

mod backends;
pub mod docker;
pub mod egress;
mod facts;
pub mod guest;
pub mod namespace;
mod system_calls;

pub use backends::SandboxBackends;
pub use facts::HostFacts;

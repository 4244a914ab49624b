//! Sandboxes: a backend starts a guest inside isolation and hands back its stream; one
//! protocol and one client then serve every backend.

pub mod guest;
pub mod namespace;

//! The scaffolds of native agents, one in each file.

mod minimal;

pub use minimal::MinimalScaffold;

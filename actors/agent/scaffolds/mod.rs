//! The scaffolds of native agents, one in each file.

mod files;
mod minimal;

pub use files::FilesScaffold;
pub use minimal::MinimalScaffold;

//! The port through which templates get their packs.

use super::ProjectPack;
use std::sync::Arc;

/// Packs by their names. The application has the shipped ones, and those of the user's directories.
pub trait PackShelf {
    /// The pack with this name. None if there is none. Err says why it cannot be used.
    fn pack(&self, name: &str) -> Option<Result<Arc<ProjectPack>, String>>;

    /// All names, for messages.
    fn names(&self) -> Vec<String>;
}

/// A shelf without packs.
pub struct EmptyShelf;

impl PackShelf for EmptyShelf {
    fn pack(&self, _name: &str) -> Option<Result<Arc<ProjectPack>, String>> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

//! The port through which templates get their packs.

use super::ProjectPack;
use std::fmt;
use std::sync::Arc;

/// How a pack is read. It may take long the first time.
type ReadPack = dyn Fn() -> Result<Arc<ProjectPack>, String> + Send + Sync;

/// A pack that is read when its tasks, or its digest, are first needed: a start must not wait for the
/// packs of templates that nobody uses.
#[derive(Clone)]
pub struct PackHandle {
    name: String,
    read: Arc<ReadPack>,
}

impl PackHandle {
    /// `read` is called each time that the pack is needed.
    pub fn new(
        name: &str,
        read: impl Fn() -> Result<Arc<ProjectPack>, String> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.to_owned(), read: Arc::new(read) }
    }

    /// A pack that was read already.
    pub fn ready(pack: Arc<ProjectPack>) -> Self {
        let name = pack.head.name.clone();
        Self::new(&name, move || Ok(pack.clone()))
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pack. Err says why it cannot be used.
    pub fn get(&self) -> Result<Arc<ProjectPack>, String> {
        (self.read)()
    }
}

impl fmt::Debug for PackHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PackHandle").field(&self.name).finish()
    }
}

impl PartialEq for PackHandle {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Packs by their names. The application has the shipped ones, and those of the user's directories.
pub trait PackShelf {
    /// The pack with this name. None if there is none. Err says why it cannot be used, if that is known.
    fn pack(&self, name: &str) -> Option<Result<PackHandle, String>>;

    /// All names, for messages.
    fn names(&self) -> Vec<String>;
}

/// A shelf without packs.
pub struct EmptyShelf;

impl PackShelf for EmptyShelf {
    fn pack(&self, _name: &str) -> Option<Result<PackHandle, String>> {
        None
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

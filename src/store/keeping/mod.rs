//! What keeps a store small and known: its sizes, the rules of retention, archives of campaigns, and the return
//! of free pages.
//!
//! * `maintenance` opens a store for writing, also beside an engine.
//! * `prune` applies the rules of retention. `pruned` says what was removed.
//! * `archive` copies a campaign into a compressed file (`archive_file`), and `unarchive` reads it again.
//! * `summary` counts what is in a store. `vacuum` gives free pages back to the disk.

pub(super) mod archive;
pub(super) mod archive_file;
pub(super) mod maintenance;
pub(super) mod prune;
pub(super) mod prune_parts;
pub(super) mod pruned;
pub(super) mod summary;
pub(super) mod unarchive;
pub(super) mod vacuum;

//! `dataset push`: publishes a dataset version in a directory, a bucket, or on the Hugging Face Hub.
//!
//! ```text
//! version ─► PushSet: tables in shards, card, croissant.json, SHA256SUMS
//!              │
//!              ├─► directory: temporary directory ─► rename
//!              ├─► bucket:    objects, read back ─► SHA256SUMS last
//!              └─► Hub:       large files by LFS ─► one commit ─► read back
//! ```
//! A reader never sees half a version: the rename, the last object or the commit makes it visible at
//! once. What a target has already with the same checksum is not sent again, so a push that was cut off
//! goes on where it ended. The right to write is asked for before anything is sent. No message has a
//! token or an address that was signed.
//!
//! - `target`: where to. `push_set`, `chat_table`, `sum_file`: what.
//! - `directory`, `hub`, `bucket`: how. `run`: the whole.

#[cfg(feature = "buckets")]
mod bucket;
mod chat_table;
mod directory;
mod file_parts;
mod hub;
mod push_error;
mod push_set;
mod report;
mod run;
mod sum_file;
mod target;

pub use report::{PushReport, PushState, PushedTable, SentFiles};
pub use run::{PushRequest, push};
pub use target::{HubRepo, PushTarget};

//! A version on the Hugging Face Hub: one commit of a dataset repository.
//!
//! ```text
//! token ─► may it write? ─► head of the branch ─► the same version there? ──yes──► read back ─► known
//!                                                    └─no─► preupload: which files are large
//!    large files ─► LFS (only what it lacks) ─┐
//!    small files ─────────────────────────────┴─► one commit on that head ─► read back ─► published
//! ```
//! The commit names the head that was seen. If somebody else has committed in between, the Hub refuses
//! it, and nothing is published.

mod commit;
mod hub_client;
mod hub_documents;
mod hub_push;
mod hub_token;
mod large_files;
mod read_back;

pub(super) use hub_push::push_hub;

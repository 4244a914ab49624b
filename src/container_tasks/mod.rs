//! Tasks whose environment is a container image: task folders of Harbor (`[tasks] harbor`), and rows like
//! those of SWE-bench (`[tasks] swe`). They stand in the catalog beside templates.
//!
//! ```text
//!  folder or row ─► task with its image and its instruction ─► catalog, or refused with the reason
//!  agent's container, kept as an image ─► tests in fresh containers of it, twice ─► verdict
//! ```
//!
//! - `task_sources` reads the paths of a campaign; `folder_task` and `swe_task` make the tasks, each by
//!   a `task_draft`.
//! - `swe_row`, `row_files`: rows of a file. `swe_report`: what tests have printed.
//! - `folder_judge` and `swe_judge` implement the port `ContainerJudge`; `judge_engine` is what they
//!   share.
//! - `canary_tests`: tests that the judge of a row adds, to find reports that are forged.
//! - `oracle_moves`: a solution as moves of the scripted oracle.
//! - `proof_files`: what proofs have found, in the data directory.
//!
//! ADR 32 says what such a task is promised, and what not.

mod canary_tests;
mod folder_judge;
mod folder_task;
mod judge_engine;
mod oracle_moves;
mod proof_files;
mod row_files;
mod swe_judge;
mod swe_report;
mod swe_row;
mod swe_task;
mod task_draft;
mod task_sources;
#[cfg(test)]
pub(crate) mod tests;

pub use proof_files::ProofFiles;
pub use task_sources::{FoundContainers, containers_at};

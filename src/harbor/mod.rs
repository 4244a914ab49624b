//! Harbor's task folders: reading what others wrote, proving it in containers, and writing tasks of
//! templates as such folders (`export`).
//!
//! ```text
//!  folder ─► files, bounded (harbor_files) ─► task.toml or task.yaml ─► HarborTask, or what is wrong
//!  HarborTask ─► solution, then tests; tests alone (task_prover) ─► proven, or what does not hold
//!  Template + seed ─► Task ─► HarborExport (files in memory) ─► folder
//! ```
//! The format is Harbor's own, of schema version 1.0 to 1.4, and that of Terminal-Bench before it.
//! ADR 28 says what of it synthd takes and what it refuses.

mod compose_file;
mod dockerfile;
mod export;
mod harbor_config;
mod harbor_files;
mod harbor_problem;
mod harbor_task;
mod legacy_task;
mod reward_file;
mod task_prover;
mod terminal_folder;
#[cfg(test)]
mod tests;
mod toml_folder;

pub use export::{ExportRefusal, ExportSettings, ExportedFile, HarborExport, export_task};
pub use harbor_files::{HarborFiles, find_tasks, find_tasks_below, folder_digest};
pub use harbor_problem::{HarborProblem, HarborProblemKind};
pub use harbor_task::{HarborImage, HarborPart, HarborTask, read_task};
pub(crate) use task_prover::unkept;
pub use task_prover::{PROVEN_MEMORY_MB, TaskProver};

//! Judges of rows: models with a rubric, asked through the router. `synthd_actors::rubric` decides what is
//! asked and how an answer is read. This folder asks, and keeps the answers.
//!
//! ```text
//!  rows that a stage sees ─► questions without an answer ─► router ─► turn in the store
//!                                     ▲                                  │
//!                                 judges.db ◄────────────────────────────┘
//! ```
//! - `rubric_files`: the shipped rubrics, and those in files.
//! - `judge_store`: answers in `curation/judges.db` of the data directory.
//! - `judge_calls`: the models with their account.
//! - `ask_rows`: asks what the stages of a recipe need.
//! - `stage_figures`: what a version tells of its judges.

mod ask_rows;
#[cfg(test)]
mod hostile_rows;
mod judge_calls;
mod judge_store;
mod rubric_files;
mod stage_figures;
#[cfg(test)]
mod tests;

pub use ask_rows::{AskProgress, AskReport, AskState, AskedStage, ask};
pub use judge_calls::JudgeCalls;
pub(super) use judge_store::JudgeStore;
pub(super) use rubric_files::rubric_of;
pub use rubric_files::{RUBRICS, check_rubrics};
pub(super) use stage_figures::judge_reports;

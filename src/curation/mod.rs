//! Datasets by recipe: rows of stores become a version, without running anything again.
//!
//! ```text
//!  stores (read-only) ─► RecipeRows ─► passes of the stages ─► notes
//!                            │              ▲                    │
//!                            │         notes.db (earlier runs)   ▼
//!                            └──────────────────────────► version with notes.jsonl
//! ```
//! - `recipe_rows`: the rows of all sources, as one sequence.
//! - `note_store`: notes of earlier runs in `curation/notes.db` of the data directory.
//! - `recipe_review`: puts the notes into the rows that are written.
//! - `passes`: shows the rows to the stages.
//! - `judging`: asks judges, and keeps their answers.
//! - `day_samples`: how diverse the rows of each day are.
//! - `build`: the whole, from a recipe to a version.
//! - `rebuild`: makes a version again and compares it.
//! - `recipe_sources`: which campaigns earlier versions were made of.
//! - `version_notes`: reads the notes of a version again.

mod build;
mod day_samples;
mod judging;
mod note_store;
mod passes;
mod rebuild;
mod recipe_review;
mod recipe_rows;
mod recipe_sources;
mod replacement_key;
#[cfg(test)]
mod tests;
mod version_notes;

pub use build::{BuiltRecipe, build};
pub use judging::{
    AskProgress, AskReport, AskState, AskedStage, JudgeCalls, RUBRICS, ask, check_rubrics,
};
pub use rebuild::rebuild;
pub use recipe_sources::recipe_sources;
pub use version_notes::{NoteLine, NotedStage, notes_of};

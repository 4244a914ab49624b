//! Curation: what a recipe makes of finished rows. Nothing is run again.
//!
//! A recipe names sources and stages. Stages run in their order. Each looks at the rows that the
//! stages before it have left, and rejects, labels, scores or replaces. What a stage finds is kept
//! beside the rows ([`RowNote`]); the rows of the store never change.
//!
//! ```text
//!  rows ─► row stages ─► whole-set stage ─┐     one pass ends with a stage that needs all rows
//!  rows ─► row stages ─► …  ◄─────────────┘     the next pass begins behind it
//!  rows ─► notes applied ─► version             the last pass writes
//! ```
//!
//! - `row_text`: the texts of a row, each with its place.
//! - `recipe`: what a recipe says.
//! - `row_note`: what a stage says of a row.
//! - `curation_stage`: what a stage is: a finder with an action.
//! - `note_cache`: the port for notes of earlier runs.
//! - `run`: the passes, as a state machine.
//! - `stages`: each stage in a file of its own.
//! - `diversity`: how diverse the rows are.

mod curation_stage;
mod diversity;
mod note_cache;
mod recipe;
mod row_note;
mod row_text;
mod run;
pub mod stages;
#[cfg(test)]
pub(crate) mod tests;

pub use curation_stage::{
    CurationStage, RowFinder, StageFinder, StageInputs, TextFinder, TextMatch, WholeFinder,
    WholeRemarks,
};
pub use diversity::{DiversitySample, window_diversity, written_text};
pub use note_cache::{NoteCache, NoteKey, NotesInMemory};
pub use recipe::{CurationAction, Recipe, RecipeSource, RecipeStage};
pub use row_note::{RowNote, StageRemark};
pub use row_text::{SeenText, TextPlace, TextSource, edit_passages, visit_passages, visit_strings};
pub use run::{CurationRun, CurationStageReport};

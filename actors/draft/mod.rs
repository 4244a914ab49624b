//! Drafts: templates that models propose, write and repair. Everything here is pure; the application
//! asks the models, proves the drafts and writes them.
//!
//! ```text
//!  ideate ─► build ─► gate ─► critique ─► solve ─► try ─► offered
//!              ▲        │         │
//!              └─ repair ◄────────┘            given up, or out of budget, from any state
//! ```
//! - `draft_role` says who is asked: ideator, builder, critic, solver.
//! - `draft_prompts` makes the requests.
//! - `fenced_block`, `draft_files`, `draft_idea` and `draft_review` read the answers strictly. What cannot
//!   be used has a line and a reason, and goes back to the model.
//! - `draft_machine` is the state machine of one draft, and `draft_end` how a draft ends.
//!
//! No answer of a model is trusted: paths stay in the folder of the template, and sizes and counts have
//! bounds.

mod draft_end;
mod draft_files;
mod draft_idea;
mod draft_machine;
mod draft_prompts;
mod draft_review;
mod draft_role;
mod fenced_block;
#[cfg(test)]
mod tests;

pub use draft_end::{DraftEnd, GiveUpReason, OfferedDraft, SolverResult};
pub use draft_files::{DraftFile, DraftFiles};
pub use draft_idea::{DraftIdea, is_template_id};
pub use draft_machine::{DraftMachine, DraftStep, WrittenDraft};
pub use draft_prompts::DraftBrief;
pub use draft_role::DraftRole;
pub use fenced_block::AnswerMistake;

//! Human review: people look at a sample of a dataset's rows and say what they think of the work. What
//! they say never changes a verdict.
//!
//! ```text
//!  rows ─► strata ─► draw (seed) ─► items ─► decisions and undos ─► figures
//!                                     Open ─► Begun ─► Agreed
//!                                                 └──► Disputed ─► Settled
//! ```
//! - `sample`: which rows are drawn, and how probable that was.
//! - `contradiction`: what speaks against the verdict of a row.
//! - `review_record`: the lines of a review's file.
//! - `review_book`: a review with all its decisions, as a state machine.
//! - `agreement`: how far reviewers agree (Krippendorff's alpha).
//! - `review_figures`: error rate of the labels, agreement, reviewers against the sealed check.
//! - `review_text`: what a reviewer is shown of a row, and what is hidden.

mod agreement;
mod contradiction;
mod review_book;
mod review_figures;
mod review_record;
mod review_text;
mod sample;
#[cfg(test)]
mod tests;

pub use agreement::{ReviewAgreement, nominal_alpha};
pub use contradiction::contradictions;
pub use review_book::{ReviewBook, ReviewFault};
pub use review_figures::{LabelError, ReviewFigures, ReviewerCounts, ValueCounts};
pub use review_record::{REVIEW_SCHEMA, ReviewHead, ReviewItem, ReviewRecord, ReviewUndo};
pub use review_text::{ReviewSection, hidden_sections, shown_sections};
pub use sample::{ReviewCandidate, SampleDesign, SampleFault, SamplePlan, SampledRow, draw_sample};

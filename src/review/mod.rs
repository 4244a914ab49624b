//! Reviews on the disk: one file for each, `reviews/NAME.jsonl` below the data directory, beside the
//! store. `docs/review.md` describes it for users.
//!
//! - `review_file`: the file of a review: lines are only added.
//! - `review_rows`: the rows of the dataset version that is reviewed.

mod review_file;
mod review_rows;
#[cfg(test)]
mod tests;

pub use review_file::{ReviewFile, create_review, review_names};
pub use review_rows::{ReviewRows, sample_version};

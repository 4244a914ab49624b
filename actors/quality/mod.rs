//! Quality: makes rows of finished episodes, judges them, and hands datasets over.

mod actor;
mod messages;
mod row;
mod stages;
#[cfg(test)]
mod tests;

pub use actor::QualityActor;
pub use messages::{Finished, Judge, Publish, QualityHandle, QualityTools};
pub use row::{Judgement, build_row};
pub use stages::{ERROR_STEPS, Findings, LABELS, MALFORMED_STEPS, judge};

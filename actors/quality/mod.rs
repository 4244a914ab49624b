//! Quality: makes rows of finished episodes, judges them, and hands datasets over.

mod actor;
mod messages;
mod row;
mod stages;
#[cfg(test)]
mod tests;

pub use actor::QualityActor;
pub use messages::{JudgeEpisode, JudgeReply, PublishDataset, QualityHandle, QualityServices};
pub use row::{FinishedEpisode, build_row};
pub use stages::{ERROR_STEPS, LABELS, MALFORMED_STEPS, StageFindings, judge};

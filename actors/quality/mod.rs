//! Quality: makes a row of each finished unit, judges the row, and publishes datasets.
//!
//! A campaign calls [`QualityHandle::judge`] once for each finished unit and
//! [`QualityHandle::publish`] once at its end. A row is built (`row.rs`), passes the stages one by
//! one (`stages.rs`), and is written to the journal with the decision. Duplicates need all rows, so
//! they are found only at publication (`actor.rs`). The dataset files themselves are written by the
//! [`DatasetSink`](crate::ports::DatasetSink).

mod actor;
mod episode_unit;
mod messages;
mod pipeline;
mod row;
mod stages;
#[cfg(test)]
mod tests;
mod unit;

pub use actor::QualityActor;
pub use messages::{JudgeReply, JudgeUnit, PublishDataset, QualityHandle, QualityServices};
pub use pipeline::{RowStage, StageFindings, run_stages};
pub use row::{FinishedEpisode, build_row};
pub use stages::{ERROR_STEPS, LABELS, MALFORMED_STEPS, judge};
pub use unit::FinishedUnit;

//! Quality: makes a row of each finished unit, judges the row, and publishes datasets.
//!
//! A campaign calls [`QualityHandle::judge`] once for each finished unit and
//! [`QualityHandle::publish`] once at its end. Units wait in a queue with a bound
//! (`judge_queue.rs`) for one of the workers (`judge_actor.rs`). A row is built (`row.rs`), passes
//! the row stages one by one (`stages.rs`), and is written to the journal with the decision. One
//! publisher (`publish_actor.rs`) writes datasets through the
//! [`DatasetSink`](crate::ports::DatasetSink). Stages that need all rows, such as `duplicates`, see
//! each row while it is written (`review.rs`). Both sorts of stages are made in the same way
//! (`pipeline.rs`).

mod campaign_rows;
mod conversations;
mod episode_unit;
mod judge_actor;
mod judge_queue;
mod messages;
mod pipeline;
mod publish_actor;
mod review;
mod row;
mod stages;
#[cfg(test)]
pub(crate) mod tests;
mod turn_parts;
mod unit;

pub use campaign_rows::CampaignRows;
pub use judge_actor::JudgeActor;
pub use judge_queue::QualityStats;
pub use messages::{
    JudgeReply, JudgeUnit, PublishDataset, QualityHandle, QualityServices, QueuedUnit,
};
pub use pipeline::{RowStage, SetStage, StageFindings, StageRule, run_stages};
pub use publish_actor::PublishActor;
pub use review::DatasetReview;
pub use row::{FinishedEpisode, build_row};
pub use stages::{ERROR_STEPS, LABELS, MALFORMED_STEPS, SHARED_JUDGE, judge};
pub use turn_parts::TurnParts;
pub use unit::FinishedUnit;

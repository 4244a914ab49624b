//! Datasets: curated rows become immutable, checksummed Parquet versions.
//!
//! ```text
//! journal.rows ──page──► accepted? ──► digest ─┐
//!                            │                 ├─► known? return the version that is there
//!                            ├──► tally        │
//!                            └──► train │ validation │ test (.parquet, sharded when large)
//!                                              │
//!            .v<N>.tmp-<pid>/  ── fsync ── rename ──►  v<N>/
//! ```
//!
//! Above the versions lie cards (`index.rs`) that keep `datasets` from mixing them.
//!
//! Nothing is ever half visible: a version is written beside its name, made durable, and
//! renamed. The digest covers the rows, their split and the configuration, so writing the
//! same rows again, or after a crash between the rename and the journal, finds the version
//! instead of making another. Reading ([`verify`], [`stats`]) trusts nothing it reads.

mod batch;
mod card;
mod carry_over;
mod checks;
mod digest;
mod first_format;
#[cfg(test)]
mod fixture;
mod index;
mod manifest;
mod markdown;
mod metadata;
mod problem;
mod read;
mod schema;
mod sink;
mod stats;
mod tally;
#[cfg(test)]
mod tests;
mod verify;
mod version;
mod writer;

pub use manifest::{DatasetManifest, FileEntry};
pub(crate) use metadata::rfc3339;
pub use metadata::{DatasetMetadata, StageCounts};
pub use problem::{DatasetProblem, DatasetProblems};
pub use schema::row_schema;
pub use sink::ParquetSink;
pub use stats::{DatasetStats, stats};
pub use tally::{
    DatasetDistributions, DatasetFigures, DatasetOutcomes, DatasetTokens, DatasetTotals,
    GroupStats, LengthStats,
};
pub use verify::{DatasetVerifyReport, inspect, verify};
pub use writer::ShardLimits;

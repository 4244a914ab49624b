//! Datasets: accepted rows become immutable versions of Parquet files with checksums.
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
//! [`ParquetSink`] writes a version. Quality calls it through the port `DatasetSink` to publish a
//! dataset; `synthd dataset build` starts quality for this without a whole engine. The functions
//! `verify` and `stats` read a version again for the command line, and they trust nothing that they
//! read.
//!
//! A version is a directory `datasets/<campaign>/v<N>/` with these files:
//!
//! * `train.parquet`, `validation.parquet`, `test.parquet`: the rows (`schema`, `batch`, `writer`).
//!   A version has rows of one format; the columns come from the definition of the row.
//! * `manifest.json`: each file with its size and checksum (`manifest`).
//! * `metadata.json`: where the version came from, and its figures (`metadata`, `tally`).
//! * `notes.jsonl`: what the stages of a recipe say of rows, if a recipe made the version (`note_file`).
//! * `croissant.json`: the same for programs, in the vocabulary of Croissant (`croissant`).
//! * `README.md`: the dataset card (`card`). The directories above have cards too (`index`), so
//!   that the Python library `datasets` does not mix versions.
//!
//! A version is never half visible: it is written under another name, synced to the disk, and then
//! renamed. The digest covers the rows, their splits and the configuration. So if the rows of the
//! newest version are written again, with the same counts and licence, that version is returned.
//! The same happens after a crash between the rename and the entry in the journal.

mod array_reader;
mod batch;
mod card;
mod carry_over;
mod checks;
mod column_tables;
mod completion_card;
mod completion_rules;
mod completion_tally;
mod croissant;
mod curation_card;
mod digest;
mod first_format;
#[cfg(test)]
pub(crate) mod fixture;
mod index;
mod json_schema;
mod lengths;
mod manifest;
mod markdown;
mod metadata;
mod note_file;
mod problem;
mod published_card;
mod read;
mod sample_figures;
mod schema;
mod shared_rules;
mod sink;
mod stats;
mod tally;
#[cfg(test)]
mod tests;
mod trajectory_card;
mod trajectory_rules;
mod trajectory_tally;
mod verify;
mod version;
mod version_rows;
mod writer;

pub use completion_tally::{
    CompletionDistributions, CompletionFigures, CompletionGroup, CompletionTotals,
};
pub(crate) use croissant::{CROISSANT, CroissantTable, croissant, table_about, table_name};
pub use json_schema::json_schema;
pub use lengths::LengthStats;
pub use manifest::{DatasetManifest, FileEntry};
pub(crate) use manifest::{HashingFile, pretty, sha256_of};
pub(crate) use metadata::rfc3339;
pub use metadata::{DatasetMetadata, StageCounts};
pub use problem::{DatasetProblem, DatasetProblems};
pub(crate) use published_card::{CardConfig, published_card};
pub use sample_figures::SampleFigures;
pub(crate) use schema::TableShape;
pub use schema::row_schema;
pub use sink::ParquetSink;
pub use stats::{DatasetStats, stats};
pub use tally::{DatasetFigures, DatasetTokens};
pub use trajectory_tally::{
    DatasetDistributions, DatasetOutcomes, DatasetTotals, GroupStats, PackFigures,
    TrajectoryFigures,
};
pub use verify::{DatasetVerifyReport, inspect, verify};
pub use version_rows::{
    VersionRows, each_row, manifest_of, metadata_of, newest_version, row_in, rows_of,
};
pub use writer::ShardLimits;
pub(crate) use writer::{SplitWriter, numbered_name};

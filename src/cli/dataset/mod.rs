//! `synthd dataset`: builds, judges, verifies, describes, exports and publishes dataset versions. `verify` and `stats`
//! read the Parquet files themselves and trust no number that the version states about itself.

mod build;
mod diff;
mod explain;
mod export;
mod judge;
mod judge_report;
mod push;
mod recipe;
pub(super) mod row_progress;
mod stats;
mod verify;

use crate::error::Result;
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(super) enum DatasetCommand {
    /// Make a version of the rows that a campaign has so far, or by a recipe
    Build(build::DatasetBuildArgs),
    /// Ask the judges of a recipe about its rows
    Judge(judge::DatasetJudgeArgs),
    /// Show what each stage of a recipe thought of a row
    Explain(explain::DatasetExplainArgs),
    /// Show what differs between two versions
    Diff(diff::DatasetDiffArgs),
    /// Write a version in the form that a trainer reads
    Export(export::DatasetExportArgs),
    /// Publish a version in a directory, a bucket, or on the Hub
    Push(push::DatasetPushArgs),
    /// Check checksums, schema, splits and figures
    Verify(verify::DatasetVerifyArgs),
    /// Show the figures of a dataset version
    Stats(stats::DatasetStatsArgs),
}

/// Runs one of the subcommands. Only `build` and `judge` need a data directory; the others take the directory
/// of a version, which may have been copied elsewhere.
pub(super) fn run(command: &DatasetCommand) -> Result<ExitCode> {
    match command {
        DatasetCommand::Build(args) => build::run(args),
        DatasetCommand::Judge(args) => judge::run(args),
        DatasetCommand::Explain(args) => explain::run(args),
        DatasetCommand::Diff(args) => diff::run(args),
        DatasetCommand::Export(args) => export::run(args),
        DatasetCommand::Push(args) => push::run(args),
        DatasetCommand::Verify(args) => verify::run(args),
        DatasetCommand::Stats(args) => stats::run(args),
    }
}

/// A number of bytes with a binary unit, such as `1.5 KiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} {}", UNITS[0]),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1_023), "1023 bytes");
        assert_eq!(size(1_536), "1.5 KiB");
        assert_eq!(size(u64::MAX), "16777216.0 TiB");
    }
}

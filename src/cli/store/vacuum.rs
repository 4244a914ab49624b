//! `synthd store vacuum`: gives the free pages of the database file back to the disk.

use crate::cli::DataDir;
use crate::cli::dataset::size;
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::Result;
use crate::store::vacuum;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "The whole database is written again, so the disk needs room for a second copy, and the directory for \
temporary files (SQLITE_TMPDIR or /tmp) for a third. If the command is cut off, nothing has changed. While an \
engine has the data directory, only a store of up to 64 MiB is written again.

Examples:
  synthd store vacuum
  synthd store vacuum --data-dir /data/synthd --json"
)]
pub(in crate::cli) struct StoreVacuumArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Prints how much smaller the database is.
pub(super) fn run(args: &StoreVacuumArgs) -> Result<ExitCode> {
    let report = vacuum(&args.data.data_dir)?;
    if args.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (path, before, after) =
        (report.path.display(), size(report.bytes_before), size(report.bytes_after));
    print_line(&format!("{path}: {before} before, {after} after"));
    Ok(ExitCode::SUCCESS)
}

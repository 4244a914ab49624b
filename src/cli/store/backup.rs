//! `synthd store backup`: copies the whole store into one file, also while an engine writes it. The
//! copy is consistent: it has the store as it was at one moment. Datasets are directories beside
//! the store and are not part of it.

use crate::cli::DataDir;
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::Result;
use crate::store::backup;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "The copy is one consistent file, and the command checks it. Datasets are not part of the copy. \
An engine may write the store at the same time and does not wait.

Examples:
  synthd store backup /backups/monday.db
  synthd store backup /backups/monday.db --data-dir /data/synthd --json"
)]
pub(in crate::cli) struct StoreBackupArgs {
    /// The file to make; an existing file is refused
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Writes the backup and prints its size and counts. An existing file is never overwritten; the
/// error is `BackupUnusable`.
pub(super) fn run(args: &StoreBackupArgs) -> Result<ExitCode> {
    let report = backup(&args.data.data_dir, &args.file)?;
    if args.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (path, bytes) = (report.path.display(), report.bytes);
    print_line(&format!("{path}: {bytes} bytes, {} steps, {} calls", report.steps, report.calls));
    Ok(ExitCode::SUCCESS)
}

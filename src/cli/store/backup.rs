//! `synthd store backup`: copies the whole store into one file, also while an engine writes it. The
//! copy is consistent: it has the store as it was at one moment. The kept workspaces are in a second
//! file. Datasets are directories beside the store and are not part of it.

use crate::cli::DataDir;
use crate::cli::terminal::output::{pluralize, print_json, print_line};
use crate::error::Result;
use crate::store::backup_with;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "The copy is one consistent file, and the command checks it. The kept workspaces are in a second \
file beside it, FILE-workspaces. Datasets are not part of the copy. An engine may write the \
store at the same time and does not wait.

Examples:
  synthd store backup /backups/monday.db
  synthd store backup /backups/monday.db --without-workspaces
  synthd store backup /backups/monday.db --data-dir /data/synthd --json"
)]
pub(in crate::cli) struct StoreBackupArgs {
    /// The file to make; an existing file is refused
    file: PathBuf,
    /// Leave out the kept workspaces
    #[arg(long)]
    without_workspaces: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Writes the backup and prints its size and counts. An existing file is never overwritten; the
/// error is `BackupUnusable`.
pub(super) fn run(args: &StoreBackupArgs) -> Result<ExitCode> {
    let report = backup_with(&args.data.data_dir, &args.file, !args.without_workspaces)?;
    if args.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (path, bytes) = (report.path.display(), report.bytes);
    print_line(&format!("{path}: {bytes} bytes, {} steps, {} calls", report.steps, report.calls));
    if let Some(kept) = &report.workspaces {
        let (path, bytes, count) = (kept.path.display(), kept.bytes, kept.workspaces);
        print_line(&format!("{path}: {bytes} bytes, {}", pluralize(count, "kept workspace")));
    }
    Ok(ExitCode::SUCCESS)
}

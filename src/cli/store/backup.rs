//! `synthd store backup`: one file with all that the store holds.

use crate::cli::DataDir;
use crate::cli::output::{say, say_json};
use crate::error::Result;
use crate::store::backup;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "The copy is consistent, checked and in one file; datasets are not part of it. An \
engine that writes the store meanwhile is not held up.

Examples:
  synthd store backup /backups/monday.db
  synthd store backup /backups/monday.db --data-dir /data/synthd --json"
)]
pub(in crate::cli) struct BackupArgs {
    /// The file to make; one that is there is refused
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

pub(super) fn run(args: &BackupArgs) -> Result<ExitCode> {
    let report = backup(&args.data.data_dir, &args.file)?;
    if args.json {
        say_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (path, bytes) = (report.path.display(), report.bytes);
    say(&format!("{path}: {bytes} bytes, {} steps, {} calls", report.steps, report.calls));
    Ok(ExitCode::SUCCESS)
}

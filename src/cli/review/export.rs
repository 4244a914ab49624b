//! `synthd review export`: the items with their decisions, for a recipe and for other programs.

use crate::cli::DataDir;
use crate::cli::terminal::output::print_line;
use crate::error::{Code, Error, Result};
use crate::review::ReviewFile;
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Example:
  synthd review export first > first.jsonl")]
pub(in crate::cli) struct ReviewExportArgs {
    /// The name of the review
    name: String,
    #[command(flatten)]
    data: DataDir,
}

/// Prints a line for each item.
pub(super) fn run(args: &ReviewExportArgs) -> Result<ExitCode> {
    let file = ReviewFile::open(&args.data.data_dir, &args.name)?;
    for row in file.book().export() {
        let line = serde_json::to_string(&row).map_err(|error| {
            Error::new(Code::Unexpected, "the answer is not JSON").with_source(error)
        })?;
        print_line(&super::in_ascii(&line));
    }
    Ok(ExitCode::SUCCESS)
}

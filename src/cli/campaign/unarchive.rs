//! `synthd campaign unarchive`: reads the archive of a campaign again.

use crate::cli::terminal::output::{pluralize, print_json, print_line};
use crate::cli::terminal::terminal_text::escape_line;
use crate::cli::{DataDir, operator};
use crate::error::Result;
use crate::running_engine::SystemClock;
use crate::store::unarchive;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::ports::Clock;

#[derive(Args)]
#[command(
    after_help = "In a new data directory, the archive becomes its store, and every command reads it: `campaign show`, \
`episode show`, `dataset build`, and recipes that name the directory as `data_dir`. In the data directory that \
the archive comes from, the turns and calls that `campaign archive --empty` has removed are put back. Another store \
is refused.

Examples:
  synthd campaign unarchive old.synthd-archive --data-dir /data/old
  synthd campaign unarchive old.synthd-archive"
)]
pub(in crate::cli) struct CampaignUnarchiveArgs {
    /// A file that `synthd campaign archive` has made
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Reads the archive and prints where the campaign is now.
pub(super) fn run(args: &CampaignUnarchiveArgs) -> Result<ExitCode> {
    let report = unarchive(&args.file, &args.data.data_dir, &operator(), SystemClock.now_ms())?;
    if args.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (path, name) = (report.path.display(), escape_line(&report.head.campaign));
    print_line(&match report.put_back {
        Some(count) => format!("{path}: {} of {name} put back", pluralize(count, "episode")),
        None => format!("{path} is the store of the campaign {name}"),
    });
    Ok(ExitCode::SUCCESS)
}

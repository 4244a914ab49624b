//! `synthd campaign archive`: copies a campaign into a compressed file that can be read again.

use super::find;
use crate::cli::DataDir;
use crate::cli::dataset::size;
use crate::cli::terminal::output::{pluralize, print_json, print_line};
use crate::error::Result;
use crate::running_engine::{SystemClock, run_in_actor_system};
use crate::store::{ArchiveRequest, Store, archive};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::ports::Clock;

#[derive(Args)]
#[command(
    after_help = "The file has the campaign's part of the store, with a checksum: plan, turns, calls, rows and money. Kept \
workspaces and dataset versions are not in it. Only a campaign that is complete or cancelled is archived.

With --empty, the turns and calls that are in the file go from the store once the file is on the disk. Figures, \
verdicts and money stay there, and `synthd campaign unarchive` brings the rest back. An engine may run \
meanwhile.

Examples:
  synthd campaign archive old-campaign
  synthd campaign archive old-campaign --to /archives/old.synthd --empty
  synthd campaign archive old-campaign --json | jq .head.sha256"
)]
pub(in crate::cli) struct CampaignArchiveArgs {
    /// The campaign's name
    campaign: String,
    /// The file to make; an existing file is refused [default: CAMPAIGN.synthd-archive]
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Remove what is in the file from the store
    #[arg(long)]
    empty: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Writes the archive and prints its size and checksum.
pub(super) fn run(args: &CampaignArchiveArgs) -> Result<ExitCode> {
    let dir = &args.data.data_dir;
    let store = Store::open_read_only(dir)?;
    let record = run_in_actor_system(find(&store, &args.campaign))??;
    drop(store);
    let usual = || PathBuf::from(format!("{}.synthd-archive", record.name));
    let to = args.to.clone().unwrap_or_else(usual);
    let report = archive(&ArchiveRequest {
        data_dir: dir,
        campaign: record.name.as_str(),
        to: &to,
        empties: args.empty,
        now_ms: SystemClock.now_ms(),
    })?;
    if args.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let head = &report.head;
    let episodes = pluralize(head.episodes, "episode");
    let (file, store) = (size(report.file_bytes), size(head.bytes));
    print_line(&format!("{}: {episodes}, {file} ({store} unpacked)", report.path.display()));
    print_line(&format!("sha256 of the store inside: {}", head.sha256));
    if let Some(emptied) = report.emptied {
        print_line(&format!("{} went from the store", size(emptied.bytes)));
    }
    Ok(ExitCode::SUCCESS)
}

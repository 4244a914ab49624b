//! `synthd store stats`: what is in a store, and how much room it takes.

use crate::cli::DataDir;
use crate::cli::dataset::size;
use crate::cli::terminal::output::{pluralize, print_json, print_line, table};
use crate::cli::terminal::terminal_text::escape_line;
use crate::error::Result;
use crate::store::{StoreSummary, summary};
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "The figures are of one moment, and an engine may write meanwhile. Sizes are those of bodies as they \
are kept, compressed; indexes are the rest of the file. Free pages are used by new records, or given back by \
`synthd store vacuum`.

Examples:
  synthd store stats
  synthd store stats --json | jq '.campaigns[] | [.campaign, .turn_bytes]'"
)]
pub(in crate::cli) struct StoreStatsArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Prints the sizes.
pub(super) fn run(args: &StoreStatsArgs) -> Result<ExitCode> {
    let summary = summary(&args.data.data_dir)?;
    match args.json {
        true => print_json(&summary)?,
        false => show(&summary),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the campaigns, the tables, and then the file.
fn show(summary: &StoreSummary) {
    if !summary.campaigns.is_empty() {
        let mut rows =
            table(&["campaign", "state", "episodes", "turns", "calls", "rows", "pruned", "spent"]);
        for one in &summary.campaigns {
            rows.add_row([
                escape_line(&one.campaign),
                escape_line(&one.state),
                one.episodes.to_string(),
                size(one.turn_bytes),
                size(one.call_bytes),
                size(one.row_bytes),
                size(one.pruned_bytes),
                format!("${}", one.spent_usd),
            ]);
        }
        print_line(&rows.to_string());
        print_line("");
    }
    let mut rows = table(&["table", "rows", "bodies"]);
    for one in &summary.tables {
        rows.add_row([one.table.to_owned(), one.rows.to_string(), size(one.bytes)]);
    }
    print_line(&rows.to_string());
    print_line("");
    print_line(&format!(
        "{}: {}, {} of it free, and {} of log; schema {}",
        summary.path.display(),
        size(summary.file_bytes),
        size(summary.free_bytes),
        size(summary.log_bytes),
        summary.schema
    ));
    let kept = pluralize(summary.workspaces, "kept workspace");
    print_line(&format!("{kept}: {}", size(summary.workspace_bytes)));
}

//! `synthd campaign list`: lists the campaigns of a data directory, one line for each.

use super::{DataDirUse, rate};
use crate::cli::DataDir;
use crate::cli::terminal::output::{print_json, print_line, table};
use crate::cli::terminal::terminal_text::escape_line;
use crate::error::Result;
use crate::running_engine::store_error;
use crate::store::Store;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use synthd_actors::model::CampaignCounts;
use synthd_actors::model::{CampaignRecord, Money};
use synthd_actors::ports::Journal;

#[derive(Args)]
#[command(after_help = "Examples:
  synthd campaign list
  synthd campaign list --data-dir /data/synthd --json | jq '.campaigns[].state'")]
pub(in crate::cli) struct CampaignListArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) data: DataDir,
}

/// What is shown of one campaign.
struct CampaignListRow {
    record: CampaignRecord,
    /// The state in the store, or `interrupted`.
    state: &'static str,
    /// The counts of episodes, steps, tokens and rows.
    figures: CampaignCounts,
    /// What the campaign has spent, with open holds in full.
    spent: Money,
    /// The number of its dataset versions.
    versions: usize,
}

/// Reads the counts of each campaign from the store and prints them.
pub(super) async fn run(store: &Store, args: &CampaignListArgs) -> Result<ExitCode> {
    // Looked at before the store is read; `state` below looks again.
    let watched = DataDirUse::of(&args.data.data_dir);
    let mut lines = Vec::new();
    for record in store.campaigns().await.map_err(store_error)? {
        let figures = store.figures(&record.name).await.map_err(store_error)?;
        let spent = store.spent(&record.name).await.map_err(store_error)?;
        let versions = store.datasets(&record.name).await.map_err(store_error)?.len();
        lines.push(CampaignListRow {
            state: watched.state(&record),
            record,
            figures,
            spent,
            versions,
        });
    }
    if args.json {
        let campaigns: Vec<Value> = lines.iter().map(document).collect();
        print_json(&json!({ "campaigns": campaigns }))?;
    } else {
        show(&lines);
    }
    Ok(ExitCode::SUCCESS)
}

/// One campaign as JSON. Keys of this document must not change, because scripts read them.
fn document(line: &CampaignListRow) -> Value {
    let CampaignListRow { record, state, figures, spent, versions } = line;
    json!({
        "campaign": record.name, "kind": record.kind, "state": state, "reason": record.reason,
        "created_at_ms": record.created_at_ms, "tasks": figures.tasks,
        "episodes": figures.episodes, "steps": figures.steps, "tokens": figures.tokens,
        "rows": figures.rows, "cost_usd": spent, "versions": versions,
    })
}

/// Prints the table. "solved" is the share among the episodes with a label: a faulted episode says
/// nothing about the model.
fn show(lines: &[CampaignListRow]) {
    if !lines.is_empty() {
        let mut rows =
            table(&["campaign", "state", "episodes", "solved", "faulted", "cost", "versions"]);
        for CampaignListRow { record, state, figures, spent, versions } in lines {
            let episodes = figures.episodes;
            rows.add_row([
                escape_line(record.name.as_str()),
                (*state).to_owned(),
                format!("{} of {}", episodes.finished, episodes.planned),
                rate(episodes.resolved, episodes.resolved.saturating_add(episodes.unresolved)),
                episodes.faulted.to_string(),
                format!("${spent}"),
                versions.to_string(),
            ]);
        }
        print_line(&rows.to_string());
    }
    let noun = if lines.len() == 1 { "campaign" } else { "campaigns" };
    print_line(&format!("{} {noun}", lines.len()));
}

//! `synthd campaign list`: one line for each campaign.

use super::{Watched, rate};
use crate::cli::DataDir;
use crate::cli::output::{say, say_json, table};
use crate::cli::visible::visible_line;
use crate::engine::store_error;
use crate::error::Result;
use crate::store::Store;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use synthd_actors::campaign::Figures;
use synthd_actors::model::{CampaignRecord, Money};
use synthd_actors::ports::Journal;

#[derive(Args)]
#[command(after_help = "Examples:
  synthd campaign list
  synthd campaign list --data-dir /data/synthd --json | jq '.campaigns[].state'")]
pub(in crate::cli) struct ListArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) data: DataDir,
}

/// A campaign and what is known of it.
struct Line {
    record: CampaignRecord,
    state: &'static str,
    figures: Figures,
    spent: Money,
    versions: usize,
}

pub(super) async fn run(store: &Store, args: &ListArgs) -> Result<ExitCode> {
    let watched = Watched::of(&args.data.data_dir);
    let mut lines = Vec::new();
    for record in store.campaigns().await.map_err(store_error)? {
        let figures = store.figures(&record.name).await.map_err(store_error)?;
        let spent = store.spent(&record.name).await.map_err(store_error)?;
        let versions = store.datasets(&record.name).await.map_err(store_error)?.len();
        lines.push(Line { state: watched.state(&record), record, figures, spent, versions });
    }
    if args.json {
        let campaigns: Vec<Value> = lines.iter().map(document).collect();
        say_json(&json!({ "campaigns": campaigns }))?;
    } else {
        show(&lines);
    }
    Ok(ExitCode::SUCCESS)
}

fn document(line: &Line) -> Value {
    let Line { record, state, figures, spent, versions } = line;
    json!({
        "campaign": record.name, "state": state, "reason": record.reason,
        "created_at_ms": record.created_at_ms, "tasks": figures.tasks,
        "episodes": figures.episodes, "steps": figures.steps, "tokens": figures.tokens,
        "rows": figures.rows, "cost_usd": spent, "versions": versions,
    })
}

fn show(lines: &[Line]) {
    if !lines.is_empty() {
        let mut rows =
            table(&["campaign", "state", "episodes", "solved", "faulted", "cost", "versions"]);
        for Line { record, state, figures, spent, versions } in lines {
            let episodes = figures.episodes;
            rows.add_row([
                visible_line(record.name.as_str()),
                (*state).to_owned(),
                format!("{} of {}", episodes.finished, episodes.planned),
                rate(episodes.resolved, episodes.finished.saturating_sub(episodes.faulted)),
                episodes.faulted.to_string(),
                format!("${spent}"),
                versions.to_string(),
            ]);
        }
        say(&rows.to_string());
    }
    let noun = if lines.len() == 1 { "campaign" } else { "campaigns" };
    say(&format!("{} {noun}", lines.len()));
}

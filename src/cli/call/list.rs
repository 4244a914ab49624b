//! `synthd call list`: lists model calls, one line for each try. An id is
//! `EPISODE/ATTEMPT/TURN/TRY`, such as `ep-4f1c.../1/0/0`. Failed tries are listed too, because
//! they may have cost money.

use crate::cli::DataDir;
use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{print_json, print_line, width};
use crate::error::Result;
use crate::store::{CallSummary, Store};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use synthd_actors::model::Money;

#[derive(Args)]
#[command(
    after_help = "A call's id is EPISODE/ATTEMPT/TURN/TRY. Any beginning of an id selects calls.

Examples:
  synthd call list
  synthd call list ep-4f1c --failed
  synthd call list --campaign paid --json | jq '.calls[].cost_usd'"
)]
pub(in crate::cli) struct CallListArgs {
    /// Only calls whose ids begin with this text, such as an episode's id
    #[arg(default_value = "", hide_default_value = true)]
    begins: String,
    /// Only calls of this campaign
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Only failed calls
    #[arg(long)]
    failed: bool,
    /// List at most N calls
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) data: DataDir,
}

/// Prints the calls that match all filters. The total and the cost are those of all of them, even
/// if `--limit` shows fewer.
pub(super) async fn run(store: &Store, args: &CallListArgs) -> Result<ExitCode> {
    let mut found = super::beginning(store, &args.begins).await?;
    found.retain(|call| {
        args.campaign.as_ref().is_none_or(|name| call.campaign == *name)
            && (!args.failed || call.fault.is_some())
    });
    let cost: Money = found.iter().map(|call| call.cost_usd).sum();
    let total = found.len();
    found.truncate(args.limit.unwrap_or(usize::MAX));
    if args.json {
        print_json(&json!({ "total": total, "cost_usd": cost, "calls": found }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !found.is_empty() {
        print_line(&table(&found));
    }
    let noun = if total == 1 { "call" } else { "calls" };
    print_line(&format!("{total} {noun}, ${cost}"));
    if found.len() < total {
        print_line(&format!("the first {} are shown; --limit shows more", found.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// The table of calls. A status of `none` means that no answer came. Calls without token counts
/// show their fault in that column.
fn table(calls: &[CallSummary]) -> String {
    let columns = [
        TableColumn::new("id").at_least(18).cut_by(shortened),
        TableColumn::new("model").at_least(10).spare(1),
        TableColumn::new("status"),
        TableColumn::right("ms").spare(3),
        TableColumn::right("tokens in/out").spare(2),
        TableColumn::right("cost"),
    ];
    let cells = |call: &CallSummary| {
        let status = call.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        let took = call.last_byte_us.map_or_else(String::new, |us| (us / 1_000).to_string());
        let tokens = match (call.input_tokens, call.output_tokens) {
            (Some(input), Some(output)) => format!("{input}/{output}"),
            _ => call.fault.clone().unwrap_or_else(|| "uncounted".to_owned()),
        };
        vec![
            call.id.clone(),
            call.model.clone(),
            status,
            took,
            tokens,
            format!("${}", call.cost_usd),
        ]
    };
    lines(&columns, &calls.iter().map(cells).collect::<Vec<_>>(), width())
}

/// Shortens an id by cutting the episode's part: `ep-4f1c/1/0/0`. The part after it tells the calls
/// of one episode apart, so it stays whole.
fn shortened(id: &str, room: usize) -> String {
    let Some((episode, rest)) = id.split_once('/') else { return id.to_owned() };
    let keep = room.saturating_sub(rest.len() + 1);
    format!("{}/{rest}", &episode[..keep.min(episode.len())])
}

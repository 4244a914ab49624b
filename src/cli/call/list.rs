//! `synthd call list`: one line for each try of a call.

use crate::cli::DataDir;
use crate::cli::output::{say, say_json};
use crate::cli::visible::{fit, visible_line};
use crate::error::Result;
use crate::store::{CallLine, Store};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use synthd_actors::model::Money;

#[derive(Args)]
#[command(after_help = "A call's id is EPISODE/ATTEMPT/TURN/TRY; whatever ids begin with selects.

Examples:
  synthd call list
  synthd call list ep-4f1c --failed
  synthd call list --campaign paid --json | jq '.calls[].cost_usd'")]
pub(in crate::cli) struct ListArgs {
    /// Only calls whose ids begin like this: an episode, an attempt of it
    #[arg(default_value = "", hide_default_value = true)]
    begins: String,
    /// Only this campaign's
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Only those that failed
    #[arg(long)]
    failed: bool,
    /// List at most so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) data: DataDir,
}

pub(super) async fn run(store: &Store, args: &ListArgs) -> Result<ExitCode> {
    let mut found = super::beginning(store, &args.begins).await?;
    found.retain(|call| {
        args.campaign.as_ref().is_none_or(|name| call.campaign == *name)
            && (!args.failed || call.fault.is_some())
    });
    let cost: Money = found.iter().map(|call| call.cost_usd).sum();
    let total = found.len();
    found.truncate(args.limit.unwrap_or(usize::MAX));
    if args.json {
        say_json(&json!({ "total": total, "cost_usd": cost, "calls": found }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !found.is_empty() {
        say(&table(&found));
    }
    let noun = if total == 1 { "call" } else { "calls" };
    say(&format!("{total} {noun}, ${cost}"));
    if found.len() < total {
        say(&format!("the first {} are shown; --limit shows more", found.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Status, milliseconds, tokens, cost and the gaps between six columns.
const FIXED: usize = 6 + 7 + 13 + 10 + 5 * 2;
const WIDTH: usize = 80;
const SHORT_ID: usize = 22;

fn table(calls: &[CallLine]) -> String {
    let id = calls.iter().map(|call| call.id.len()).max().unwrap_or(0).clamp(2, SHORT_ID);
    let model = WIDTH - FIXED - id;
    let line = |cells: [&str; 6]| {
        let [a, b, c, d, e, f] = cells;
        let (a, b) = (fit(a, id), fit(b, model));
        format!("{a:<id$}  {b:<model$}  {c:<6}  {d:>7}  {e:>13}  {f:>10}")
    };
    let mut lines = vec![line(["id", "model", "status", "ms", "tokens in/out", "cost"])];
    lines.extend(calls.iter().map(|call| {
        let status = call.status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        let took = call.last_byte_us.map_or_else(String::new, |us| (us / 1_000).to_string());
        let tokens = match (call.input_tokens, call.output_tokens) {
            (Some(input), Some(output)) => format!("{input}/{output}"),
            _ => call.fault.clone().unwrap_or_else(|| "uncounted".to_owned()),
        };
        let (cost, model) = (format!("${}", call.cost_usd), visible_line(&call.model));
        line([&shortened(&call.id, id), &model, &status, &took, &fit(&tokens, 13), &fit(&cost, 10)])
    }));
    lines.join("\n")
}

/// An id with the middle of its episode left out; its end tells calls apart.
fn shortened(id: &str, room: usize) -> String {
    let Some((episode, rest)) = id.split_once('/') else { return id.to_owned() };
    let keep = room.saturating_sub(rest.len() + 1);
    format!("{}/{rest}", &episode[..keep.min(episode.len())])
}

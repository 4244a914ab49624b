//! `synthd money list`: lists holds that are open or whose cost is doubtful, and the corrections
//! that were made. A doubtful hold counts in full, so a user may want to correct it with `synthd
//! money reconcile`.

use crate::cli::DataDir;
use crate::cli::terminal::output::{print_json, print_line};
use crate::cli::terminal::terminal_text::{escape_line, fit};
use crate::dataset::rfc3339;
use crate::error::Result;
use crate::running_engine::store_error;
use crate::store::{AdjustmentRecord, HoldSummary, Store};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use synthd_actors::model::Money;

#[derive(Args)]
#[command(after_help = "Each hold has a state:
  open     never settled: its call is still open, or was killed
  unknown  settled in full, because the cost of the call is unknown
  over     the call cost more than its worst case; its campaign stops until
           somebody corrects the hold

Examples:
  synthd money list
  synthd money list --campaign paid --json | jq '.holds[].request_id'
  synthd money list --adjustments")]
pub(in crate::cli) struct MoneyListArgs {
    /// Only holds of this campaign
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// Show settled and corrected holds too
    #[arg(long)]
    all: bool,
    /// Show corrections and charges, with who and why
    #[arg(long, conflicts_with = "all")]
    adjustments: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) data: DataDir,
}

/// Prints the holds, or with `--adjustments` the corrections and charges. Without `--all`, only
/// doubtful holds are listed: open ones, ones of unknown cost, and ones that cost more than their
/// worst case.
pub(super) async fn run(store: &Store, args: &MoneyListArgs) -> Result<ExitCode> {
    let campaign = args.campaign.as_deref();
    if args.adjustments {
        let found = store.adjustments(campaign).await.map_err(store_error)?;
        match args.json {
            true => print_json(&json!({ "adjustments": found }))?,
            false => found.iter().for_each(adjustment),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut found = store.holds(campaign).await.map_err(store_error)?;
    found.retain(|line| args.all || line.state.is_doubtful());
    let counts: Money = found.iter().map(|line| line.counts_usd).sum();
    if args.json {
        print_json(&json!({ "total": found.len(), "counts_usd": counts, "holds": found }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !found.is_empty() {
        print_line(&table(&found));
    }
    let noun = if found.len() == 1 { "hold" } else { "holds" };
    print_line(&format!("{} {noun}, ${counts}", found.len()));
    Ok(ExitCode::SUCCESS)
}

/// The holds as text: for each a line of figures, then the whole id of the hold and the provider's
/// id for the request. The ids are never cut, because people compare them with a provider's
/// statement.
fn table(found: &[HoldSummary]) -> String {
    let line = |cells: [&str; 4]| {
        let [state, model, at, amount] = cells;
        format!("{state:<9}  {:<30}  {at:<20}  {amount:>13}", fit(model, 30))
    };
    let mut lines = vec![line(["state", "model", "time", "counts"])];
    for hold in found {
        let at = hold.at_ms.map_or_else(String::new, |at| rfc3339(at)[..19].to_owned());
        let counts = fit(&format!("${}", hold.counts_usd), 13);
        let model = hold.model.as_deref().unwrap_or("");
        lines.push(line([hold.state.as_str(), model, &at, &counts]));
        lines.push(format!("  hold {}", escape_line(&hold.hold)));
        let request = hold.request_id.as_ref().or(hold.response_id.as_ref());
        lines.extend(request.map(|id| format!("  request {}", escape_line(id))));
    }
    lines.join("\n")
}

/// Prints one correction or charge: when, what, the amounts, who and why.
fn adjustment(line: &AdjustmentRecord) {
    let hold = line.hold.as_deref().unwrap_or("no hold");
    print_line(&format!(
        "{}  {}  {}",
        &rfc3339(line.at_ms)[..19],
        line.campaign,
        escape_line(hold)
    ));
    print_line(&format!("  ${} instead of ${}", line.after_usd, line.before_usd));
    print_line(&format!("  by {}: {}", escape_line(&line.who), escape_line(&line.reason)));
}

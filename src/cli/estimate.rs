//! `synthd estimate`: shows what a campaign costs at least, likely and at most. The sums come from
//! `crate::estimate`; this file prints them.

use crate::cli::campaign_file::CampaignFile;
use crate::cli::terminal::layout::{self, TableColumn};
use crate::cli::terminal::output::{print_json, print_line, width};
use crate::error::{Error, Result};
use crate::estimate::{self, CampaignEstimate, CostRange};
use crate::preflight::unmatched;
use clap::Args;
use std::ops::ControlFlow;
use std::process::ExitCode;
use synthd_actors::model::WorkName;

#[derive(Args)]
#[command(
    after_help = "At least: each episode makes one short call. Likely: each episode takes the steps that its \
template expects, with replies and outputs of usual length. If a cache has a price, earlier \
text comes from the cache. At most: every attempt of every episode uses every turn, and each \
call costs its worst case. Calls that fail, are charged and are tried again come on top. A budget \
stops the campaign earlier, whatever fails.

Examples:
  synthd estimate campaign.toml
  synthd estimate campaign.toml --json | jq -r .likely_usd"
)]
pub(super) struct EstimateArgs {
    #[command(flatten)]
    file: CampaignFile,
}

/// Reads the file and prints the estimate. Globs that match nothing are an error before. The
/// estimate is printed even if the budget is too small; then the command fails with
/// `BudgetTooSmall`.
pub(super) fn run(args: &EstimateArgs) -> Result<ExitCode> {
    let (loaded, inputs) = match args.file.load()? {
        ControlFlow::Continue(loaded) => loaded,
        ControlFlow::Break(code) => return Ok(code),
    };
    let is_completions = loaded.config.kind == WorkName::Completions;
    let unmatched = unmatched(&inputs.catalog, &loaded.config.tasks);
    if let Some(error) = Error::combine(unmatched).filter(|_| !is_completions) {
        return Err(error);
    }
    let estimate = estimate::estimate_campaign(&inputs, &loaded.config)?;
    if args.file.json {
        print_json(&estimate)?;
    } else {
        print_line(&page(&estimate));
    }
    estimate::check_affordable(&estimate)?;
    Ok(ExitCode::SUCCESS)
}

/// The estimate as text: a table with one row for each model, then the budget and the largest first
/// hold. The dry run prints it too.
pub(super) fn page(estimate: &CampaignEstimate) -> String {
    let columns = [
        TableColumn::new("model").at_least(12),
        TableColumn::right("episodes").spare(1),
        TableColumn::right("at least").spare(2),
        TableColumn::right("likely"),
        TableColumn::right("at most"),
    ];
    let row = |name: &str, episodes: u64, sums: &CostRange| {
        let [least, likely, most] = [sums.least_usd, sums.likely_usd, sums.most_usd]
            .map(|money| format!("${}", cents(&money.to_string())));
        vec![name.to_owned(), episodes.to_string(), least, likely, most]
    };
    let models = estimate.models.iter();
    let mut rows: Vec<_> = models.map(|one| row(&one.model, one.episodes, &one.sums)).collect();
    // With a single model, the row of the sums would repeat the row above it.
    if estimate.models.len() > 1 {
        let episodes: u64 = estimate.models.iter().map(|one| one.episodes).sum();
        rows.push(row("all", episodes, &estimate.total));
    }
    let mut lines = vec![layout::lines(&columns, &rows, width())];
    lines.push(match estimate.budget_usd {
        Some(budget) => {
            format!("budget ${budget}; a first call holds up to ${}", estimate.first_call_usd)
        }
        None => format!("no budget; a first call holds up to ${}", estimate.first_call_usd),
    });
    lines.join("\n")
}

/// The amount with at most four decimals: `0.1234567` becomes `0.1234`. The rest is cut, not
/// rounded.
fn cents(money: &str) -> &str {
    match money.find('.') {
        Some(point) => &money[..money.len().min(point + 5)],
        None => money,
    }
}

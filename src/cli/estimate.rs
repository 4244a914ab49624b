//! `synthd estimate`: what a campaign costs, before it does.

use super::campaign_file::CampaignFile;
use super::output::{say, say_json};
use super::visible::fit;
use crate::error::{Error, Result};
use crate::estimate::{self, CampaignEstimate, Sums};
use crate::preflight::unmatched;
use clap::Args;
use std::ops::ControlFlow;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "At the least: one short call an episode. Likely: the steps that templates expect, \
replies and outputs of usual length, and what was said before from a cache where \
it has a price. At the most: every turn and every attempt of every episode used \
up, each call at its worst; a budget is a wall before that.

Examples:
  synthd estimate campaign.toml
  synthd estimate campaign.toml --json | jq -r .likely_usd"
)]
pub(super) struct EstimateArgs {
    #[command(flatten)]
    file: CampaignFile,
}

pub(super) fn run(args: &EstimateArgs) -> Result<ExitCode> {
    let (loaded, catalog) = match args.file.load()? {
        ControlFlow::Continue(loaded) => loaded,
        ControlFlow::Break(code) => return Ok(code),
    };
    if let Some(error) = Error::all(unmatched(&catalog, &loaded.config.tasks)) {
        return Err(error);
    }
    let estimate = estimate::campaign(&catalog, &loaded.config)?;
    if args.file.json {
        say_json(&estimate)?;
    } else {
        say(&page(&estimate));
    }
    estimate::affordable(&estimate)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn page(estimate: &CampaignEstimate) -> String {
    let line = |name: &str, episodes: &str, [least, likely, most]: [String; 3]| {
        let name = fit(name, 28);
        format!("{name:<28}  {episodes:>8}  {least:>11}  {likely:>11}  {most:>12}")
    };
    let sums = |sums: &Sums| {
        [sums.least_usd, sums.likely_usd, sums.most_usd]
            .map(|money| format!("${}", cents(&money.to_string())))
    };
    let head = ["at least", "likely", "at most"].map(str::to_owned);
    let mut lines = vec![line("model", "episodes", head)];
    let models = estimate.models.iter();
    lines.extend(models.map(|one| line(&one.model, &one.episodes.to_string(), sums(&one.sums))));
    if estimate.models.len() > 1 {
        let episodes: u64 = estimate.models.iter().map(|one| one.episodes).sum();
        lines.push(line("all", &episodes.to_string(), sums(&estimate.total)));
    }
    lines.push(match estimate.budget_usd {
        Some(budget) => format!(
            "budget ${budget}; up to ${} are held for a first call",
            estimate.first_call_usd
        ),
        None => format!("no budget; up to ${} are held for a first call", estimate.first_call_usd),
    });
    lines.join("\n")
}

/// No more decimals than people read.
fn cents(money: &str) -> &str {
    match money.find('.') {
        Some(point) => &money[..money.len().min(point + 5)],
        None => money,
    }
}

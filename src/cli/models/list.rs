//! `synthd models list`: the table of prices.

use crate::cli::output::{say, say_json};
use crate::cli::prices::PriceOptions;
use crate::cli::visible::{fit, visible_line};
use crate::error::Result;
use crate::prices::{Listed, PriceTable};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use synthd_actors::model::Money;
use synthd_actors::task::glob_matches;

#[derive(Args)]
#[command(
    after_help = "Prices are dollars per million tokens. A campaign's own `price` wins over the \
table, and any model may be used that has one.

Examples:
  synthd models list
  synthd models list 'anthropic/*'
  synthd models list --price-table model_prices_and_context_window.json --json"
)]
pub(in crate::cli) struct ListArgs {
    /// Only models whose names match
    #[arg(default_value = "**", hide_default_value = true)]
    glob: String,
    #[command(flatten)]
    prices: PriceOptions,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ListArgs) -> Result<ExitCode> {
    let table = args.prices.table()?;
    let found: Vec<(&str, &Listed)> =
        table.models().filter(|(name, _)| glob_matches(&args.glob, name)).collect();
    if args.json {
        let models: Vec<_> =
            found.iter().map(|(name, listed)| json!({ "model": name, "listed": listed })).collect();
        say_json(&json!({ "table": table.name, "digest": table.digest, "as_of": table.as_of,
            "models": models }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !found.is_empty() {
        say(&lines(&found));
    }
    say(&source(table, found.len()));
    Ok(ExitCode::SUCCESS)
}

const WIDTH: usize = 80;
/// Four prices, the context and the gaps between six columns.
const FIXED: usize = 4 * 9 + 8 + 5 * 2;

fn lines(found: &[(&str, &Listed)]) -> String {
    let name = WIDTH - FIXED;
    let line = |cells: [&str; 6]| {
        let [a, b, c, d, e, f] = cells;
        let a = fit(a, name);
        format!("{a:<name$}  {b:>9}  {c:>9}  {d:>9}  {e:>9}  {f:>8}").trim_end().to_owned()
    };
    let mut lines = vec![line(["model", "input", "cached", "written", "output", "context"])];
    lines.extend(found.iter().map(|(model, listed)| {
        let rates = &listed.price.rates;
        let shown = |money: Option<Money>| {
            money.map_or_else(|| "-".to_owned(), |money| fit(&money.to_string(), 9))
        };
        let context = listed.context.map_or_else(|| "-".to_owned(), |tokens| tokens.to_string());
        let longer = if listed.price.tiers.is_empty() { "" } else { "*" };
        line([
            &visible_line(model),
            &format!("{}{longer}", shown(Some(rates.input_per_million))),
            &shown(rates.cached_per_million),
            &shown(rates.cache_write_per_million),
            &shown(Some(rates.output_per_million)),
            &fit(&context, 8),
        ])
    }));
    if found.iter().any(|(_, listed)| !listed.price.tiers.is_empty()) {
        lines.push("* dearer where the input is long; --json says from where on".to_owned());
    }
    lines.join("\n")
}

fn source(table: &PriceTable, count: usize) -> String {
    let noun = if count == 1 { "model" } else { "models" };
    let as_of = table.as_of.as_ref().map_or_else(String::new, |date| format!(", as of {date}"));
    format!("{count} {noun} of {}{as_of} ({})", visible_line(&table.name), &table.digest[..12])
}

//! `synthd models list`: lists the models of the price table with their prices. The table is the
//! shipped one, or the file named by `--price-table`.

use crate::cli::prices::PriceOptions;
use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{print_json, print_line, width};
use crate::cli::terminal::terminal_text::escape_line;
use crate::error::Result;
use crate::prices::{ListedModel, PriceTable};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use synthd_actors::model::Money;
use synthd_actors::task::glob_matches;

#[derive(Args)]
#[command(
    after_help = "Prices are in dollars per million tokens. A campaign's own `price` replaces the table's price. \
A campaign can use a model that is not in the table if the campaign gives its `price`.

Examples:
  synthd models list
  synthd models list 'anthropic/*'
  synthd models list --price-table model_prices_and_context_window.json --json"
)]
pub(in crate::cli) struct ModelsListArgs {
    /// Only models whose names match
    #[arg(default_value = "**", hide_default_value = true)]
    glob: String,
    #[command(flatten)]
    prices: PriceOptions,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints the models whose names match the glob, and the name and digest of the table. A store
/// keeps the digest of the table with each campaign, so a user can find out which prices counted.
pub(super) fn run(args: &ModelsListArgs) -> Result<ExitCode> {
    let table = args.prices.table()?;
    let found: Vec<(&str, &ListedModel)> =
        table.models().filter(|(name, _)| glob_matches(&args.glob, name)).collect();
    if args.json {
        let models: Vec<_> =
            found.iter().map(|(name, listed)| json!({ "model": name, "listed": listed })).collect();
        print_json(&json!({ "table": table.name, "digest": table.digest, "as_of": table.as_of,
            "models": models }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if !found.is_empty() {
        print_line(&table_of(&found));
    }
    print_line(&source(table, found.len()));
    Ok(ExitCode::SUCCESS)
}

/// The table of prices, in dollars per million tokens. `-` means that the table has no such rate. A
/// star marks a model whose price rises with the length of the input.
fn table_of(found: &[(&str, &ListedModel)]) -> String {
    let columns = [
        TableColumn::new("model").at_least(16),
        TableColumn::right("input"),
        TableColumn::right("cached").spare(2),
        TableColumn::right("written").spare(3),
        TableColumn::right("output"),
        TableColumn::right("context").spare(1),
    ];
    let cells = |(model, listed): &(&str, &ListedModel)| {
        let rates = &listed.price.rates;
        let shown =
            |money: Option<Money>| money.map_or_else(|| "-".to_owned(), |money| money.to_string());
        let longer = if listed.price.tiers.is_empty() { "" } else { "*" };
        vec![
            (*model).to_owned(),
            format!("{}{longer}", shown(Some(rates.input_per_million))),
            shown(rates.cached_per_million),
            shown(rates.cache_write_per_million),
            shown(Some(rates.output_per_million)),
            listed.context.map_or_else(|| "-".to_owned(), |tokens| tokens.to_string()),
        ]
    };
    let mut text = lines(&columns, &found.iter().map(cells).collect::<Vec<_>>(), width());
    if found.iter().any(|(_, listed)| !listed.price.tiers.is_empty()) {
        text.push_str("\n* more expensive for long inputs; --json shows the length");
    }
    text
}

/// The last line: how many models, and which price table they come from, with the first twelve
/// digits of its digest.
fn source(table: &PriceTable, count: usize) -> String {
    let noun = if count == 1 { "model" } else { "models" };
    let as_of = table.as_of.as_ref().map_or_else(String::new, |date| format!(", as of {date}"));
    format!("{count} {noun} of {}{as_of} ({})", escape_line(&table.name), &table.digest[..12])
}

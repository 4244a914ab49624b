//! `synthd models price`: computes the cost of a number of tokens, in the same way as the ledger
//! does.

use crate::cli::prices::PriceOptions;
use crate::cli::terminal::output::{print_json, print_line};
use crate::error::{Code, Error, Result};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use synthd_actors::model::Usage;

#[derive(Args)]
#[command(after_help = "Examples:
  synthd models price openai/gpt-4.1-mini --input 12000 --output 800
  synthd models price anthropic/claude-haiku-4-5 --input 12000 --cached 11000")]
pub(in crate::cli) struct ModelsPriceArgs {
    /// The model's name, as `models list` shows it
    model: String,
    /// Tokens read, including tokens from a cache
    #[arg(long, value_name = "TOKENS", default_value_t = 0)]
    input: u64,
    /// How many of the tokens read came from a cache
    #[arg(long, value_name = "TOKENS")]
    cached: Option<u64>,
    /// How many of the tokens read were written to a cache
    #[arg(long, value_name = "TOKENS")]
    cache_write: Option<u64>,
    /// Tokens written, including reasoning
    #[arg(long, value_name = "TOKENS", default_value_t = 0)]
    output: u64,
    /// How many of the tokens written are reasoning
    #[arg(long, value_name = "TOKENS")]
    reasoning: Option<u64>,
    #[command(flatten)]
    prices: PriceOptions,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints the cost and the worst case. The worst case is what a call of this size would hold: every
/// token at the highest rate, as if nothing came from a cache.
pub(super) fn run(args: &ModelsPriceArgs) -> Result<ExitCode> {
    let table = args.prices.table()?;
    let listed =
        table.get(&args.model).ok_or_else(|| unknown(&args.model, table.unusable(&args.model)))?;
    let usage = Usage {
        cached_tokens: args.cached,
        cache_write_tokens: args.cache_write,
        reasoning_tokens: args.reasoning,
        ..Usage::of(args.input, args.output)
    };
    let (cost, worst) =
        (listed.price.of(usage), listed.price.worst(Usage::of(args.input, args.output)));
    if args.json {
        print_json(&json!({ "model": args.model, "usage": usage, "cost_usd": cost,
            "worst_usd": worst, "listed": listed, "table": table.name, "digest": table.digest }))?;
    } else {
        print_line(&format!("${cost}; a call holds ${worst}, the cost at the highest rates"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The error for a model without a usable price. `unusable` is the reason if the table has the
/// model, but with a price that cannot be used.
fn unknown(model: &str, unusable: Option<&str>) -> Error {
    match unusable {
        Some(why) => {
            Error::new(Code::BadUsage, format!("the price of {model} cannot be used: {why}"))
                .hint("give the model a `price` in the campaign")
        }
        None => Error::new(Code::BadUsage, format!("the price of {model:?} is unknown"))
            .hint("`synthd models list` shows known prices; --price-table names another table"),
    }
}

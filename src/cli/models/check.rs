//! `synthd models check`: shows what each model of a campaign would use (address, key variable,
//! price) and whether something is missing. The command makes no request, so it costs nothing.

use crate::cli::prices::PriceOptions;
use crate::cli::terminal::output::{print_config_errors, print_json, print_line};
use crate::cli::terminal::terminal_text::escape_line;
use crate::config;
use crate::error::{Code, Error, Result};
use crate::llm::AdapterFactory;
use crate::prices::PriceTable;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::model::{ModelConfig, ModelPrice};
use synthd_actors::router::ModelClients;

#[derive(Args)]
#[command(
    after_help = "The command looks for keys in the environment and never shows a key. It makes no request.

Examples:
  synthd models check campaign.toml
  synthd models check campaign.toml --json | jq '.models[].problem'"
)]
pub(in crate::cli) struct ModelsCheckArgs {
    /// The campaign file
    campaign: PathBuf,
    #[command(flatten)]
    prices: PriceOptions,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What was found out about one model.
#[derive(Serialize)]
struct CheckedModel {
    /// The model's name in the campaign file.
    model: String,
    /// The wire format or dialect. None for a scripted model, which has no provider.
    dialect: Option<String>,
    /// The address of the provider.
    base_url: Option<String>,
    /// The environment variable that has the key. The key itself is never shown.
    key_env: Option<String>,
    /// The price that the campaign would pay.
    price: ModelPrice,
    /// Where the price comes from: `free`, the name of the price table, or `campaign`.
    priced_by: String,
    /// Why the model cannot be called; None if it can.
    problem: Option<String>,
}

/// Runs the subcommand. A model with a problem makes it fail with the code of `ModelUnusable`.
pub(super) fn run(args: &ModelsCheckArgs) -> Result<ExitCode> {
    let table = args.prices.table()?;
    let loaded = match config::load_campaign(&args.campaign) {
        Ok(loaded) => loaded,
        Err(errors) => {
            print_config_errors(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    let models: Vec<CheckedModel> =
        loaded.config.models.iter().map(|one| look(one, table)).collect();
    let amiss = models.iter().filter(|looked| looked.problem.is_some()).count();
    if args.json {
        print_json(&json!({ "ok": amiss == 0, "models": models, "price_table": table.digest }))?;
    } else {
        models.iter().for_each(tell);
    }
    if amiss == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let error = Error::new(
        Code::ModelUnusable,
        format!("{amiss} of {} models cannot be called", models.len()),
    );
    match args.json {
        true => Ok(ExitCode::from(error.code().exit_code())),
        false => Err(error.hint("set the keys that are missing, or leave the models out")),
    }
}

/// Looks at one model. A client is made as a test, which reads the key from the environment and
/// sends nothing. A price that equals the one in the table counts as the table's.
fn look(model: &ModelConfig, table: &PriceTable) -> CheckedModel {
    let endpoint = model.endpoint.as_ref();
    let listed = table.get(&model.name).is_some_and(|listed| listed.price == model.price);
    let priced_by = match (model.price.is_free(), listed) {
        (true, _) => "free".to_owned(),
        (false, true) => table.name.clone(),
        (false, false) => "campaign".to_owned(),
    };
    CheckedModel {
        model: model.name.clone(),
        dialect: endpoint.map(|endpoint| endpoint.dialect.clone()),
        base_url: endpoint.map(|endpoint| endpoint.base_url.clone()),
        key_env: endpoint.and_then(|endpoint| endpoint.key_env.clone()),
        price: model.price.clone(),
        priced_by,
        problem: ModelClients::new(model, &AdapterFactory::new(crate::store::open_archive))
            .err()
            .map(|fault| fault.message),
    }
}

/// Prints what was found out about one model, with the problem in capitals.
fn tell(looked: &CheckedModel) {
    print_line(&escape_line(&looked.model));
    let place = match (&looked.base_url, &looked.dialect) {
        (Some(url), Some(dialect)) => format!("{url} ({dialect})"),
        _ => "in this process".to_owned(),
    };
    print_line(&format!("  asked   {}", escape_line(&place)));
    if let Some(variable) = &looked.key_env {
        print_line(&format!("  key     {variable}"));
    }
    let rates = &looked.price.rates;
    let price = match looked.price.is_free() {
        true => "none: it is free".to_owned(),
        false => format!(
            "${} in, ${} out per million tokens, by {}",
            rates.input_per_million, rates.output_per_million, looked.priced_by
        ),
    };
    print_line(&format!("  price   {}", escape_line(&price)));
    if let Some(problem) = &looked.problem {
        print_line(&format!("  PROBLEM {}", escape_line(problem)));
    }
}

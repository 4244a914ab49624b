//! `synthd dataset judge`: asks models about the rows that the stages `judge` of a recipe see. Their answers
//! are kept, and `synthd dataset build` uses them.

use super::judge_report::{document, show};
use super::row_progress::RowProgress;
use crate::cli::DataDir;
use crate::cli::daemon::signals::SignalListener;
use crate::cli::doctor::this_executable;
use crate::cli::prices::PriceOptions;
use crate::cli::terminal::output::{eprint_line, print_config_errors, print_json};
use crate::config::{self, ConfigErrors, GatewayConfig, LoadedRecipe};
use crate::curation::{self, AskReport, AskState, JudgeCalls};
use crate::error::{Code, Error, Result};
use crate::running_engine::{EngineOptions, RunningEngine, run_in_actor_system};
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::curation::stages::StageSettings;
use synthd_actors::model::{CampaignName, Money};
use synthd_actors::pool::PoolConfig;

/// The exit code of a run that a signal has ended.
const INTERRUPTED: u8 = 130;

#[derive(Args)]
#[command(
    after_help = "The recipe's stages of the kind `judge` name the models and the rubrics, see docs/judges.md. Answers are \
kept in the data directory: a second run asks only what has no answer yet, and a build asks nothing. A \
judge never changes the verdict of a check.

Examples:
  synthd dataset judge recipes/agents.toml --budget 2.50
  synthd dataset judge recipes/agents.toml --config models.toml --retry-faults"
)]
pub(in crate::cli) struct DatasetJudgeArgs {
    /// The recipe
    #[arg(value_name = "RECIPE.toml")]
    recipe: PathBuf,
    /// The most dollars that all runs of this name may spend
    #[arg(long, value_name = "USD", default_value = "1.00")]
    budget: Money,
    /// The name of the account in the data directory
    #[arg(long, value_name = "NAME", default_value = "judges")]
    name: String,
    /// A gateway file with the models' providers and prices
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Ask again where no answer could be read in an earlier run
    #[arg(long)]
    retry_faults: bool,
    #[command(flatten)]
    prices: PriceOptions,
    #[command(flatten)]
    data: DataDir,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command. Mistakes of the recipe, and of the models' names, are printed as those of a file.
pub(super) fn run(args: &DatasetJudgeArgs) -> Result<ExitCode> {
    args.prices.table()?;
    let told = |errors: &ConfigErrors| {
        print_config_errors(errors, args.json);
        Ok(ExitCode::from(errors.code().exit_code()))
    };
    let loaded = match config::load_recipe(&args.recipe) {
        Ok(loaded) => loaded,
        Err(errors) => return told(&errors),
    };
    let models = models_of(&loaded)?;
    curation::check_rubrics(&loaded)?;
    let config = match config_of(args, &models)? {
        Ok(config) => config,
        Err(errors) => return told(&errors),
    };
    run_in_actor_system(live(args, loaded, config))?
}

/// The models of all stages with judges.
fn models_of(loaded: &LoadedRecipe) -> Result<BTreeSet<String>> {
    let mut models = BTreeSet::new();
    for stage in &loaded.recipe.stages {
        if let StageSettings::Judge { panel, .. } = &stage.settings {
            models.extend(panel.models.iter().cloned());
        }
    }
    if models.is_empty() {
        let what = "the recipe has no stage of the kind `judge`";
        return Err(Error::new(Code::BadUsage, what).hint("docs/judges.md shows one"));
    }
    Ok(models)
}

/// The models with their prices and the budget, checked as a gateway's file is. The inner error has the
/// mistakes of that file.
fn config_of(
    args: &DatasetJudgeArgs,
    models: &BTreeSet<String>,
) -> Result<std::result::Result<GatewayConfig, ConfigErrors>> {
    if args.name.contains(|c: char| c.is_control() || c == '"' || c == '\\') {
        let what = format!("{:?} is no name", args.name);
        return Err(Error::new(Code::BadUsage, what).hint("use letters, digits and hyphens"));
    }
    let head =
        format!("[gateway]\nname = \"{}\"\n\n[budget]\nusd = \"{}\"\n", args.name, args.budget);
    let Some(file) = &args.config else {
        // The recipe has checked that no name of a model has a quotation mark.
        let models = models.iter().map(|model| format!("\n[[models]]\nname = \"{model}\"\n"));
        let text = head + &models.collect::<String>();
        return Ok(config::parse_gateway("the options", &text));
    };
    let config = match config::load_gateway(file) {
        Ok(config) => config,
        Err(errors) => return Ok(Err(errors)),
    };
    let has = |name: &&String| config.models.iter().any(|model| model.name == **name);
    if let Some(missing) = models.iter().find(|name| !has(name)) {
        let what = format!("{} has no model {missing:?}", file.display());
        return Err(Error::new(Code::BadUsage, what).hint("add it there under [[models]]"));
    }
    // The options name the account, whatever the file says.
    let named = head + "\n[[models]]\nname = \"scripted/echo\"\n";
    let named = config::parse_gateway("the options", &named);
    Ok(named.map(|named| GatewayConfig {
        name: named.name,
        budget: named.budget,
        // All questions are one session.
        session_budget: None,
        ..config
    }))
}

/// Starts an engine, asks until everything has an outcome or a signal comes, and shuts it down.
async fn live(
    args: &DatasetJudgeArgs,
    loaded: LoadedRecipe,
    config: GatewayConfig,
) -> Result<ExitCode> {
    let mut signals = SignalListener::listen()?;
    let engine = RunningEngine::start(EngineOptions {
        data_dir: args.data.data_dir.clone(),
        executable: this_executable()?,
        max_episodes: 1,
        pool: PoolConfig { warm: 0, ..PoolConfig::default() },
        catalog: Default::default(),
    })
    .await?;
    let asked = tokio::select! {
        asked = Box::pin(asked(&engine, args, &loaded, &config)) => Some(asked),
        () = signals.wait_for_stop() => None,
    };
    engine.shut_down().await?;
    let Some(asked) = asked else {
        eprint_line("interrupted; run the command again to go on: no answer is asked for twice");
        return Ok(ExitCode::from(INTERRUPTED));
    };
    finish(args, &config.name, &asked?)
}

/// Asks the judges.
async fn asked(
    engine: &RunningEngine,
    args: &DatasetJudgeArgs,
    loaded: &LoadedRecipe,
    config: &GatewayConfig,
) -> Result<AskReport> {
    let dir = &args.data.data_dir;
    let calls = JudgeCalls::open(engine, config, dir).await?;
    let shown = RowProgress::new("rows judged");
    let progress = |one: curation::AskProgress| shown.show(one.rows, one.of);
    curation::ask(loaded, dir, &calls, args.retry_faults, &progress).await
}

/// Prints what was asked. The error says that the budget is used up.
fn finish(args: &DatasetJudgeArgs, account: &CampaignName, report: &AskReport) -> Result<ExitCode> {
    match args.json {
        true => print_json(&document(report, account, args.budget))?,
        false => show(report),
    }
    match report.state {
        AskState::Complete => Ok(ExitCode::SUCCESS),
        AskState::OutOfBudget => {
            let what = format!("the budget of ${} does not cover the next answer", args.budget);
            Err(Error::new(Code::BudgetReached, what)
                .hint("raise --budget and run the command again: it goes on"))
        }
    }
}

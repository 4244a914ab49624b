//! `synthd check`: every error of a campaign file at once.

use super::TemplateDirs;
use super::output::{complain_of_config, say, say_json};
use crate::config;
use crate::control::check_selection;
use crate::error::Result;
use crate::estimate::{self, affordable};
use crate::templates;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Example:
  synthd check config/quickstart.toml")]
pub(super) struct CheckArgs {
    /// The campaign file
    campaign: PathBuf,
    #[command(flatten)]
    prices: super::prices::PriceOptions,
    #[command(flatten)]
    templates: TemplateDirs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    args.prices.table()?;
    let loaded = match config::load_campaign(&args.campaign) {
        Ok(loaded) => loaded,
        Err(errors) => {
            complain_of_config(&errors, args.json);
            return Ok(ExitCode::from(errors.code().exit_code()));
        }
    };
    let catalog = templates::load(&args.templates.directories)?;
    let tasks = &loaded.config.tasks;
    check_selection(&catalog, &loaded.config)?;
    affordable(&estimate::campaign(&catalog, &loaded.config)?)?;
    let selected = catalog.select(&tasks.templates, &tasks.exclude);
    let plan = json!({
        "campaign": loaded.config.name,
        "templates": selected.iter().map(|t| &t.id).collect::<Vec<_>>(),
        "tasks": selected.len() as u64 * u64::from(tasks.per_template),
        "models": loaded.config.models.iter().map(|m| &m.name).collect::<Vec<_>>(),
        "scaffolds": loaded.config.scaffolds,
    });
    if args.json {
        say_json(&json!({ "ok": true, "plan": plan }))?;
    } else {
        say(&format!(
            "{} is valid: {}, {}, {}, {}",
            args.campaign.display(),
            many(selected.len() as u64, "template"),
            many(plan["tasks"].as_u64().unwrap_or(0), "task"),
            many(loaded.config.models.len() as u64, "model"),
            many(loaded.config.scaffolds.len() as u64, "scaffold"),
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn many(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

//! `synthd check`: every error of a campaign file at once.

use super::campaign_file::CampaignFile;
use super::output::{say, say_json};
use crate::error::Result;
use crate::estimate::{self, affordable};
use clap::Args;
use serde_json::json;
use std::ops::ControlFlow;
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Example:
  synthd check config/quickstart.toml")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    file: CampaignFile,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode> {
    let (loaded, catalog) = match args.file.load()? {
        ControlFlow::Continue(loaded) => loaded,
        ControlFlow::Break(code) => return Ok(code),
    };
    let tasks = &loaded.config.tasks;
    affordable(&estimate::campaign(&catalog, &loaded.config)?)?;
    let selected = catalog.select(&tasks.templates, &tasks.exclude);
    let plan = json!({
        "campaign": loaded.config.name,
        "templates": selected.iter().map(|t| &t.id).collect::<Vec<_>>(),
        "tasks": selected.len() as u64 * u64::from(tasks.per_template),
        "models": loaded.config.models.iter().map(|m| &m.name).collect::<Vec<_>>(),
        "scaffolds": loaded.config.scaffolds,
    });
    if args.file.json {
        say_json(&json!({ "ok": true, "plan": plan }))?;
    } else {
        say(&format!(
            "{} is valid: {}, {}, {}, {}",
            args.file.campaign.display(),
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

//! `synthd store verify`: the store read through.

use crate::cli::DataDir;
use crate::cli::output::{say, say_json};
use crate::cli::visible::visible_line;
use crate::error::{Code, Error, Result};
use crate::store::{StoreReport, verify};
use clap::Args;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "The command reads every page, sum and body, and compares the store with its high-water mark, \
synthd.db-mark. The command changes nothing. If anything is wrong or missing, the exit code is \
1.

Examples:
  synthd store verify
  synthd store verify --data-dir /data/synthd --json | jq .findings"
)]
pub(in crate::cli) struct VerifyArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

pub(super) fn run(args: &VerifyArgs) -> Result<ExitCode> {
    let report = verify(&args.data.data_dir)?;
    if args.json {
        say_json(&report)?;
        return Ok(ExitCode::from(u8::from(!report.sound)));
    }
    show(&report);
    if report.sound {
        return Ok(ExitCode::SUCCESS);
    }
    let code = match report.findings.is_empty() {
        true => Code::StoreIncomplete,
        false => Code::StoreDamaged,
    };
    let what = format!("the store in {} is damaged or incomplete", args.data.data_dir.display());
    Err(Error::new(code, what)
        .hint("`synthd store restore` continues from a backup, or from the rest of the store"))
}

fn show(report: &StoreReport) {
    let StoreReport { attempts, steps, calls, campaigns, .. } = report;
    for sum in campaigns {
        say(&format!("campaign {}: ${} spent", visible_line(&sum.campaign), sum.spent_usd));
    }
    say(&format!("{attempts} attempts, {steps} steps, {calls} calls, schema {}", report.schema));
    if let Some(missing) = &report.missing {
        say(&format!("missing: {}", visible_line(&missing.to_string())));
    }
    for finding in &report.findings {
        say(&format!("damaged: {}", visible_line(finding)));
    }
    if report.sound {
        say("the store is complete");
    }
}

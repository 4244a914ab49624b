//! `synthd store verify`: reads the whole store and compares it with its high-water mark. It is for
//! a user who suspects damage, for example after a disk error, and for backups that are checked by
//! a script. The command changes nothing.

use crate::cli::DataDir;
use crate::cli::terminal::output::{print_json, print_line};
use crate::cli::terminal::terminal_text::escape_line;
use crate::error::{Code, Error, Result};
use crate::store::{StoreVerifyReport, verify};
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
pub(in crate::cli) struct StoreVerifyArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Prints the report. Success means that the store is sound. Otherwise the error is `StoreDamaged`
/// if something is wrong, or `StoreIncomplete` if records are only missing. With `--json` the exit
/// code is 1 for both, and the document has the findings.
pub(super) fn run(args: &StoreVerifyArgs) -> Result<ExitCode> {
    let report = verify(&args.data.data_dir)?;
    if args.json {
        print_json(&report)?;
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

/// Prints the spending of each campaign, which a user can compare with invoices, then the counts,
/// and then what is missing or damaged.
fn show(report: &StoreVerifyReport) {
    let StoreVerifyReport { attempts, steps, calls, campaigns, .. } = report;
    for sum in campaigns {
        print_line(&format!("campaign {}: ${} spent", escape_line(&sum.campaign), sum.spent_usd));
    }
    print_line(&format!(
        "{attempts} attempts, {steps} steps, {calls} calls, schema {}",
        report.schema
    ));
    if let Some(missing) = &report.missing {
        print_line(&format!("missing: {}", escape_line(&missing.to_string())));
    }
    for finding in &report.findings {
        print_line(&format!("damaged: {}", escape_line(finding)));
    }
    if report.sound {
        print_line("the store is complete");
    }
}

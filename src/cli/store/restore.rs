//! `synthd store restore`: makes a damaged or lost store usable again, from a backup or from what
//! is left.

use crate::cli::terminal::output::{pluralize, print_json, print_line};
use crate::cli::terminal::terminal_text::escape_line;
use crate::cli::{DataDir, operator};
use crate::error::Result;
use crate::running_engine::SystemClock;
use crate::store::{RestoreReport, RestoreRequest, restore};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::ports::Clock;

#[derive(Args)]
#[command(
    after_help = "Without a file, the command restores the readable rest of the store. It moves the old files to \
a directory inside the data directory and deletes nothing. If synthd.db-mark knows of money \
that the restored store lacks, the command first names this money. With --charge-missing, the \
missing money counts as spent, so that no cap is passed. `synthd money list --adjustments` \
shows this charge.

If FILE-workspaces is beside the file, the kept workspaces are restored from it as well.

If the command is cut off, no other command opens the store until it is run again. It then \
finishes what it began, and does not read a file that is named.

Examples:
  synthd store restore /backups/monday.db
  synthd store restore --charge-missing
  synthd store restore /backups/monday.db --charge-missing --json"
)]
pub(in crate::cli) struct StoreRestoreArgs {
    /// A file that `synthd store backup` has made
    file: Option<PathBuf>,
    /// Accept what is missing, and count its money as spent
    #[arg(long)]
    charge_missing: bool,
    /// Who decides, for the record [default: the user]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Leave the kept workspaces of the data directory as they are
    #[arg(long)]
    without_workspaces: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Restores the store and prints the report. If known records would be lost, the restore is refused
/// (`RestoreLacks`), unless `--charge-missing` accepts the loss: then the missing money counts as
/// spent, so that no cap is passed. `--who` is kept in the record of this charge.
pub(super) fn run(args: &StoreRestoreArgs) -> Result<ExitCode> {
    let who = args.who.clone().unwrap_or_else(operator);
    let report = restore(&RestoreRequest {
        data_dir: &args.data.data_dir,
        backup: args.file.as_deref(),
        workspaces: !args.without_workspaces,
        charge_missing: args.charge_missing,
        who: &who,
        at_ms: SystemClock.now_ms(),
    })?;
    match args.json {
        true => print_json(&report)?,
        false => show(&report),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what was restored, what is missing, and where the old files are. After a restore that was
/// cut off, nobody knows any more what was missing. Without a high-water
/// mark there is nothing to compare with, and the text says so.
fn show(report: &RestoreReport) {
    print_line(&format!("{} is in place", report.path.display()));
    match &report.missing {
        _ if report.finished_earlier => print_line(
            "a restore that was cut off is finished; `synthd money list --adjustments` shows what \
             it charged",
        ),
        Some(missing) => {
            print_line(&format!("missing: {}", escape_line(&missing.to_string())));
            print_line(&format!("${} are charged", missing.money()));
        }
        None if report.compared => print_line("nothing is missing"),
        None => print_line("there was no mark, so missing records are unknown"),
    }
    if let Some(count) = report.workspaces {
        print_line(&format!("{} restored", pluralize(count, "kept workspace")));
    }
    if let Some(aside) = &report.aside {
        print_line(&format!("the old files are in {}", aside.display()));
    }
}

//! `synthd money reconcile`: corrects the recorded cost of calls, one by hand or many from a
//! provider's statement. The store keeps each correction with who, when and why.

use super::statement;
use crate::cli::terminal::output::{print_json, print_line};
use crate::cli::terminal::terminal_text::escape_line;
use crate::cli::{DataDir, operator};
use crate::error::{Code, Error, Result};
use crate::running_engine::SystemClock;
use crate::store::{HoldCorrection, ReconcileReport, reconcile, reconcile_with};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::model::Money;
use synthd_actors::ports::Clock;

#[derive(Args)]
#[command(
    after_help = "A file has one call on each line. It is CSV with the header `id,cost_usd`, or JSON lines with \
these keys. An id is the id of a hold, the id of a call, or the provider's own id, as `synthd \
money list --json` shows them. The command ignores lines of other calls. The store keeps every \
correction with who, when and why. Sums and caps follow. No other process may use the data \
directory.

Examples:
  synthd money reconcile ep-4f1c/1/0/0@3 --cost 0.0123 --reason 'invoice of May'
  synthd money reconcile --from export.csv --reason 'export of the provider'"
)]
pub(in crate::cli) struct MoneyReconcileArgs {
    /// The hold's id, or its call's
    #[arg(required_unless_present = "from", conflicts_with = "from")]
    hold: Option<String>,
    /// The true cost of the call, in dollars
    #[arg(long, value_name = "USD", required_unless_present = "from", conflicts_with = "from")]
    cost: Option<String>,
    /// A provider's own record: CSV or JSON lines
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The reason, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who makes the correction, for the record [default: the user]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// Corrects one hold, or all that a statement names, and prints the changes. The store must be
/// free, because the sums and caps of a running engine would not follow. Lines of the statement
/// that belong to no recorded call are counted and ignored.
pub(super) fn run(args: &MoneyReconcileArgs) -> Result<ExitCode> {
    let who = args.who.clone().unwrap_or_else(operator);
    let (dir, at_ms) = (&args.data.data_dir, SystemClock.now_ms());
    let done = match (&args.from, &args.hold, &args.cost) {
        (Some(file), ..) => {
            let costs = statement::read(file)?;
            reconcile_with(dir, &costs, &args.reason, &who, at_ms)?
        }
        (None, Some(hold), Some(cost)) => {
            let (hold, cost, reason) = (hold.clone(), dollars(cost)?, args.reason.clone());
            reconcile(dir, HoldCorrection { hold, cost, reason }, &who, at_ms)?
        }
        _ => return Err(Error::new(Code::BadUsage, "give a hold and its cost, or --from FILE")),
    };
    match args.json {
        true => print_json(&done)?,
        false => show(&done),
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the value of `--cost`, an amount in dollars.
fn dollars(text: &str) -> Result<Money> {
    text.parse().map_err(|error| {
        Error::new(Code::BadUsage, format!("--cost {text:?} is not an amount"))
            .with_source(error)
            .hint("write dollars with at most nine decimals, such as 0.0123")
    })
}

/// Prints the corrected holds, and how many lines of the statement belong to no call.
fn show(done: &ReconcileReport) {
    for one in &done.corrected {
        let (before, after) = (one.before_usd, one.after_usd);
        print_line(&format!("{}: ${after} instead of ${before}", escape_line(&one.hold)));
    }
    let noun = if done.corrected.len() == 1 { "hold" } else { "holds" };
    print_line(&format!("{} {noun} corrected", done.corrected.len()));
    if !done.unknown.is_empty() {
        print_line(&format!(
            "{} lines belong to no call that is recorded here",
            done.unknown.len()
        ));
    }
}

//! `synthd dataset verify`: checks a dataset version and lists every problem.
//! `crate::dataset::inspect` does the checks: sizes and checksums of the files, the schema, every
//! row, the splits and the figures.

use super::size;
use crate::cli::terminal::output::{print_json, print_line, table};
use crate::cli::terminal::terminal_text::escape_line;
use crate::dataset::{DatasetVerifyReport, inspect};
use crate::error::{Code, Error, Result};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "The command checks the sizes and checksums of all files, the schema, every row and the \
figures. It also checks that no task is in two splits. If anything is wrong, the exit code is \
1.

Example:
  synthd dataset verify synthd-data/datasets/quickstart/v1"
)]
pub(in crate::cli) struct DatasetVerifyArgs {
    /// The directory of one version
    dir: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// The document of `--json`.
#[derive(Serialize)]
struct DatasetVerifyDocument<'a> {
    /// Whether there is no problem, for scripts that need nothing else.
    ok: bool,
    #[serde(flatten)]
    report: &'a DatasetVerifyReport,
}

/// Prints the report. The directory must be a dataset version (`NotADataset` otherwise). Any
/// problem makes the command fail with `DatasetDamaged`.
pub(super) fn run(args: &DatasetVerifyArgs) -> Result<ExitCode> {
    let report = inspect(&args.dir)?;
    let ok = report.problems.is_empty();
    if args.json {
        print_json(&DatasetVerifyDocument { ok, report: &report })?;
    } else {
        show(&report);
    }
    if ok { Ok(ExitCode::SUCCESS) } else { Err(damaged(&report)) }
}

/// Prints what was checked and the problems. The report keeps only the first problems and counts
/// the others, because one bug may be in every row.
fn show(report: &DatasetVerifyReport) {
    let mut rows = table(&["dataset", &escape_line(&report.path)]);
    rows.add_row(["campaign", &escape_line(&report.campaign)]);
    rows.add_row(["version", &report.version.to_string()]);
    rows.add_row(["digest", &escape_line(&report.digest)]);
    rows.add_row(["files", &format!("{}, {}", report.files, size(report.bytes))]);
    rows.add_row(["rows", &rows_of(report)]);
    let verdict = match report.problems.count() {
        0 => "sound: files, schema, rows, splits and figures agree".to_owned(),
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    rows.add_row(["verdict", &verdict]);
    print_line(&rows.to_string());
    for problem in &report.problems.found {
        print_line(&format!("  {}", escape_line(&problem.to_string())));
    }
    if report.problems.left_out > 0 {
        print_line(&format!("  and {} more", report.problems.left_out));
    }
}

/// The number of rows, and of their steps if rows of this format have steps.
fn rows_of(report: &DatasetVerifyReport) -> String {
    match report.steps {
        Some(steps) => format!("{} of {steps} steps", report.rows),
        None => report.rows.to_string(),
    }
}

/// The error for a version with problems.
fn damaged(report: &DatasetVerifyReport) -> Error {
    let count = report.problems.count();
    let noun = if count == 1 { "problem" } else { "problems" };
    Error::new(Code::DatasetDamaged, format!("{}: {count} {noun}", report.path)).hint(
        "do not use this copy; get the version again, or move the copy away and run the \
               campaign again",
    )
}

//! `synthd dataset verify`: checks a dataset version and lists every problem.
//! `crate::dataset::inspect` does the checks: sizes and checksums of the files, the schema, every
//! row, the splits and the figures.

use super::row_progress::RowProgress;
use super::size;
use crate::cli::DataDir;
use crate::cli::terminal::output::{print_json, print_line, table};
use crate::cli::terminal::terminal_text::escape_line;
use crate::curation::rebuild;
use crate::dataset::{DatasetVerifyReport, inspect};
use crate::error::{Code, Error, Result};
use crate::running_engine::run_in_actor_system;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "The command checks the sizes and checksums of all files, the schema, every row and the \
figures. It also checks that no task is in two splits. If anything is wrong, the exit code is \
1. With --rebuild, a version that a recipe made is made again from the store and compared byte for byte; \
paths of the recipe begin at the working directory.

Examples:
  synthd dataset verify synthd-data/datasets/quickstart/v1
  synthd dataset verify synthd-data/datasets/agents/v1 --rebuild"
)]
pub(in crate::cli) struct DatasetVerifyArgs {
    /// The directory of one version
    dir: PathBuf,
    /// Make the version again from the store, and compare its files
    #[arg(long)]
    rebuild: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataDir,
}

/// The document of `--json`.
#[derive(Serialize)]
struct DatasetVerifyDocument<'a> {
    /// Whether there is no problem, for scripts that need nothing else.
    ok: bool,
    /// With `--rebuild`: the files that are made in another way now.
    #[serde(skip_serializing_if = "Option::is_none")]
    differing: Option<&'a [String]>,
    #[serde(flatten)]
    report: &'a DatasetVerifyReport,
}

/// Prints the report. The directory must be a dataset version (`NotADataset` otherwise). Any
/// problem makes the command fail with `DatasetDamaged`.
pub(super) fn run(args: &DatasetVerifyArgs) -> Result<ExitCode> {
    let report = inspect(&args.dir)?;
    let sound = report.problems.is_empty();
    // A damaged version is told before anything else.
    let differing = if sound && args.rebuild { Some(rebuilt(args)?) } else { None };
    let ok = sound && differing.as_ref().is_none_or(Vec::is_empty);
    if args.json {
        let differing = differing.as_deref();
        print_json(&DatasetVerifyDocument { ok, differing, report: &report })?;
    } else {
        show(&report);
        if ok && differing.is_some() {
            print_line("rebuilt from the store: every file of rows and notes is the same");
        }
    }
    match differing {
        _ if !sound => Err(damaged(&report)),
        Some(files) if !files.is_empty() => Err(another(&report, &files)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// The files that the rebuilt version has in another way.
fn rebuilt(args: &DatasetVerifyArgs) -> Result<Vec<String>> {
    let shown = RowProgress::new("rows shown to stages");
    let progress = |rows, of| shown.show(rows, of);
    run_in_actor_system(rebuild(&args.dir, &args.data.data_dir, &progress))?
}

/// The error for a version that is made in another way now.
fn another(report: &DatasetVerifyReport, files: &[String]) -> Error {
    let what = format!("{}: {} would be another now", report.path, files.join(", "));
    Error::new(Code::DatasetDamaged, what).hint(
        "the store has other rows than when it was built, or this synthd has other versions of the stages; \
         metadata.json names both",
    )
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

//! `synthd dataset push`: publishes a version in a directory, a bucket, or on the Hugging Face Hub.

use super::row_progress::RowProgress;
use super::size;
use crate::cli::terminal::output::{pluralize, print_json, print_line, table};
use crate::cli::terminal::terminal_text::escape_line;
use crate::error::Result;
use crate::push::{PushReport, PushRequest, PushState, PushTarget, PushedTable, push};
use crate::running_engine::run_in_actor_system;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Args)]
#[command(
    after_help = "A reader never sees half a version. What the target has with the same checksum is not sent \
again, so a push that was cut off goes on when the same command is given again. The Hub's token is that of \
HF_TOKEN or of `hf auth login`; those of buckets are in the usual variables (AWS_…, AZURE_…, GOOGLE_…). \
docs/push.md has the files of a published version.

Examples:
  synthd dataset push synthd-data/datasets/agents/v1 hf://datasets/me/agents --dry-run
  synthd dataset push synthd-data/datasets/agents/v1 s3://bucket/agents
  synthd dataset push synthd-data/datasets/agents/v1 /srv/published --json"
)]
pub(in crate::cli) struct DatasetPushArgs {
    /// The directory of one version
    #[arg(value_name = "VERSION")]
    dir: PathBuf,
    /// hf://datasets/OWNER/NAME[@BRANCH], s3://…, az://…, gs://… or a directory
    #[arg(value_name = "TARGET")]
    target: String,
    /// Send nothing, and show what would be sent
    #[arg(long)]
    dry_run: bool,
    /// On the Hub: make the repository, private, if there is none
    #[arg(long)]
    create: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Publishes the version.
pub(super) fn run(args: &DatasetPushArgs) -> Result<ExitCode> {
    let target = PushTarget::parse(&args.target)?;
    let (is_plan, creates) = (args.dry_run, args.create);
    let request = PushRequest { version: &args.dir, target: &target, is_plan, creates };
    let progress = RowProgress::new("bytes published");
    let show = |done, of| progress.show(done, of);
    let report = run_in_actor_system(push(&request, &show));
    drop(progress);
    let report = report??;
    match args.json {
        true => print_json(&report)?,
        false => show_report(&report),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the tables, what was sent, and where the version is.
fn show_report(report: &PushReport) {
    let target = escape_line(&report.target);
    let mut rows = table(&["target", &target]);
    rows.add_row(["version", &format!("{} v{}", escape_line(&report.campaign), report.version)]);
    for table in &report.tables {
        rows.add_row([table.name.as_str(), &rows_of(table)]);
    }
    rows.add_row(["files", &format!("{}, {}", report.files, size(report.bytes))]);
    rows.add_row(["root", &report.root]);
    print_line(&rows.to_string());
    for (table, why) in &report.left_out {
        print_line(&format!("without {table}: {}", escape_line(why)));
    }
    let sent = format!("{}, {}", pluralize(report.sent.files, "file"), size(report.sent.bytes));
    let place = escape_line(&report.place);
    print_line(&match report.state {
        PushState::Published => format!("{place}: published; {sent} sent"),
        PushState::Known => format!("{place}: the same version is there; nothing was sent"),
        PushState::Planned => format!("{place}: nothing was sent; a push would send {sent}"),
    });
}

/// The rows of each split.
fn rows_of(table: &PushedTable) -> String {
    let each = table.rows.iter().map(|(split, rows)| format!("{rows} in {}", split.as_str()));
    each.collect::<Vec<_>>().join(", ")
}
